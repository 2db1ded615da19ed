import { Backoff } from "../base/mod.ts";
import { afterClose } from "./close_codes.ts";
import { Connection, type ConnectionEnd } from "./connection.ts";
import { deferred } from "./deferred.ts";
import {
  type GatewayClientError,
  GatewayClosedError,
  GatewayRejectedError,
  GatewayUnreachableError,
} from "./errors.ts";
import type { ServerFrame } from "./frames.ts";
import type { ResolvedOptions } from "./options.ts";
import { openSse } from "./sse_transport.ts";
import { type TokenReason, TokenSource } from "./token_source.ts";
import { TransportChoice, type TransportKind } from "./transport.ts";
import { openWebSocket } from "./websocket_transport.ts";

/** A connection that has worked for this long starts the waits anew when it breaks. */
const STABLE_MS = 5_000;
/** A token is replaced this long before it ends. */
const TOKEN_LEAD_MS = 15_000;

/** What the keeper tells. */
export interface KeeperEvents {
  connecting(): void;
  connected(frame: ServerFrame & { readonly kind: "connected" }, transport: TransportKind): void;
  frame(frame: ServerFrame): void;
  /** What was connected is not any more. */
  lost(end: ConnectionEnd): void;
  /** Settles once what was sent is answered, or after a while. */
  drained(): Promise<void>;
  /** It broke, or an attempt failed; the next comes after this many milliseconds. */
  disconnected(end: ConnectionEnd, retryInMs: number): void;
  /** Something went wrong that does not end it. */
  error(error: unknown): void;
  /** It is over for good. */
  closed(error: GatewayClientError): void;
}

/** Keeps a connection to the gateway: makes it, and makes it again whenever it breaks. */
export class Keeper {
  readonly #url: URL;
  readonly #options: ResolvedOptions;
  readonly #events: KeeperEvents;
  readonly #nextId: () => string;
  readonly #tokens: TokenSource;
  readonly #choice: TransportChoice;
  readonly #backoff: Backoff;
  #connection: Connection | undefined;
  #connected = false;
  #sessionId = "";
  #closed = false;
  /** Ends what is being waited for. */
  #wake = () => {};

  /**
   * Makes it; {@linkcode start} begins.
   *
   * @param url The gateway's WebSocket address.
   * @param options The client's options.
   * @param nextId Makes ids of frames.
   * @param events What gets told.
   */
  constructor(url: URL, options: ResolvedOptions, nextId: () => string, events: KeeperEvents) {
    this.#url = url;
    this.#options = options;
    this.#nextId = nextId;
    this.#events = events;
    this.#tokens = new TokenSource(options.token);
    const { transport, codec, WebSocket } = options;
    this.#choice = new TransportChoice(
      transport !== "auto"
        ? transport
        : !WebSocket
        ? "sse"
        : codec.binary
        ? "websocket"
        : undefined,
    );
    this.#backoff = new Backoff({
      baseMs: options.reconnectBaseMs,
      maxMs: options.reconnectMaxMs,
      jitter: options.reconnectJitter,
    }, { next: () => Math.random(), fill: (bytes) => void crypto.getRandomValues(bytes) });
  }

  /** Whether there is a connection. */
  get connected(): boolean {
    return this.#connected;
  }

  /** Begins. */
  start(): void {
    // Browsers tell when the network is back.
    globalThis.addEventListener?.("online", this.#online);
    this.#run().catch((cause) =>
      this.close(new GatewayUnreachableError(this.#url.href, { cause }))
    );
  }

  /** Sends an encoded frame over the connection that there is. */
  send(frame: string | Uint8Array<ArrayBuffer>): void {
    this.#connection?.send(frame);
  }

  /**
   * Ends it for good.
   *
   * @param error Why; without one it was closed from here.
   */
  close(error: GatewayClientError = new GatewayClosedError()): void {
    if (this.#closed) return;
    this.#closed = true;
    globalThis.removeEventListener?.("online", this.#online);
    this.#connection?.end(1000, "closed by the client");
    this.#wake();
    this.#events.closed(error);
  }

  readonly #online = () => this.#wake();

  async #run(): Promise<void> {
    let reason: TokenReason = "connect";
    while (!this.#closed) {
      this.#events.connecting();
      let token;
      try {
        token = await this.#tokens.next(reason);
      } catch (error) {
        if (this.#closed) return;
        this.#events.error(error);
        await this.#retry({ code: 0, reason: "no token", answered: false, cause: error });
        continue;
      }
      if (this.#closed) return;
      const kind = this.#choice.next();
      const { end, expiring } = await this.#live(kind, token);
      if (this.#closed) return;
      reason = expiring ? "expiring" : "reconnect";
      if (expiring) continue;
      const after = afterClose(end.code);
      const freshToken = after.freshToken && this.#tokens.refused();
      if (!after.reconnect && !freshToken) {
        const { code, reason, cause } = end;
        return this.close(new GatewayRejectedError(code, reason, { cause }));
      }
      const other = !end.answered && this.#choice.failed();
      await this.#retry(end, freshToken || other ? 0 : undefined, after.waitLong);
    }
  }

  /** One connection, to its end. */
  #live(
    kind: TransportKind,
    token: string,
  ): Promise<{ readonly end: ConnectionEnd; readonly expiring: boolean }> {
    const { codec, clientId, clientType, version } = this.#options;
    const { promise, resolve } = deferred<
      { readonly end: ConnectionEnd; readonly expiring: boolean }
    >();
    let expiring = false;
    let stable: ReturnType<typeof setTimeout> | undefined;
    let expiry: ReturnType<typeof setTimeout> | undefined;
    const session: Record<string, string> = this.#sessionId === ""
      ? {}
      : { "keyop-session": this.#sessionId };
    const connection = new Connection({
      ...this.#options,
      nextId: this.#nextId,
      open: (events) => {
        const { WebSocket, fetch } = this.#options;
        return kind === "sse"
          ? openSse(fetch, httpUrl(this.#url), events)
          : openWebSocket(WebSocket!, this.#url.href, codec.subprotocol, events);
      },
      hello: {
        id: this.#nextId(),
        kind: "connect",
        metadata: { "keyop-recover": "1", ...session },
        body: { clientId, clientType, token, version },
      },
      connected: (frame) => {
        this.#connected = true;
        this.#sessionId = frame.body.sessionId;
        this.#tokens.accepted();
        this.#choice.worked(kind);
        stable = setTimeout(() => this.#backoff.reset(), STABLE_MS);
        const refreshMs = this.#tokens.refreshInMs(token, TOKEN_LEAD_MS);
        if (refreshMs !== undefined) {
          expiry = setTimeout(() => {
            // New requests wait for the next connection, those under way may come to their end.
            expiring = true;
            this.#connected = false;
            this.#events.drained().then(() => connection.end(1000, "a new token"));
          }, refreshMs);
        }
        this.#events.connected(frame, kind);
      },
      frame: (frame) => this.#events.frame(frame),
      ended: (end) => {
        clearTimeout(stable);
        clearTimeout(expiry);
        this.#connection = undefined;
        this.#connected = false;
        // One that is closed from here is told as closed.
        if (!this.#closed) this.#events.lost(end);
        resolve({ end, expiring });
      },
    });
    this.#connection = connection;
    return promise;
  }

  async #retry(end: ConnectionEnd, inMs?: number, long = false): Promise<void> {
    const waitMs = inMs ?? (long ? this.#backoff.longest() : this.#backoff.next());
    this.#events.disconnected(end, waitMs);
    if (waitMs === 0 || this.#closed) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, waitMs);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => {};
  }
}

function httpUrl(url: URL): URL {
  const http = new URL(url);
  http.protocol = url.protocol.replace("ws", "http");
  return http;
}
