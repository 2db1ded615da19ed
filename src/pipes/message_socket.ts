import type { SocketPeer } from "../sockets/mod.ts";

/** What a socket tells. Its methods do not throw. */
export interface MessageSocketListener {
  /** A binary message came in. Its bytes belong to the listener. */
  message(bytes: Uint8Array): void;
  /** A text message came in. */
  text(): void;
  /** What came in is no message; the socket is closing with this code. */
  broken(code: number, reason: string): void;
  /** The network has taken messages: fewer are pending. */
  flushed(): void;
  /** Nothing comes in or goes out any more; the last call. */
  closed(code: number, reason: string): void;
}

/** A WebSocket below a connection: that of `ws`, or the runtime's own. */
export interface MessageSocket {
  /** Who is at the other end. */
  readonly peer: SocketPeer;
  /** Messages that were sent and that the network has not taken yet. */
  readonly pending: number;
  /** Begins to tell. Called once. */
  listen(listener: MessageSocketListener): void;
  /** Sends a binary message, whose bytes are not changed from now on. */
  send(bytes: Uint8Array<ArrayBuffer>): void;
  /** Holds incoming messages back from now on, apart from those that are on their way. @returns Whether it can. */
  pause(): boolean;
  /** Lets them come again. */
  resume(): void;
  /** Begins to end the connection; what was sent before still goes out. */
  close(code: number, reason: string): void;
  /** Cuts the connection. */
  terminate(): void;
}

const REASON_BYTES_MAX = 123;

/** The beginning of a text that fits into a close frame. */
export function cutReason(reason: string): string {
  const bytes = new Uint8Array(REASON_BYTES_MAX);
  const { read } = new TextEncoder().encodeInto(reason, bytes);
  return reason.slice(0, read);
}
