import type { FrameCodec } from "./frames.ts";
import type { Token } from "./token_source.ts";
import type { TransportKind } from "./transport.ts";
import type { WebSocketConstructor } from "./websocket_transport.ts";

/** Options of {@linkcode GatewayClient}. */
export interface GatewayClientOptions {
  /**
   * What the gateway is shown: a token, or a function that gives one for each connection. The function
   * is asked again when the gateway has refused, and shortly before a JSON Web Token ends.
   *
   * @default {""}
   */
  readonly token?: Token;
  /** Names this client to the gateway and its backends. @default {a random UUID} */
  readonly clientId?: string;
  /** Kind of client, for backends. @default {"keyop"} */
  readonly clientType?: string;
  /** The application's version, for backends. @default {"1.0.0"} */
  readonly version?: string;
  /**
   * `websocket`, `sse` (server-sent events and POST, for networks that break WebSockets), or `auto`:
   * the second after the first has failed.
   *
   * @default {"auto"}
   */
  readonly transport?: TransportKind | "auto";
  /** How frames are written. @default {jsonCodec} */
  readonly codec?: FrameCodec;
  /** The class of WebSockets, for runtimes without one. @default {globalThis.WebSocket} */
  readonly WebSocket?: WebSocketConstructor;
  /** What requests are made with. @default {globalThis.fetch} */
  readonly fetch?: typeof fetch;
  /** First wait between attempts in milliseconds; it doubles with each. @default {500} */
  readonly reconnectBaseMs?: number;
  /** Longest wait between attempts in milliseconds. @default {20_000} */
  readonly reconnectMaxMs?: number;
  /** Share by which waits are made longer or shorter at random, from 0 to 1. @default {0.5} */
  readonly reconnectJitter?: number;
  /** Milliseconds for opening a connection and being greeted. @default {10_000} */
  readonly connectTimeoutMs?: number;
  /** Milliseconds for the answer to a publication, subscription, or other request. @default {10_000} */
  readonly requestTimeoutMs?: number;
  /** Milliseconds between pings; 0 for none. @default {25_000} */
  readonly pingIntervalMs?: number;
  /** Milliseconds for the answer to a ping; then the connection counts as broken. @default {10_000} */
  readonly pongTimeoutMs?: number;
  /**
   * What to do with publications and calls while there is no connection: `queue` keeps them, in order,
   * until there is one; `refuse` throws {@linkcode GatewayNotConnectedError}.
   *
   * @default {"queue"}
   */
  readonly offline?: "queue" | "refuse";
  /** How many requests may wait for the connection or for their answers. @default {1_000} */
  readonly maxPending?: number;
  /** How many bytes their frames may have together. @default {4_194_304} */
  readonly maxPendingBytes?: number;
}

/** Options with every default filled in. */
export type ResolvedOptions =
  & Required<Omit<GatewayClientOptions, "WebSocket" | "codec">>
  & {
    readonly codec: FrameCodec;
    readonly WebSocket: WebSocketConstructor | undefined;
  };

/**
 * Fills in the defaults.
 *
 * @throws {RangeError} When an option makes no sense.
 */
export function resolveOptions(options: GatewayClientOptions, codec: FrameCodec): ResolvedOptions {
  const resolved: ResolvedOptions = {
    token: "",
    clientId: crypto.randomUUID(),
    clientType: "keyop",
    version: "1.0.0",
    transport: "auto",
    codec,
    WebSocket: (globalThis as { WebSocket?: unknown }).WebSocket as
      | WebSocketConstructor
      | undefined,
    // Browsers want it called on the global object.
    fetch: (...args) => fetch(...args),
    reconnectBaseMs: 500,
    reconnectMaxMs: 20_000,
    reconnectJitter: 0.5,
    connectTimeoutMs: 10_000,
    requestTimeoutMs: 10_000,
    pingIntervalMs: 25_000,
    pongTimeoutMs: 10_000,
    offline: "queue",
    maxPending: 1_000,
    maxPendingBytes: 4_194_304,
    // Undefined is the same as left out.
    ...Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)),
  };
  for (
    const [name, least] of [
      ["connectTimeoutMs", 1],
      ["requestTimeoutMs", 1],
      ["pingIntervalMs", 0],
      ["pongTimeoutMs", 1],
      ["maxPending", 1],
      ["maxPendingBytes", 1],
    ] as const
  ) {
    if (!(resolved[name] >= least)) {
      throw new RangeError(`Cannot use ${resolved[name]} as ${name}: give at least ${least}`);
    }
  }
  return resolved;
}
