// @ts-types="@types/ws"
import type { WebSocket } from "ws";
import process from "node:process";
import type { Socket } from "node:net";
import { messageOf } from "../base/mod.ts";
import type { AcceptedSocket, DialledSocket, SocketPeer } from "../sockets/mod.ts";
import { CloseCode } from "./close_codes.ts";
import { cutReason, type MessageSocket, type MessageSocketListener } from "./message_socket.ts";

const SEND_OPTIONS = { binary: true };
/** Bytes that are held back for one system call. */
const CORKED_BYTES_MAX = 64 * 1024;
const decoder = new TextDecoder();

/** A socket of the `ws` library, accepted or dialled. */
export class WsSocket implements MessageSocket {
  readonly peer: SocketPeer;
  readonly #websocket: WebSocket;
  readonly #connection: Socket;
  readonly #sent: () => void;
  readonly #endTurn: () => void;
  #listener: MessageSocketListener | undefined;
  #pending = 0;
  /** Whether another message was sent in this turn of the event loop. */
  #isTurnKnown = false;
  #isCorked = false;
  #corkedBytes = 0;

  /** @param socket An open WebSocket that is paused. */
  constructor(socket: AcceptedSocket | DialledSocket) {
    const { websocket, connection, peer } = socket;
    this.peer = peer;
    this.#websocket = websocket;
    this.#connection = connection;
    this.#sent = () => {
      this.#pending--;
      this.#listener?.flushed();
    };
    this.#endTurn = () => {
      this.#isTurnKnown = false;
      if (!this.#isCorked) return;
      this.#isCorked = false;
      connection.uncork();
    };
    websocket.binaryType = "nodebuffer";
    // Without anybody who listens, an error would end the process.
    websocket.on("error", () => {});
  }

  /** Messages that the network has not taken yet. */
  get pending(): number {
    return this.#pending;
  }

  /** Begins to tell. */
  listen(listener: MessageSocketListener): void {
    const websocket = this.#websocket;
    this.#listener = listener;
    websocket.on("message", (data: Uint8Array, isBinary: boolean) => {
      if (isBinary) listener.message(data);
      else listener.text();
    });
    websocket.on("error", (error: Error & { code?: string }) => {
      if (error.code === "WS_ERR_UNSUPPORTED_MESSAGE_LENGTH") {
        listener.broken(CloseCode.tooBig, "a message is too big");
      } else {
        listener.broken(CloseCode.badProtocol, messageOf(error));
      }
    });
    websocket.on("close", (code: number, reason: Uint8Array) => {
      listener.closed(code, decoder.decode(reason));
    });
    websocket.resume();
  }

  /** Sends a message. */
  send(bytes: Uint8Array<ArrayBuffer>): void {
    if (this.#pending++ > 0) this.#gather();
    this.#websocket.send(bytes, SEND_OPTIONS, this.#sent);
    // More of it at a time saves nothing, and hides for how long the network takes it.
    if (this.#isCorked && (this.#corkedBytes += bytes.length) > CORKED_BYTES_MAX) {
      this.#corkedBytes = 0;
      this.#connection.uncork();
      this.#connection.cork();
    }
  }

  /**
   * While one is on its way, those that follow in the same turn go out with one system call. The first
   * of a turn does not wait for others: often there are none.
   */
  #gather(): void {
    if (!this.#isTurnKnown) {
      this.#isTurnKnown = true;
      process.nextTick(this.#endTurn);
    } else if (!this.#isCorked) {
      this.#isCorked = true;
      this.#corkedBytes = 0;
      this.#connection.cork();
    }
  }

  /** Holds incoming messages back. */
  pause(): boolean {
    this.#websocket.pause();
    return true;
  }

  /** Lets them come again. */
  resume(): void {
    this.#websocket.resume();
  }

  /** Begins to end the connection. */
  close(code: number, reason: string): void {
    this.#websocket.close(code, cutReason(reason));
    // The peer's answer has to be read, or the socket would wait for it in vain.
    this.#websocket.resume();
  }

  /** Cuts the connection. */
  terminate(): void {
    this.#websocket.terminate();
  }
}
