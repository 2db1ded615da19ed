import { createServer } from "node:http";
import { type WebSocket, WebSocketServer } from "ws";

type Json = Record<string, unknown>;

/** A frame of a client, as JSON. */
// deno-lint-ignore no-explicit-any -- tests look into it
export type SentFrame = any;

/** One connection of a client to a {@linkcode ScriptedGateway}. */
export class Peer {
  readonly #socket: WebSocket;
  readonly #frames: SentFrame[] = [];
  readonly #waiting: ((frame: SentFrame) => void)[] = [];
  /** Settles with the code that the client closed with. */
  readonly closed: Promise<number>;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.on("close", resolve));
    socket.on("message", (data: Uint8Array) => {
      const frame = JSON.parse(data.toString());
      const waiting = this.#waiting.shift();
      if (waiting) waiting(frame);
      else this.#frames.push(frame);
    });
  }

  /** The next frame of the client; it has to be of that kind. */
  async next(kind: string): Promise<SentFrame> {
    const frame = this.#frames.shift() ??
      await new Promise<SentFrame>((resolve) => this.#waiting.push(resolve));
    if (!(kind in frame)) throw new Error(`expected ${kind}: ${JSON.stringify(frame)}`);
    return frame;
  }

  /** Frames that have arrived and were not asked for. */
  get unread(): number {
    return this.#frames.length;
  }

  send(frame: Json | string): void {
    this.#socket.send(typeof frame === "string" ? frame : JSON.stringify(frame));
  }

  /** Takes the greeting and answers it. */
  async welcome(sessionId = "s1"): Promise<SentFrame> {
    const connect = await this.next("connect");
    const { id, metadata } = connect;
    this.send({ id, metadata, time: "1", connected: { session_id: sessionId } });
    return connect;
  }

  /** Takes a subscription and agrees, with this metadata. */
  async agree(metadata: Record<string, string> = {}): Promise<SentFrame> {
    const frame = await this.next("subscribe");
    const { subscriptions } = frame.subscribe;
    this.send({
      id: frame.id,
      metadata: { ...frame.metadata, ...metadata },
      time: "1",
      subscribe_ack: { subscriptions },
    });
    return frame;
  }

  /** Delivers JSON on a channel. */
  deliver(channel: string, offset: number, data: unknown, attributes: Json = {}): void {
    const payload = {
      id: `e${offset}`,
      source: channel,
      spec_version: "1.0",
      type: "test.Number",
      attributes: { datacontenttype: { ce_string: "application/json" }, ...attributes },
      binary_data: btoa(JSON.stringify(data)),
    };
    const message = { id: `m${offset}`, channel, offset: String(offset), payload };
    this.send({ id: crypto.randomUUID(), time: "1", publication: { messages: [message] } });
  }

  /** Ends it with a code, or without one. */
  close(code?: number, reason = ""): void {
    if (code === undefined) this.#socket.terminate();
    else this.#socket.close(code, reason);
  }
}

/** A gateway whose every word is written in the test; over real sockets. */
export class ScriptedGateway implements AsyncDisposable {
  readonly #server = createServer((_request, response) => {
    response.statusCode = 404;
    response.end();
  });
  readonly #sockets = new WebSocketServer({ server: this.#server, path: "/ws" });
  readonly #peers: Peer[] = [];
  readonly #waiting: ((peer: Peer) => void)[] = [];
  #url = "";

  static async start(): Promise<ScriptedGateway> {
    const gateway = new ScriptedGateway();
    gateway.#sockets.on("connection", (socket) => {
      const peer = new Peer(socket);
      const waiting = gateway.#waiting.shift();
      if (waiting) waiting(peer);
      else gateway.#peers.push(peer);
    });
    await new Promise<void>((resolve) => gateway.#server.listen(0, "127.0.0.1", resolve));
    const { port } = gateway.#server.address() as { port: number };
    gateway.#url = `ws://127.0.0.1:${port}/ws`;
    return gateway;
  }

  get url(): string {
    return this.#url;
  }

  /** The next connection. */
  next(): Promise<Peer> {
    const peer = this.#peers.shift();
    return peer ? Promise.resolve(peer) : new Promise((resolve) => this.#waiting.push(resolve));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#sockets.close();
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
