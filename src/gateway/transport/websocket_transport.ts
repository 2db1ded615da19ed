import type { Buffer } from "node:buffer";
import type { Socket } from "node:net";
// @ts-types="@types/ws"
import { WebSocket } from "ws";
import type { Clock, Timer } from "../../base/mod.ts";
import type { ClientTransport, Disconnect, Frame, Session } from "../session/mod.ts";
import { closeReason } from "./close_reason.ts";
import { websocketFrame } from "./websocket_frame.ts";

/** Bytes not yet taken by the network from which on the session has to wait. */
const HIGH_WATER_BYTES = 262_144;
/** Bytes not yet taken from which on pings are not answered. */
const PONG_BYTES_MAX = 65_536;
/** Longest wait in milliseconds for the peer's answer to a close frame. */
const ECHO_TIMEOUT_MS = 1_000;
/** Longest wait in milliseconds for a close frame to leave. */
const FLUSH_TIMEOUT_MS = 10_000;

/**
 * One client on a WebSocket. The library reads, answers and closes; messages are framed here, once for
 * all of their receivers, and go straight to the socket.
 */
export class WebSocketTransport implements ClientTransport {
  readonly kind = "websocket";
  readonly remoteAddress: string;
  readonly #socket: WebSocket;
  readonly #clock: Clock;
  readonly #connection: Socket;
  readonly #isText: boolean;
  #session: Session | undefined;
  #room: PromiseWithResolvers<void> | undefined;
  #timer: Timer | undefined;

  /**
   * @param socket An open WebSocket of which nothing was read yet.
   * @param connection What it runs over.
   * @param remoteAddress Address of the peer, without its port.
   * @param isText Whether frames are text.
   * @param clock What measures timeouts.
   */
  constructor(
    socket: WebSocket,
    connection: Socket,
    remoteAddress: string,
    isText: boolean,
    clock: Clock,
  ) {
    this.#socket = socket;
    this.#connection = connection;
    this.remoteAddress = remoteAddress;
    this.#isText = isText;
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
    frame.framed ??= websocketFrame(frame.bytes, this.#isText);
    this.#connection.write(frame.framed);
    if (this.#connection.writableLength < HIGH_WATER_BYTES) return;
    if (this.#room === undefined) {
      this.#room = Promise.withResolvers();
      this.#connection.once("drain", () => this.#makeRoom());
    }
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
    if (readyState === WebSocket.OPEN && bufferedAmount < PONG_BYTES_MAX) this.#socket.pong(data);
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

  #makeRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}
