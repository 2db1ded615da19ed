import type { Clock, Timer } from "../base/mod.ts";
import type { SocketPeer } from "../sockets/mod.ts";
import { CloseCode } from "./close_codes.ts";
import { cutReason, type MessageSocket, type MessageSocketListener } from "./message_socket.ts";

/** How often in milliseconds to look at what the network has taken: the runtime does not tell. */
const LOOK_MS = 5;
const SENDABLE_CODE_MIN = 3000;

/** A WebSocket of the runtime, such as `Deno.upgradeWebSocket` gives. */
export class NativeSocket implements MessageSocket {
  readonly peer: SocketPeer;
  readonly #websocket: WebSocket;
  readonly #clock: Clock;
  /** Total of bytes sent after each message that is pending. */
  #ends: number[] = [];
  #head = 0;
  #sentBytes = 0;
  #looking: Timer | undefined;
  #listener: MessageSocketListener | undefined;
  #isClosed = false;

  /**
   * @param websocket An open WebSocket of which nothing was read yet, with `arraybuffer` messages.
   * @param peer Who is at its other end.
   * @param clock What says when to look again.
   */
  constructor(websocket: WebSocket, peer: SocketPeer, clock: Clock) {
    this.#websocket = websocket;
    this.peer = peer;
    this.#clock = clock;
  }

  /** Messages that the network has not taken yet. */
  get pending(): number {
    return this.#ends.length - this.#head;
  }

  /** Begins to tell. */
  listen(listener: MessageSocketListener): void {
    const websocket = this.#websocket;
    this.#listener = listener;
    websocket.onmessage = ({ data }) => {
      if (data instanceof ArrayBuffer) listener.message(new Uint8Array(data));
      else listener.text();
    };
    websocket.onclose = ({ code, reason }) => this.#closed(code, reason);
    websocket.onerror = () => {};
  }

  /** Sends a message. */
  send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#websocket.readyState !== WebSocket.OPEN) return;
    this.#websocket.send(bytes);
    this.#sentBytes += bytes.length;
    this.#ends.push(this.#sentBytes);
    this.#looking ??= this.#lookLater();
  }

  /** It cannot be paused. */
  pause(): boolean {
    return false;
  }

  /** Nothing to do. */
  resume(): void {}

  /** Begins to end the connection. */
  close(code: number, reason: string): void {
    // The runtime lets a program send no other codes.
    const isSendable = code === CloseCode.normal || code >= SENDABLE_CODE_MIN;
    const shown = isSendable ? code : SENDABLE_CODE_MIN + code;
    this.#websocket.close(shown, cutReason(reason));
  }

  /** The runtime cannot cut a connection: it begins to end it, and is not listened to any more. */
  terminate(): void {
    if (this.#websocket.readyState === WebSocket.OPEN) this.#websocket.close();
    this.#closed(CloseCode.abnormal, "");
  }

  #closed(code: number, reason: string): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#looking?.cancel();
    this.#ends = [];
    this.#head = 0;
    this.#websocket.onmessage = null;
    this.#listener?.closed(code, reason);
  }

  #lookLater(): Timer {
    return this.#clock.after(LOOK_MS, () => {
      this.#looking = undefined;
      if (this.#isClosed) return;
      const taken = this.#sentBytes - this.#websocket.bufferedAmount;
      const before = this.#head;
      while (this.#head < this.#ends.length && this.#ends[this.#head]! <= taken) this.#head++;
      const isProgress = this.#head > before;
      this.#ends = this.#ends.slice(this.#head);
      this.#head = 0;
      if (this.pending > 0) this.#looking = this.#lookLater();
      if (isProgress) this.#listener?.flushed();
    });
  }
}
