import { fromBinary, fromJson, type JsonObject, toBinary, toJson } from "@bufbuild/protobuf";
import { Buffer } from "node:buffer";
import {
  Client,
  type ClientDuplexStream,
  credentials,
  Metadata,
  type StatusObject,
} from "@grpc/grpc-js";
import { ANY_TYPES } from "../../../src/gateway/codec/mod.ts";
import { client } from "../../../src/gateway/proto/mod.ts";
import type { Json } from "./client.ts";

const LIMIT_MS = 10_000;
const pass = (bytes: Buffer): Buffer => bytes;

/** A client on a gRPC stream that sends what a test tells it to, and keeps what it gets in order. */
export class GrpcTestClient implements AsyncDisposable {
  readonly stream: ClientDuplexStream<Buffer, Buffer>;
  /** How the stream ended: the status of gRPC. */
  readonly ended: Promise<{ readonly code: number; readonly details: string }>;
  /** Everything that came, as protobuf JSON with the names of the schema. */
  readonly frames: Json[] = [];
  readonly #client: Client;
  readonly #unread: Json[] = [];
  #wake = Promise.withResolvers<void>();
  #isOver = false;

  /** Opens a stream. */
  constructor(address: string, channel = credentials.createInsecure(), options = {}) {
    this.#client = new Client(address, channel, {
      "grpc.use_local_subchannel_pool": 1,
      "grpc.max_send_message_length": -1,
      ...options,
    });
    this.stream = this.#client.makeBidiStreamRequest(
      "/messageloop.v1.MessagingService/MessageLoop",
      pass,
      pass,
      new Metadata(),
    );
    const ended = Promise.withResolvers<{ code: number; details: string }>();
    this.ended = ended.promise;
    this.stream.on("data", (bytes: Buffer) => {
      const message = fromBinary(client.OutboundMessageSchema, bytes);
      const frame = toJson(client.OutboundMessageSchema, message, {
        useProtoFieldName: true,
        registry: ANY_TYPES,
      });
      this.frames.push(frame);
      this.#unread.push(frame);
      this.#wake.resolve();
    });
    this.stream.on("error", () => {});
    this.stream.on("status", ({ code, details }: StatusObject) => {
      this.#isOver = true;
      this.#wake.resolve();
      ended.resolve({ code, details });
    });
  }

  /** Opens one and connects it. */
  static async connected(address: string, connect: Json = {}): Promise<GrpcTestClient> {
    const opened = new GrpcTestClient(address);
    const answer = await opened.ask({ id: "connect", connect });
    if (answer.connected === undefined) throw new Error(`not connected: ${JSON.stringify(answer)}`);
    return opened;
  }

  /** The id that the gateway gave it. */
  get sessionId(): string {
    return this.frames.find(({ connected }) => connected)?.connected.session_id;
  }

  /** Sends a frame. */
  send(frame: Json): void {
    const message = fromJson(client.InboundMessageSchema, frame as JsonObject, {
      registry: ANY_TYPES,
    });
    this.sendRaw(toBinary(client.InboundMessageSchema, message));
  }

  /** Sends whatever bytes. */
  sendRaw(bytes: Uint8Array): void {
    this.stream.write(Buffer.from(bytes));
  }

  /** The next frame. Rejects when the stream is over instead. */
  async next(): Promise<Json> {
    const timeout = Promise.withResolvers<never>();
    const timer = setTimeout(() => timeout.reject(new Error("no frame came")), LIMIT_MS);
    try {
      while (this.#unread.length === 0) {
        if (this.#isOver) {
          const { code, details } = await this.ended;
          throw new Error(`the stream ended with ${code} ${details}`);
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

  async [Symbol.asyncDispose](): Promise<void> {
    this.stream.cancel();
    await this.ended;
    this.#client.close();
  }
}
