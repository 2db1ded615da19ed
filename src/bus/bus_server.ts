import { type Clock, delay, type Logger, messageOf, withContext } from "../base/mod.ts";
import type { BusHandler, BusMessage, BusReply, BusSubscription } from "./bus.ts";
import { PayloadTooLargeError } from "./errors.ts";
import { CORRELATION_ID, SERVICE_NAME } from "./headers.ts";
import { Room } from "./room.ts";
import type { IncomingRequest, ReplyFrame, TransportSubscription } from "./transport.ts";

/** Requests that wait for a server that is busy, where the transport cannot hold them. */
const WAITING_REQUESTS = 1_024;

/** What a {@linkcode BusServer} tells and uses. */
export interface BusServerOwner {
  readonly logger: Logger;
  readonly clock: Clock;
  readonly maxPayloadBytes: number;
  /** Milliseconds that running handlers have when the server closes. */
  readonly drainMs: number;
  /** Called once, when the server has ended. */
  ended(server: BusServer): void;
}

const encoder = new TextEncoder();

/** A server of a subject: hands requests to a handler, some at a time, and its answers back. */
export class BusServer implements BusSubscription {
  /** The subject. */
  readonly subject: string;
  readonly dropped = 0;
  /** Requests that arrived. */
  received = 0;
  readonly #owner: BusServerOwner;
  readonly #handler: BusHandler;
  readonly #concurrency: number;
  readonly #closed = Promise.withResolvers<void>();
  readonly #room = new Room();
  readonly #idle = new Room();
  readonly #giveUp = new AbortController();
  readonly #waiting: IncomingRequest[] = [];
  #subscription: TransportSubscription | undefined;
  #closing: Promise<void> | undefined;
  #running = 0;
  #abandoned = 0;

  /**
   * @param subject The subject.
   * @param handler Answers.
   * @param concurrency Requests that are handled at the same time.
   * @param owner The bus.
   */
  constructor(subject: string, handler: BusHandler, concurrency: number, owner: BusServerOwner) {
    this.subject = subject;
    this.#handler = handler;
    this.#concurrency = concurrency;
    this.#owner = owner;
    this.#closed.promise.catch(() => {});
  }

  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Requests that the handler is at work on. */
  get running(): number {
    return this.#running;
  }

  /** Handlers that still run although their request is over. */
  get abandoned(): number {
    return this.#abandoned;
  }

  /** Gives the server what it is to close. */
  attach(subscription: TransportSubscription): void {
    this.#subscription = subscription;
  }

  /** Takes a request; a promise says that there is no room for another one. */
  readonly take = (request: IncomingRequest): void | Promise<void> => {
    this.received++;
    if (this.#giveUp.signal.aborted) this.#refuse(request, "the server is closed");
    else if (this.#running < this.#concurrency) this.#start(request);
    else if (this.#waiting.length < WAITING_REQUESTS) this.#waiting.push(request);
    else this.#refuse(request, `the server is busy: ${WAITING_REQUESTS} requests wait already`);
    if (this.#running >= this.#concurrency) return this.#room.wait();
  };

  /** Ends it because the transport did: running handlers finish. */
  readonly fail = (error?: Error): void => {
    this.#closing ??= this.#drain(error);
  };

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array, undefined> {
    return this.#nothing();
  }

  messages(): AsyncIterable<BusMessage> {
    return { [Symbol.asyncIterator]: () => this.#nothing() };
  }

  /** A server has no messages: its iteration lasts until it ends. */
  #nothing(): AsyncIterator<never, undefined> {
    return {
      next: () => this.closed.then(() => ({ done: true, value: undefined })),
      return: async () => {
        await this.close();
        return { done: true, value: undefined };
      },
    };
  }

  async #close(): Promise<void> {
    try {
      await this.#subscription?.close();
    } finally {
      await this.#drain();
    }
  }

  async #drain(error?: Error): Promise<void> {
    const { clock, drainMs } = this.#owner;
    const limit = new AbortController();
    if (this.#running > 0) {
      await Promise.race([
        this.#idle.wait(),
        delay(clock, drainMs, limit.signal).catch(() => {}),
      ]);
    }
    limit.abort();
    this.#giveUp.abort(new DOMException("The server was closed", "AbortError"));
    for (const request of this.#waiting.splice(0)) this.#refuse(request, "the server is closed");
    this.#room.open();
    if (error === undefined) this.#closed.resolve();
    else this.#closed.reject(error);
    this.#owner.ended(this);
  }

  #start(request: IncomingRequest): void {
    const { clock } = this.#owner;
    if (request.cancelled.aborted || request.deadline <= clock.now()) return;
    this.#running++;
    const over = new AbortController();
    const abandon = (reason: unknown) => {
      if (over.signal.aborted) return;
      this.#abandoned++;
      over.abort(reason);
      release();
    };
    const cancelled = () => abandon(request.cancelled.reason);
    const givenUp = () => {
      this.#refuse(request, "the server was closed before it answered");
      abandon(this.#giveUp.signal.reason);
    };
    const timer = clock.after(
      request.deadline - clock.now(),
      () => abandon(new DOMException("Nobody waits for the answer any more", "TimeoutError")),
      { unref: true },
    );
    request.cancelled.addEventListener("abort", cancelled, { once: true });
    this.#giveUp.signal.addEventListener("abort", givenUp, { once: true });
    let held = true;
    const release = () => {
      if (!held) return;
      held = false;
      timer.cancel();
      request.cancelled.removeEventListener("abort", cancelled);
      this.#giveUp.signal.removeEventListener("abort", givenUp);
      this.#running--;
      this.#next();
    };
    this.#answer(request, over.signal).finally(() => {
      if (over.signal.aborted) this.#abandoned--;
      release();
    });
  }

  #next(): void {
    while (this.#running < this.#concurrency && this.#waiting.length > 0) {
      this.#start(this.#waiting.shift()!);
    }
    if (this.#running < this.#concurrency) this.#room.open();
    if (this.#running === 0) this.#idle.open();
  }

  /** Never rejects. */
  async #answer(request: IncomingRequest, signal: AbortSignal): Promise<void> {
    const { headers } = request;
    const context = {
      correlationId: headers[CORRELATION_ID] ?? "",
      serviceName: headers[SERVICE_NAME] ?? "",
    };
    try {
      await withContext(context, async () => {
        const answer = await this.#handler(request.data, {
          signal,
          subject: this.subject,
          headers,
        });
        if (isIterable(answer)) await this.#answerMany(request, answer, signal);
        else await this.#reply(request, { kind: "last", data: this.#bytes(answer) }, signal);
      });
    } catch (error) {
      const message = messageOf(error);
      this.#owner.logger.debug("a handler threw", { subject: this.subject, error: message });
      await this.#reply(request, { kind: "error", message }, signal);
    }
  }

  async #answerMany(
    request: IncomingRequest,
    answers: AsyncIterable<BusReply>,
    signal: AbortSignal,
  ): Promise<void> {
    const iterator = answers[Symbol.asyncIterator]();
    const stopped = Promise.withResolvers<undefined>();
    const stop = () => stopped.resolve(undefined);
    signal.addEventListener("abort", stop, { once: true });
    try {
      while (!signal.aborted) {
        const next = iterator.next();
        const result = await Promise.race([next, stopped.promise]);
        if (result === undefined) {
          // What the iterator still throws has nobody to go to.
          next.catch(() => {});
          break;
        }
        if (result.done) return await this.#reply(request, { kind: "end" }, signal);
        const frame: ReplyFrame = { kind: "data", data: this.#bytes(result.value) };
        await Promise.race([this.#reply(request, frame, signal), stopped.promise]);
      }
      await iterator.return?.();
    } catch (error) {
      await iterator.return?.().catch(() => {});
      throw error;
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  #bytes(reply: BusReply): Uint8Array {
    const bytes = typeof reply === "string" ? encoder.encode(reply) : reply;
    if (!(bytes instanceof Uint8Array)) {
      throw new TypeError("the handler answered neither bytes nor text");
    }
    const { maxPayloadBytes } = this.#owner;
    if (bytes.length > maxPayloadBytes) {
      throw new PayloadTooLargeError(this.subject, bytes.length, maxPayloadBytes);
    }
    return bytes;
  }

  /** Sends a reply unless nobody waits for it. Never rejects. */
  async #reply(request: IncomingRequest, frame: ReplyFrame, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return;
    try {
      await request.reply(frame);
    } catch (error) {
      this.#owner.logger.warn("an answer could not be sent", {
        subject: this.subject,
        error: messageOf(error),
      });
    }
  }

  #refuse(request: IncomingRequest, message: string): void {
    this.#reply(request, { kind: "error", message });
  }
}

function isIterable(answer: unknown): answer is AsyncIterable<BusReply> {
  return typeof answer === "object" && answer !== null && Symbol.asyncIterator in answer;
}
