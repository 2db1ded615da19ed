/** Texts that travel with a message. Names are lower case; a bus adds `correlation-id` and `service-name`. */
export type BusHeaders = Readonly<Record<string, string>>;

/** A message as a stream hands it over. */
export interface BusMessage {
  /** The subject that it was published to. */
  readonly subject: string;
  /**
   * The payload; the reader's own, free to be changed. Its array buffer may hold other messages as well:
   * transfer a copy.
   */
  readonly data: Uint8Array;
  /** What travelled with it. */
  readonly headers: BusHeaders;
}

/** Options of {@linkcode Bus.publish}. */
export interface BusPublishOptions {
  /** Gives up waiting; the message may be published all the same. */
  readonly signal?: AbortSignal;
  /**
   * Texts to send along: at most 32, names of 1 to 64 characters of `[a-z0-9-]`, values of at most 1,024
   * characters. `correlation-id` and `service-name` override what is current (`withCorrelationId`,
   * `withServiceName`).
   */
  readonly headers?: BusHeaders;
}

/** Options of {@linkcode Bus.request} and {@linkcode Bus.requestMany}. */
export interface BusRequestOptions extends BusPublishOptions {
  /** Milliseconds to wait for the answer, above 0, at most 2,147,483,647. @default {10_000} */
  readonly timeoutMs?: number;
}

/** Options of {@linkcode Bus.stream}. */
export interface BusStreamOptions {
  /** Ends the subscription at once. */
  readonly signal?: AbortSignal;
}

/** Options of {@linkcode Bus.serve}. */
export interface BusServeOptions {
  /** Ends the subscription: no new requests; those that are being handled finish. */
  readonly signal?: AbortSignal;
  /** Requests that are handled at the same time, 1 to 65,536; more wait. @default {64} */
  readonly concurrency?: number;
}

/** What follows a subject, or serves it. An iteration that is left ends it. */
export interface BusSubscription extends AsyncIterable<Uint8Array>, AsyncDisposable {
  /** The subject. */
  readonly subject: string;
  /** Messages that were lost because this reader was too slow. */
  readonly dropped: number;
  /**
   * The messages with their headers. Each message goes to one iteration, this one or the other; that of
   * a server is empty.
   */
  messages(): AsyncIterable<BusMessage>;
  /**
   * Settles when it has ended; rejects with the error that ended it. Nothing happens when nobody looks.
   */
  readonly closed: Promise<void>;
  /**
   * Ends it. A stream's messages that have arrived can still be read; a server's handlers that run
   * finish (see the bus's `drainMs`). Called again, it returns the same promise.
   */
  close(): Promise<void>;
}

/** One answer: bytes, or text that is sent as UTF-8. */
export type BusReply = Uint8Array | string;

/** What a handler answers: one reply, or reply by reply. */
export type BusAnswer = BusReply | AsyncIterable<BusReply>;

/** What a handler is told beside the payload. */
export interface BusContext {
  /** Aborted when nobody waits for the answer any more, or the bus closes and cannot wait longer. */
  readonly signal: AbortSignal;
  /** The subject of the request. */
  readonly subject: string;
  /** What travelled with the request. */
  readonly headers: BusHeaders;
}

/**
 * Answers a request. What it throws reaches the caller as a `RemoteError`. An async iterable answers reply
 * by reply; the correlation id and the service name of the request are the current ones inside.
 */
export type BusHandler = (
  data: Uint8Array,
  context: BusContext,
) => BusAnswer | Promise<BusAnswer>;

/** What a bus has done so far and does now. */
export interface BusStats {
  /** Name of the transport: `memory`, `sqlite`, `nats`, `redis`, `messenger`. */
  readonly transport: string;
  /** Largest payload in bytes. */
  readonly maxPayloadBytes: number;
  /** Messages that were published. */
  readonly published: number;
  /** Messages that streams were handed. */
  readonly received: number;
  /** Messages that slow readers lost. */
  readonly dropped: number;
  /** Requests that were made. */
  readonly requested: number;
  /** Requests that came to servers of this bus. */
  readonly served: number;
  /** Streams that are open. */
  readonly streams: number;
  /** Servers that are open. */
  readonly servers: number;
  /** Requests of this bus that wait for an answer. */
  readonly pendingRequests: number;
  /** Requests that handlers of this bus are at work on. */
  readonly runningHandlers: number;
  /** Handlers that still run although their request is over: they do not heed their signal. */
  readonly abandonedHandlers: number;
  /** Whether the bus is closed or closing. */
  readonly closed: boolean;
}

/**
 * Publishes, streams, requests and serves over some transport. Guarantees and differences of the
 * transports are in `docs/bus.md`.
 *
 * Every method rejects with `InvalidSubjectError` for a subject that is not 1 to 255 characters of
 * `[a-zA-Z0-9._-]`, with `BusClosedError` after `close`, with the reason of its signal when that is
 * aborted, and with `PayloadTooLargeError` for a payload that the transport does not take.
 */
export interface Bus extends AsyncDisposable {
  /**
   * Publishes a message to every stream of the subject. Never waits for a reader; succeeds where nobody
   * listens. Once it settles the bytes may be used again.
   */
  publish(subject: string, data: Uint8Array | string, options?: BusPublishOptions): Promise<void>;
  /**
   * Follows a subject: every message that is published after this settles, in each publisher's order.
   */
  stream(subject: string, options?: BusStreamOptions): Promise<BusSubscription>;
  /**
   * Asks whoever serves the subject and returns the answer, the first one when there are several.
   *
   * @throws {NoResponderError} When nobody serves it, on transports that know.
   * @throws {RequestTimeoutError} When no answer comes in time.
   * @throws {RemoteError} When the handler threw.
   */
  request(
    subject: string,
    data: Uint8Array | string,
    options?: BusRequestOptions,
  ): Promise<Uint8Array>;
  /**
   * Asks and returns every reply, until the server ends them or the time is up. The request is made when
   * the iteration begins; leaving it aborts the handler's signal.
   *
   * @throws {RequestTimeoutError} When not one reply comes in time.
   * @throws {NoResponderError} When nobody serves the subject, on transports that know.
   * @throws {RemoteError} When the handler threw, after the replies before.
   * @throws {ReplyOverflowError} When more than 1,024 replies wait, on transports that cannot wait.
   */
  requestMany(
    subject: string,
    data: Uint8Array | string,
    options?: BusRequestOptions,
  ): AsyncIterable<Uint8Array>;
  /**
   * Answers requests. Servers of one subject share its requests, also those of other processes.
   *
   * @throws {RangeError} When an option is out of its range.
   */
  serve(subject: string, handler: BusHandler, options?: BusServeOptions): Promise<BusSubscription>;
  /** Counts and sizes. */
  stats(): BusStats;
  /**
   * Closes. New calls are refused at once, handlers that run may finish, for a bounded time; then streams,
   * pending requests and the transport end. Called again, it returns the same promise.
   */
  close(): Promise<void>;
}
