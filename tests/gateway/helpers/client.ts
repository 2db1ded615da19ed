import { fromBinary, fromJson, type JsonObject, toBinary, toJson } from "@bufbuild/protobuf";
// @ts-types="@types/ws"
import { type ClientOptions, WebSocket } from "ws";
import { ANY_TYPES } from "../../../src/gateway/codec/mod.ts";
import { client } from "../../../src/gateway/proto/mod.ts";

/** A frame as protobuf JSON with the names of the schema, whatever codec it travelled in. */
// deno-lint-ignore no-explicit-any -- a test reads what it expects
export type Json = any;

/** How a connection ended. */
export interface End {
  readonly code: number;
  readonly reason: string;
}

/** Options of {@linkcode TestClient.open}. */
export interface TestClientOptions {
  /** What is offered. @default {["messageloop+json"]} */
  readonly subprotocols?: readonly string[];
  /** What frames are in. @default what the subprotocol says */
  readonly codec?: "json" | "proto";
  readonly ws?: ClientOptions;
}

const LIMIT_MS = 10_000;

/** A client that sends what a test tells it to, and keeps what it gets in order. */
export class TestClient implements AsyncDisposable {
  readonly socket: WebSocket;
  readonly codec: "json" | "proto";
  /** How it ended. */
  readonly ended: Promise<End>;
  /** Everything that came. */
  readonly frames: Json[] = [];
  /** Whether the frames that came were binary. */
  readonly binary: boolean[] = [];
  readonly #unread: Json[] = [];
  #wake = Promise.withResolvers<void>();
  #isOver = false;

  private constructor(socket: WebSocket, codec: "json" | "proto") {
    this.socket = socket;
    this.codec = codec;
    const ended = Promise.withResolvers<End>();
    this.ended = ended.promise;
    socket.on("message", (data: Uint8Array, isBinary: boolean) => {
      const frame = codec === "json" ? JSON.parse(new TextDecoder().decode(data)) : toJson(
        client.OutboundMessageSchema,
        fromBinary(client.OutboundMessageSchema, data),
        { useProtoFieldName: true, registry: ANY_TYPES },
      );
      this.frames.push(frame);
      this.binary.push(isBinary);
      this.#unread.push(frame);
      this.#wake.resolve();
    });
    socket.on("close", (code: number, reason: Uint8Array) => {
      this.#isOver = true;
      this.#wake.resolve();
      ended.resolve({ code, reason: new TextDecoder().decode(reason) });
    });
    socket.on("error", () => {});
  }

  /** Opens a WebSocket. Rejects when the upgrade is refused. */
  static async open(url: string, options: TestClientOptions = {}): Promise<TestClient> {
    const subprotocols = options.subprotocols ?? [`messageloop+${options.codec ?? "json"}`];
    const socket = new WebSocket(url, [...subprotocols], options.ws ?? {});
    const codec = options.codec ?? (subprotocols[0]?.endsWith("proto") ? "proto" : "json");
    const opened = new TestClient(socket, codec);
    await new Promise<void>((resolve, reject) => {
      socket.once("open", () => resolve());
      socket.once("error", reject);
    });
    return opened;
  }

  /** Opens one and connects it. */
  static async connected(
    url: string,
    connect: Json = {},
    options: TestClientOptions & { readonly metadata?: Json } = {},
  ): Promise<TestClient> {
    const opened = await TestClient.open(url, options);
    const { metadata } = options;
    opened.send({ id: "connect", connect, ...(metadata ? { metadata } : {}) });
    const answer = await opened.next();
    if (answer.connected === undefined) throw new Error(`not connected: ${JSON.stringify(answer)}`);
    return opened;
  }

  /** The id that the gateway gave it. */
  get sessionId(): string {
    return this.frames.find(({ connected }) => connected)?.connected.session_id;
  }

  /** Sends a frame. */
  send(frame: Json): void {
    if (this.codec === "json") return this.socket.send(JSON.stringify(frame));
    const message = fromJson(client.InboundMessageSchema, frame as JsonObject, {
      registry: ANY_TYPES,
    });
    this.socket.send(toBinary(client.InboundMessageSchema, message));
  }

  /** Sends whatever bytes or text. */
  sendRaw(data: string | Uint8Array): void {
    this.socket.send(data);
  }

  /** The next frame. Rejects when the connection is over instead. */
  async next(): Promise<Json> {
    const timeout = Promise.withResolvers<never>();
    const timer = setTimeout(() => timeout.reject(new Error("no frame came")), LIMIT_MS);
    try {
      while (this.#unread.length === 0) {
        if (this.#isOver) {
          const { code, reason } = await this.ended;
          throw new Error(`the connection ended with ${code} ${reason}`);
        }
        this.#wake = Promise.withResolvers();
        await Promise.race([this.#wake.promise, timeout.promise]);
      }
    } finally {
      clearTimeout(timer);
      timeout.promise.catch(() => {});
    }
    return this.#unread.shift();
  }

  /** Sends a frame and gives the next one that comes with its id. */
  async ask(frame: Json): Promise<Json> {
    this.send(frame);
    for (;;) {
      const answer = await this.next();
      if (answer.id === frame.id) return answer;
    }
  }

  /** The frames that are here and unread. */
  unread(): readonly Json[] {
    return this.#unread;
  }

  /** Asks for a pong: whatever the gateway had sent before has arrived then. */
  async settle(): Promise<readonly Json[]> {
    const id = `settle-${crypto.randomUUID()}`;
    this.send({ id, ping: {} });
    const seen: Json[] = [];
    for (;;) {
      const frame = await this.next();
      if (frame.id === id) return seen;
      seen.push(frame);
    }
  }

  /** Subscribes, and waits for the acknowledgement. */
  subscribe(...channels: string[]): Promise<Json> {
    return this.ask({
      id: `subscribe ${channels.join(" ")}`,
      subscribe: { subscriptions: channels.map((channel) => ({ channel })) },
    });
  }

  /** Publishes a text, and waits for the acknowledgement. */
  publish(channel: string, text: string): Promise<Json> {
    return this.ask({
      id: `publish ${crypto.randomUUID()}`,
      channel,
      publish: { id: text, source: "test", type: "test.text", text_data: text },
    });
  }

  /** Ends it the ordinary way. */
  async close(code = 1000, reason = ""): Promise<End> {
    this.socket.close(code, reason);
    return await this.ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.socket.terminate();
    await this.ended;
  }
}

/** The text of a message's data. */
export function dataOf(message: Json): string {
  const { payload } = message;
  if (payload.text_data !== undefined) return payload.text_data;
  return new TextDecoder().decode(Uint8Array.fromBase64(payload.binary_data ?? ""));
}

/** The messages of all publications among frames. */
export function messagesOf(frames: readonly Json[]): Json[] {
  return frames.flatMap((frame) => frame.publication?.messages ?? []);
}
