import {
  type Clock,
  consoleLogger,
  guardedLogger,
  type Logger,
  messageOf,
  quote,
  systemClock,
} from "../base/mod.ts";
import { BoundedQueue } from "./bounded_queue.ts";
import type {
  Bus,
  BusHandler,
  BusHeaders,
  BusPublishOptions,
  BusRequestOptions,
  BusServeOptions,
  BusStats,
  BusStreamOptions,
  BusSubscription,
} from "./bus.ts";
import { BusServer } from "./bus_server.ts";
import { BusStream } from "./bus_stream.ts";
import { Call, type Caller } from "./call.ts";
import {
  BusClosedError,
  PayloadTooLargeError,
  RemoteError,
  ReplyOverflowError,
  RequestTimeoutError,
} from "./errors.ts";
import { CoarseClock } from "./coarse_clock.ts";
import { outgoingHeaders } from "./headers.ts";
import { validateSubject } from "./subject_name.ts";
import type { BusTransport, Frame, TransportSubscription } from "./transport.ts";

/** Options of every bus. */
export interface BusOptions {
  /** Where to log. @default {consoleLogger()} */
  readonly logger?: Logger;
  /** Milliseconds that running handlers have to finish when the bus closes, 0 or more. @default {5_000} */
  readonly drainMs?: number;
  /** Time, for tests. @default {systemClock} */
  readonly clock?: Clock;
}

const DEFAULT_TIMEOUT_MS = 10_000;
const DEFAULT_DRAIN_MS = 5_000;
const DEFAULT_CONCURRENCY = 64;
const MAX_CONCURRENCY = 65_536;
const MAX_TIMER_MS = 2_147_483_647;
/** Replies that wait for the reader of a `requestMany`. */
const REPLY_BUFFER = 1_024;
/** When the server is to wait: what is under way by then must fit as well. */
const REPLIES_ENOUGH = 512;
const REPLIES_FEW = 256;

const encoder = new TextEncoder();

/**
 * Everything of a bus that does not depend on where messages go. A backend is a transport, and a class
 * that makes it and extends this one.
 */
export class TransportBus implements Bus {
  readonly #transport: BusTransport;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #drainMs: number;
  readonly #streams = new Set<BusStream>();
  readonly #servers = new Set<BusServer>();
  readonly #calls = new Set<Call>();
  #closing: Promise<void> | undefined;
  #checkedSubject = "";
  #published = 0;
  #requested = 0;
  /** Counts of streams and servers that have ended. */
  #received = 0;
  #dropped = 0;
  #served = 0;

  /**
   * Makes a bus.
   *
   * @param transport Where messages go.
   * @param options Logging, and how long closing may take.
   * @throws {RangeError} When an option is out of its range.
   */
  constructor(transport: BusTransport, options: BusOptions = {}) {
    const { logger = consoleLogger(), clock = systemClock, drainMs = DEFAULT_DRAIN_MS } = options;
    if (!(drainMs >= 0 && drainMs <= MAX_TIMER_MS)) {
      throw new RangeError(`drainMs is ${drainMs}: give 0 to ${MAX_TIMER_MS} milliseconds`);
    }
    this.#transport = transport;
    this.#logger = guardedLogger(logger);
    this.#clock = new CoarseClock(clock);
    this.#drainMs = drainMs;
  }

  /** See {@linkcode Bus.publish}. */
  publish(
    subject: string,
    data: Uint8Array | string,
    options?: BusPublishOptions,
  ): Promise<void> {
    const signal = options?.signal;
    try {
      this.#check("publish", subject, signal);
      const frame = this.#frame(subject, data, options?.headers);
      this.#published++;
      const sent = this.#transport.publish(subject, frame, signal);
      return signal === undefined ? sent : orAborted(sent, signal);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** See {@linkcode Bus.stream}. */
  async stream(subject: string, options: BusStreamOptions = {}): Promise<BusSubscription> {
    this.#check("stream", subject, options.signal);
    const stream = new BusStream(subject, {
      logger: this.#logger,
      clock: this.#clock,
      ended: (ended) => {
        if (!this.#streams.delete(ended)) return;
        this.#received += ended.received;
        this.#dropped += ended.dropped;
      },
    });
    this.#streams.add(stream);
    await this.#attach(
      stream,
      this.#transport.subscribe(subject, stream.deliver, stream.fail),
      options.signal,
      () => stream.abort(),
    );
    return stream;
  }

  /** See {@linkcode Bus.request}. */
  request(
    subject: string,
    data: Uint8Array | string,
    options: BusRequestOptions = {},
  ): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const timeoutMs = timeoutOf(options);
      const call = this.#call(subject, data, options, timeoutMs, {
        reply(frame, call) {
          call.end();
          if (frame.kind === "error") reject(new RemoteError(subject, frame.message));
          else if (frame.kind !== "end") resolve(frame.data);
          else reject(new RemoteError(subject, "the server ended without an answer"));
        },
        failed: reject,
        timedOut: () => reject(new RequestTimeoutError(subject, timeoutMs)),
      });
      call.start();
    });
  }

  /** See {@linkcode Bus.requestMany}. */
  async *requestMany(
    subject: string,
    data: Uint8Array | string,
    options: BusRequestOptions = {},
  ): AsyncGenerator<Uint8Array, undefined, void> {
    const timeoutMs = timeoutOf(options);
    const replies = new BoundedQueue<Uint8Array>(REPLY_BUFFER, REPLIES_FEW);
    let hasReplies = false;
    const call = this.#call(subject, data, options, timeoutMs, {
      reply(frame, call) {
        if (frame.kind === "data" || frame.kind === "last") {
          if (replies.isFull) return call.fail(new ReplyOverflowError(subject, replies.size));
          hasReplies = true;
          replies.push(frame.data);
          if (frame.kind === "data") {
            return replies.size >= REPLIES_ENOUGH ? replies.untilRoom() : undefined;
          }
        }
        call.end();
        replies.end(frame.kind === "error" ? new RemoteError(subject, frame.message) : undefined);
      },
      failed: (error) => {
        if (options.signal?.aborted || error instanceof BusClosedError) replies.clear();
        replies.end(error);
      },
      timedOut: () =>
        replies.end(hasReplies ? undefined : new RequestTimeoutError(subject, timeoutMs)),
    });
    try {
      call.start();
      for (;;) {
        const { done, value } = await replies.next();
        if (done) return;
        yield value;
      }
    } finally {
      call.end();
      replies.end();
      replies.clear();
    }
  }

  /** See {@linkcode Bus.serve}. */
  async serve(
    subject: string,
    handler: BusHandler,
    options: BusServeOptions = {},
  ): Promise<BusSubscription> {
    const { concurrency = DEFAULT_CONCURRENCY, signal } = options;
    this.#check("serve", subject, signal);
    if (typeof handler !== "function") {
      throw new TypeError(`Cannot serve ${quote(subject)}: its handler is not a function`);
    }
    if (!(Number.isInteger(concurrency) && concurrency >= 1 && concurrency <= MAX_CONCURRENCY)) {
      throw new RangeError(`concurrency is ${concurrency}: give 1 to ${MAX_CONCURRENCY}`);
    }
    const server = new BusServer(subject, handler, concurrency, {
      logger: this.#logger,
      clock: this.#clock,
      maxPayloadBytes: this.#transport.maxPayloadBytes,
      drainMs: this.#drainMs,
      ended: (ended) => {
        if (this.#servers.delete(ended)) this.#served += ended.received;
      },
    });
    this.#servers.add(server);
    await this.#attach(
      server,
      this.#transport.serve(subject, server.take, server.fail, concurrency),
      signal,
      () => this.#closeQuietly(server),
    );
    return server;
  }

  /** See {@linkcode Bus.stats}. */
  stats(): BusStats {
    const streams = [...this.#streams];
    const servers = [...this.#servers];
    return {
      transport: this.#transport.name,
      maxPayloadBytes: this.#transport.maxPayloadBytes,
      published: this.#published,
      received: sum(streams, ({ received }) => received) + this.#received,
      dropped: sum(streams, ({ dropped }) => dropped) + this.#dropped,
      requested: this.#requested,
      served: sum(servers, ({ received }) => received) + this.#served,
      streams: streams.length,
      servers: servers.length,
      pendingRequests: this.#calls.size,
      runningHandlers: sum(servers, ({ running }) => running),
      abandonedHandlers: sum(servers, ({ abandoned }) => abandoned),
      closed: this.#closing !== undefined,
    };
  }

  /** See {@linkcode Bus.close}. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Closes; see {@linkcode Bus.close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    await Promise.all([...this.#servers].map((server) => this.#closeQuietly(server)));
    await Promise.all([...this.#streams].map((stream) => this.#closeQuietly(stream)));
    for (const call of [...this.#calls]) call.fail(new BusClosedError("wait for an answer"));
    await this.#transport.close();
  }

  async #closeQuietly(subscription: BusSubscription): Promise<void> {
    try {
      await subscription.close();
    } catch (error) {
      this.#logger.warn("a subscription could not be closed", {
        subject: subscription.subject,
        error: messageOf(error),
      });
    }
  }

  /** Waits for the transport, and ties a subscription to its signal. */
  async #attach(
    subscription: BusStream | BusServer,
    attaching: Promise<TransportSubscription>,
    signal: AbortSignal | undefined,
    abort: () => void,
  ): Promise<void> {
    try {
      subscription.attach(await attaching);
      if (this.#closing !== undefined) throw new BusClosedError("subscribe");
      signal?.throwIfAborted();
    } catch (error) {
      await this.#closeQuietly(subscription);
      throw error;
    }
    if (signal === undefined) return;
    signal.addEventListener("abort", abort, { once: true });
    const detach = () => signal.removeEventListener("abort", abort);
    subscription.closed.then(detach, detach);
  }

  #call(
    subject: string,
    data: Uint8Array | string,
    options: BusRequestOptions,
    timeoutMs: number,
    caller: Caller,
  ): Call {
    this.#check("request", subject, options.signal);
    const call = new Call({
      transport: this.#transport,
      clock: this.#clock,
      subject,
      frame: this.#frame(subject, data, options.headers),
      timeoutMs,
      signal: options.signal,
      over: (over) => void this.#calls.delete(over),
    }, caller);
    this.#requested++;
    this.#calls.add(call);
    return call;
  }

  #check(what: string, subject: string, signal: AbortSignal | undefined): void {
    if (this.#closing !== undefined) throw new BusClosedError(what);
    if (subject !== this.#checkedSubject) {
      validateSubject(subject);
      this.#checkedSubject = subject;
    }
    signal?.throwIfAborted();
  }

  #frame(subject: string, data: Uint8Array | string, headers: BusHeaders | undefined): Frame {
    const bytes = typeof data === "string" ? encoder.encode(data) : data;
    if (!(bytes instanceof Uint8Array)) {
      throw new TypeError(`Cannot send on ${quote(subject)}: the data is neither bytes nor text`);
    }
    const { maxPayloadBytes } = this.#transport;
    if (bytes.length > maxPayloadBytes) {
      throw new PayloadTooLargeError(subject, bytes.length, maxPayloadBytes);
    }
    return { data: bytes, headers: outgoingHeaders(headers) };
  }
}

function timeoutOf({ timeoutMs = DEFAULT_TIMEOUT_MS }: BusRequestOptions): number {
  if (timeoutMs > 0 && timeoutMs <= MAX_TIMER_MS) return timeoutMs;
  throw new RangeError(
    `timeoutMs is ${timeoutMs}: give more than 0, at most ${MAX_TIMER_MS} milliseconds`,
  );
}

/** What a promise settles with, or the signal's reason when that is aborted first. */
function orAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
