// @ts-types="@types/ws"
import type { WebSocket } from "ws";
import { type Clock, messageOf, type Timer } from "../base/mod.ts";
import { CloseCode } from "./close_codes.ts";
import { Inbox } from "./inbox.ts";
import type { Frame, Link, LinkEnd, LinkListener, LinkPeer } from "./link.ts";

/** Bytes not yet taken by the network from which on a sender has to wait. */
const HIGH_WATER_BYTES = 1024 * 1024;
const LOW_WATER_BYTES = 256 * 1024;
const PING_INTERVAL_MS = 20_000;
/** A peer that was silent for so many pings in a row is taken for dead. */
const MISSED_MAX = 2;
const CLOSE_TIMEOUT_MS = 2_000;
const REASON_BYTES_MAX = 123;

const decoder = new TextDecoder();

/** Options of a {@linkcode WebSocketLink}. */
export interface WebSocketLinkOptions {
  readonly peer: LinkPeer;
  readonly clock: Clock;
  /** Bytes that the connection below has received so far. */
  readonly bytesRead: () => number;
}

/** A link over an open WebSocket. */
export class WebSocketLink implements Link {
  readonly peer: LinkPeer;
  readonly closed: Promise<LinkEnd>;
  readonly #socket: WebSocket;
  readonly #options: WebSocketLinkOptions;
  readonly #inbox = new Inbox();
  readonly #flushed: () => void;
  #isFull = false;
  #isClosed = false;
  #end: LinkEnd | undefined;
  #problem: LinkEnd | undefined;
  #missed = 0;
  #hasPinged = false;
  #bytesRead = 0;
  #pingTimer: Timer;
  #closeTimer: Timer | undefined;

  /**
   * @param socket An open WebSocket of which nothing was read yet.
   * @param options Who is at its other end.
   */
  constructor(socket: WebSocket, options: WebSocketLinkOptions) {
    this.peer = options.peer;
    this.#socket = socket;
    this.#options = options;
    this.#flushed = () => this.#afterFlush();
    socket.pause();
    socket.on("message", (data: Uint8Array, isBinary: boolean) => {
      this.#inbox.push(isBinary ? data : decoder.decode(data));
    });
    socket.on("error", (error: Error & { code?: string }) => {
      const code = error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH"
        ? CloseCode.tooBig
        : CloseCode.abnormal;
      this.#problem ??= { code, reason: messageOf(error) };
      this.#terminateLater();
    });
    this.closed = new Promise((resolve) => {
      socket.on("close", (code: number, reason: Uint8Array) => {
        this.#isClosed = true;
        this.#inbox.close();
        this.#pingTimer.cancel();
        this.#closeTimer?.cancel();
        const isBroken = code === CloseCode.abnormal;
        const broken = this.#problem ?? { code, reason: "the connection broke" };
        resolve(this.#end ?? (isBroken ? broken : { code, reason: decoder.decode(reason) }));
      });
    });
    this.#pingTimer = this.#pingLater();
  }

  get paused(): boolean {
    return this.#inbox.paused;
  }

  listen(listener: LinkListener): void {
    this.#inbox.listen(listener);
    if (!this.#inbox.paused) this.#socket.resume();
  }

  send(frame: Frame): boolean {
    if (this.#end !== undefined || this.#isClosed) return true;
    this.#socket.send(frame, this.#flushed);
    if (this.#socket.bufferedAmount >= HIGH_WATER_BYTES) this.#isFull = true;
    return !this.#isFull;
  }

  pause(): void {
    this.#inbox.pause();
    if (this.#end === undefined) this.#socket.pause();
  }

  resume(): void {
    this.#inbox.resume();
    if (!this.#inbox.holds) this.#socket.resume();
  }

  close(code: number, reason: string): void {
    if (this.#end !== undefined || this.#isClosed) return;
    this.#end = { code, reason };
    this.#inbox.close();
    this.#pingTimer.cancel();
    this.#socket.close(code, cutToBytes(reason, REASON_BYTES_MAX));
    // The peer's answer has to be read, or the socket would wait for it in vain.
    this.#socket.resume();
    this.#terminateLater();
  }

  /** A peer that does not end the connection in turn is not waited for. */
  #terminateLater(): void {
    if (this.#isClosed) return;
    const { clock } = this.#options;
    this.#closeTimer ??= clock.after(CLOSE_TIMEOUT_MS, () => this.#socket.terminate());
  }

  #afterFlush(): void {
    if (!this.#isFull || this.#isClosed || this.#socket.bufferedAmount > LOW_WATER_BYTES) return;
    this.#isFull = false;
    this.#inbox.listener?.writable();
  }

  #pingLater(): Timer {
    const { clock } = this.#options;
    return clock.after(PING_INTERVAL_MS, () => {
      this.#pingTimer = this.#pingLater();
      this.#ping();
    }, { unref: true });
  }

  #ping(): void {
    const bytesRead = this.#options.bytesRead();
    const isSilent = bytesRead === this.#bytesRead;
    this.#bytesRead = bytesRead;
    // Nothing can be heard while incoming data is held back here, and no answer can come to a ping
    // that waits behind data which the network has not taken yet.
    const isMissing = isSilent && this.#hasPinged && !this.#inbox.holds &&
      this.#socket.bufferedAmount === 0;
    this.#missed = isMissing ? this.#missed + 1 : 0;
    if (this.#missed === MISSED_MAX) {
      this.#problem ??= { code: CloseCode.abnormal, reason: "the peer does not answer" };
      this.#socket.terminate();
      return;
    }
    this.#hasPinged = this.#socket.bufferedAmount === 0;
    if (this.#hasPinged) this.#socket.ping();
  }
}

/** The beginning of a text that fits into so many bytes of UTF-8. */
function cutToBytes(text: string, bytesMax: number): string {
  const bytes = new Uint8Array(bytesMax);
  const { read } = new TextEncoder().encodeInto(text, bytes);
  return text.slice(0, read);
}
