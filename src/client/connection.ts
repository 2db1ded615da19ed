import { GatewayProtocolError, GatewayReplyError } from "./errors.ts";
import type { ClientFrame, FrameCodec, ServerFrame } from "./frames.ts";
import { ABNORMAL, type Transport, type TransportEvents } from "./transport.ts";

/** How a connection ended. */
export interface ConnectionEnd {
  readonly code: number;
  readonly reason: string;
  /** Whether the gateway, or what looks like one, has said anything at all. */
  readonly answered: boolean;
  /** What the gateway sent before it ended the connection. */
  readonly cause?: unknown;
}

/** What a connection needs. */
export interface ConnectionOptions {
  readonly open: (events: TransportEvents) => Transport;
  readonly codec: FrameCodec;
  /** The first frame. */
  readonly hello: ClientFrame & { readonly kind: "connect" };
  readonly nextId: () => string;
  readonly connectTimeoutMs: number;
  /** 0: no pings. */
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
  readonly connected: (frame: ServerFrame & { readonly kind: "connected" }) => void;
  readonly frame: (frame: ServerFrame) => void;
  readonly ended: (end: ConnectionEnd) => void;
}

/** One life of a connection: opened, greeted, kept alive, ended once. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #transport: Transport;
  #state: "opening" | "connected" | "ended" = "opening";
  #answered = false;
  #heard = false;
  #cause: unknown;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /**
   * Opens it.
   *
   * @param options What it needs.
   */
  constructor(options: ConnectionOptions) {
    this.#options = options;
    const { connectTimeoutMs } = options;
    this.#timer = setTimeout(
      () => this.end(ABNORMAL, `no answer within ${connectTimeoutMs} ms`),
      connectTimeoutMs,
    );
    const events: TransportEvents = {
      opened: () => {
        if (this.#state === "opening") this.send(options.codec.encode(options.hello));
      },
      frame: (data) => this.#received(data),
      closed: (code, reason) => this.#ended(code, reason),
    };
    try {
      this.#transport = options.open(events);
    } catch (error) {
      clearTimeout(this.#timer);
      throw error;
    }
  }

  /** Sends an encoded frame. */
  send(frame: string | Uint8Array<ArrayBuffer>): void {
    try {
      if (this.#state !== "ended") this.#transport.send(frame);
    } catch (cause) {
      this.#cause = cause;
      this.end(ABNORMAL, "a frame could not be sent");
    }
  }

  /** Ends it from here. */
  end(code: number, reason: string): void {
    if (this.#state === "ended") return;
    // A WebSocket takes only codes of its application from here.
    this.#transport?.close(code === 1000 ? code : 4000, reason);
    this.#ended(code, reason);
  }

  #ended(code: number, reason: string): void {
    if (this.#state === "ended") return;
    this.#state = "ended";
    clearTimeout(this.#timer);
    const end = { code, reason, answered: this.#answered };
    this.#options.ended(this.#cause === undefined ? end : { ...end, cause: this.#cause });
  }

  #received(data: string | Uint8Array): void {
    if (this.#state === "ended") return;
    let frame: ServerFrame;
    try {
      frame = this.#options.codec.decode(data);
    } catch (cause) {
      // What was in it is lost: only a new connection that recovers brings it back.
      this.#cause = new GatewayProtocolError("a frame that cannot be decoded", { cause });
      this.end(ABNORMAL, "a frame that cannot be decoded");
      return;
    }
    this.#answered = this.#heard = true;
    if (this.#state === "connected") {
      this.#options.frame(frame);
    } else if (frame.kind === "connected") {
      this.#state = "connected";
      this.#beat();
      this.#options.connected(frame);
    } else if (frame.kind === "error") {
      this.#cause = new GatewayReplyError(frame.body);
    }
  }

  /** Pings: the gateway wants to hear from its clients, and its answer shows that it is there. */
  #beat(): void {
    const { pingIntervalMs, pongTimeoutMs, codec, nextId } = this.#options;
    clearTimeout(this.#timer);
    if (pingIntervalMs === 0) return;
    this.#timer = setTimeout(() => {
      this.#heard = false;
      this.#timer = setTimeout(() => {
        if (this.#heard) return this.#beat();
        this.end(ABNORMAL, `no pong within ${pongTimeoutMs} ms`);
      }, pongTimeoutMs);
      this.send(codec.encode({ id: nextId(), kind: "ping", body: undefined }));
    }, pingIntervalMs);
  }
}
