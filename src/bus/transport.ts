import type { BusHeaders } from "./bus.ts";

/** What travels: a payload and its headers. */
export interface Frame {
  /** The payload. */
  readonly data: Uint8Array;
  /** What travels with it. */
  readonly headers: BusHeaders;
}

/** What a server answers. */
export type ReplyFrame =
  /** One of several; more follow. */
  | { readonly kind: "data"; readonly data: Uint8Array }
  /** The only one or the last one. */
  | { readonly kind: "last"; readonly data: Uint8Array }
  /** No more, without data. */
  | { readonly kind: "end" }
  /** The handler threw. */
  | { readonly kind: "error"; readonly message: string };

/** A request as a server gets it. */
export interface IncomingRequest extends Frame {
  /** Sends a reply to whoever asked. Settles when it is on its way and there is room for another. */
  reply(frame: ReplyFrame): Promise<void>;
  /** Aborted when the caller gave up, as far as the transport can tell. */
  readonly cancelled: AbortSignal;
  /** Wall-clock milliseconds after which nobody waits. */
  readonly deadline: number;
}

/** A request as a caller sends it. */
export interface OutgoingRequest extends Frame {
  /** Wall-clock milliseconds after which nobody waits. */
  readonly deadline: number;
}

/** A request that was sent. */
export interface SentRequest {
  /** Forgets it, and lets the server know where that can be done. Called once, also after the last reply. */
  cancel(): void;
}

/** A subscription of a transport. */
export interface TransportSubscription {
  /** Messages that the transport lost on the way to this reader, without those it was refused. */
  readonly dropped: number;
  /**
   * Ends it. `deliver` and `take` may still be called until this settles, not afterwards. A server takes
   * no new requests from the call on; replies to those that it took can still be sent.
   */
  close(): Promise<void>;
}

/**
 * What a backend has to do. Names, sizes, time limits, signals, errors and draining are `TransportBus`'s
 * affair: a transport gets valid subjects and payloads, and one `close` after everything else.
 */
export interface BusTransport {
  /** What `stats` shows. */
  readonly name: string;
  /** The largest payload that it takes, in bytes. */
  readonly maxPayloadBytes: number;
  /**
   * Publishes. Must not keep `frame.data` beyond its settling: the publisher may use the bytes again.
   *
   * @param signal Aborted when the publisher stops waiting; the bus answers it, the transport may too.
   */
  publish(subject: string, frame: Frame, signal?: AbortSignal): Promise<void>;
  /**
   * Settles when everything that is published from now on will arrive.
   *
   * @param deliver Takes a message. A promise says that the reader is full: a transport that can waits
   * for it, one that cannot goes on, and the message beyond is dropped and counted by the bus.
   * @param ended Called at most once when the transport ends the subscription on its own.
   */
  subscribe(
    subject: string,
    deliver: (frame: Frame) => void | Promise<void>,
    ended: (error?: Error) => void,
  ): Promise<TransportSubscription>;
  /**
   * Sends a request.
   *
   * @param onReply Takes a reply, in the server's order. A promise says that the caller is full: see
   * `deliver`.
   * @param failed Called at most once when no more replies can come, with `NoResponderError` where the
   * transport learns only later that nobody serves.
   * @throws {NoResponderError} Where the transport knows that nobody serves.
   */
  request(
    subject: string,
    request: OutgoingRequest,
    onReply: (frame: ReplyFrame) => void | Promise<void>,
    failed: (error: Error) => void,
  ): Promise<SentRequest>;
  /**
   * Takes a share of the subject's requests. Settles when requests made from now on will arrive.
   *
   * @param take Takes a request. A promise says that there is no room for another one: a transport that
   * chooses when to fetch waits for it; what another one sends meanwhile is queued, up to 1,024 requests.
   * @param ended See `subscribe`.
   * @param concurrency How many requests the server handles at the same time: those for which it has
   * room are taken at once, and the rest left to others, where the transport can choose.
   */
  serve(
    subject: string,
    take: (request: IncomingRequest) => void | Promise<void>,
    ended: (error?: Error) => void,
    concurrency: number,
  ): Promise<TransportSubscription>;
  /** Ends everything. Called once. */
  close(): Promise<void>;
}
