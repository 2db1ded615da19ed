import { type Clock, type Logger, messageOf } from "../base/mod.ts";
import { BoundedQueue } from "./bounded_queue.ts";
import type { BusMessage, BusSubscription } from "./bus.ts";
import type { Frame, TransportSubscription } from "./transport.ts";

/** Messages that wait for the reader of a stream. */
export const STREAM_BUFFER_MESSAGES = 1_024;
const LOG_INTERVAL_MS = 1_000;

/** What a {@linkcode BusStream} tells and uses. */
export interface BusStreamOwner {
  readonly logger: Logger;
  readonly clock: Clock;
  /** Called once, when the stream has ended. */
  ended(stream: BusStream): void;
}

/** A reader of a subject. */
export class BusStream implements BusSubscription {
  /** The subject. */
  readonly subject: string;
  /** Messages that arrived, without those that were dropped. */
  received = 0;
  readonly #owner: BusStreamOwner;
  readonly #queue = new BoundedQueue<Frame>(STREAM_BUFFER_MESSAGES);
  readonly #closed = Promise.withResolvers<void>();
  #subscription: TransportSubscription | undefined;
  #closing: Promise<void> | undefined;
  #dropped = 0;
  #loggedDropped = 0;
  #loggedAt = -Infinity;

  /**
   * @param subject The subject.
   * @param owner The bus.
   */
  constructor(subject: string, owner: BusStreamOwner) {
    this.subject = subject;
    this.#owner = owner;
    this.#closed.promise.catch(() => {});
  }

  get dropped(): number {
    return this.#dropped + (this.#subscription?.dropped ?? 0);
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Gives the stream what it is to close. */
  attach(subscription: TransportSubscription): void {
    this.#subscription = subscription;
  }

  /** Takes a message; a promise says that there is no room for another one. */
  readonly deliver = (frame: Frame): void | Promise<void> => {
    const queue = this.#queue;
    if (queue.isEnded) return;
    if (queue.isFull) {
      this.#drop();
      return queue.untilRoom();
    }
    this.received++;
    queue.push(frame);
    if (queue.isFull) return queue.untilRoom();
  };

  /** Ends it because the transport did. */
  readonly fail = (error?: Error): void => {
    this.#closing ??= Promise.resolve();
    this.#end(error);
  };

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Ends it at once: what waits is not handed over any more. */
  abort(): void {
    this.#queue.end();
    this.#queue.clear();
    this.close().catch((error: unknown) => {
      this.#owner.logger.warn("a stream could not be closed", {
        subject: this.subject,
        error: messageOf(error),
      });
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return this.#iterator((frame) => frame.data);
  }

  messages(): AsyncIterable<BusMessage> {
    const { subject } = this;
    return {
      [Symbol.asyncIterator]: () =>
        this.#iterator(({ data, headers }) => ({ subject, data, headers })),
    };
  }

  #iterator<T>(map: (frame: Frame) => T): AsyncIterator<T, undefined> {
    const queue = this.#queue;
    const mapped = (result: IteratorResult<Frame, undefined>): IteratorResult<T, undefined> =>
      result.done ? result : { done: false, value: map(result.value) };
    return {
      // What waits is handed over without a detour: this is what a busy reader does most.
      next: () =>
        queue.size > 0
          ? Promise.resolve({ done: false, value: map(queue.shift()) })
          : queue.next().then(mapped),
      return: async () => {
        this.#queue.end();
        this.#queue.clear();
        await this.close();
        return { done: true, value: undefined };
      },
    };
  }

  async #close(): Promise<void> {
    try {
      await this.#subscription?.close();
    } finally {
      this.#end();
    }
  }

  #end(error?: Error): void {
    this.#queue.end(error);
    if (error === undefined) this.#closed.resolve();
    else this.#closed.reject(error);
    this.#logDropped(true);
    this.#owner.ended(this);
  }

  #drop(): void {
    this.#dropped++;
    this.#logDropped(false);
  }

  #logDropped(atOnce: boolean): void {
    const dropped = this.#dropped - this.#loggedDropped;
    if (dropped === 0) return;
    const now = this.#owner.clock.monotonic();
    if (!atOnce && now - this.#loggedAt < LOG_INTERVAL_MS) return;
    this.#loggedAt = now;
    this.#loggedDropped = this.#dropped;
    this.#owner.logger.warn("a reader is too slow: messages were dropped", {
      subject: this.subject,
      dropped,
      dropped_in_all: this.#dropped,
    });
  }
}
