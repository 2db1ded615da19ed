import { Buffer } from "node:buffer";
// @ts-types="@types/ws"
import { WebSocket } from "ws";
import type { Clock, Timer } from "../../base/mod.ts";
import type { ClientTransport, Disconnect, Frame, Session } from "../session/mod.ts";
import { closeReason } from "./close_reason.ts";

/** Bytes not yet taken by the network from which on the session has to wait. */
const HIGH_WATER_BYTES = 262_144;
const LOW_WATER_BYTES = 65_536;
/** Longest wait in milliseconds for the peer's answer to a close frame. */
const ECHO_TIMEOUT_MS = 1_000;
/** Longest wait in milliseconds for a close frame to leave. */
const FLUSH_TIMEOUT_MS = 10_000;

const BINARY = { binary: true, fin: true, compress: false } as const;
const TEXT = { binary: false, fin: true, compress: false } as const;

/** One client on a WebSocket. */
export class WebSocketTransport implements ClientTransport {
  readonly kind = "websocket";
  readonly remoteAddress: string;
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  readonly #form: typeof BINARY | typeof TEXT;
  readonly #flushed = () => this.#afterFlush();
  #session: Session | undefined;
  #room: PromiseWithResolvers<void> | undefined;
  #timer: Timer | undefined;

  /**
   * @param socket An open WebSocket of which nothing was read yet.
   * @param remoteAddress Address of the peer, without its port.
   * @param isText Whether frames are text.
   * @param clock What measures timeouts.
   */
  constructor(socket: WebSocket, remoteAddress: string, isText: boolean, clock: Clock) {
    this.#socket = socket;
    this.remoteAddress = remoteAddress;
    this.#form = isText ? TEXT : BINARY;
    this.#clock = clock;
  }

  /** Hands what arrives to the session from now on. */
  serve(session: Session): void {
    this.#session = session;
    const socket = this.#socket;
    socket.on("message", (data: Buffer) => this.#receive(data));
    socket.on("ping", (data: Buffer) => this.#pong(data));
    // The library has answered with a close frame of the code that fits; a peer may ignore it.
    socket.on("error", () => this.#awaitEnd());
    socket.on("close", () => this.#closed());
  }

  send(frame: Frame): void | Promise<void> {
    const socket = this.#socket;
    if (socket.readyState !== WebSocket.OPEN) return;
    const { bytes } = frame;
    const framed = frame.framed ??= Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    socket.send(framed, this.#form, this.#flushed);
    if (socket.bufferedAmount < HIGH_WATER_BYTES) return;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  close(disconnect: Disconnect): void {
    this.#makeRoom();
    if (this.#socket.isPaused) this.#socket.resume();
    if (this.#socket.readyState !== WebSocket.OPEN) return this.#awaitEnd();
    this.#socket.close(disconnect.code, closeReason(disconnect.reason));
    this.#awaitEnd();
  }

  #receive(data: Buffer): void {
    const wait = this.#session!.receive(data);
    if (wait === undefined) return;
    this.#socket.pause();
    wait.then(() => this.#socket.resume());
  }

  /** A peer that takes nothing gets no answers to its pings piled up. */
  #pong(data: Buffer): void {
    const { readyState, bufferedAmount } = this.#socket;
    if (readyState === WebSocket.OPEN && bufferedAmount < LOW_WATER_BYTES) this.#socket.pong(data);
  }

  #closed(): void {
    this.#timer?.cancel();
    this.#makeRoom();
    this.#session!.transportClosed();
  }

  /** Cuts the connection when the peer does not end it. */
  #awaitEnd(): void {
    this.#timer?.cancel();
    const began = this.#clock.monotonic();
    const look = () => {
      const isFlushing = this.#socket.bufferedAmount > 0;
      if (isFlushing && this.#clock.monotonic() - began < FLUSH_TIMEOUT_MS) {
        this.#timer = this.#clock.after(ECHO_TIMEOUT_MS, look);
      } else this.#socket.terminate();
    };
    this.#timer = this.#clock.after(ECHO_TIMEOUT_MS, look);
  }

  #afterFlush(): void {
    if (this.#room !== undefined && this.#socket.bufferedAmount <= LOW_WATER_BYTES) {
      this.#makeRoom();
    }
  }

  #makeRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}
