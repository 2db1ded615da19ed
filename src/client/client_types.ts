import type { PayloadSchema } from "../registry/mod.ts";
import type { GatewayClientError } from "./errors.ts";
import type { EventOptions, GatewayMessage } from "./message.ts";
import type { GapReason, StreamPosition } from "./positions.ts";
import type { TransportKind } from "./transport.ts";

/** What a client is doing. */
export type GatewayClientState =
  /** Not yet connected. */
  | "idle"
  /** Making a connection. */
  | "connecting"
  /** Connected. */
  | "connected"
  /** Waiting before the next attempt. */
  | "waiting"
  /** Closed for good. */
  | "closed";

/** What a client tells by {@linkcode GatewayClient.on}. */
export interface GatewayClientEvents {
  /** The state has changed. */
  readonly state: GatewayClientState;
  /** There is a connection. */
  readonly connected: {
    /** Names the connection. */
    readonly sessionId: string;
    /** How the gateway was reached. */
    readonly transport: TransportKind;
    /** Whether there was one before. */
    readonly reconnected: boolean;
  };
  /** A connection broke or an attempt failed. */
  readonly disconnected: {
    /** The close code; 1006 when there was none. */
    readonly code: number;
    /** Why. */
    readonly reason: string;
    /** When the next attempt begins. */
    readonly retryInMs: number;
    /** What the gateway sent, or what went wrong. */
    readonly cause?: unknown;
  };
  /** All that was missed in a channel will be repeated next, marked as `replayed`. */
  readonly recovered: {
    /** The channel. */
    readonly channel: string;
    /** Where the channel stands. */
    readonly position: StreamPosition | undefined;
  };
  /** Messages of a channel may be missing. */
  readonly gap: {
    /** The channel. */
    readonly channel: string;
    /** Why. */
    readonly reason: GapReason;
  };
  /** A message that an administrator sent to this connection, on no channel. */
  readonly direct: GatewayMessage;
  /** Something went wrong that ends nothing: a handler threw, a message did not fit its schema. */
  readonly error: unknown;
  /** The client is closed; the error says why. */
  readonly closed: GatewayClientError;
}

/** Options of {@linkcode GatewayClient.rpc}. */
export interface GatewayRpcOptions<T = unknown> extends EventOptions {
  /** What the answer has to be. */
  readonly schema?: PayloadSchema<T>;
  /** Milliseconds for the answer, with waiting for the connection. @default {30_000} */
  readonly timeoutMs?: number;
  /** Gives up waiting; the call is not undone. */
  readonly signal?: AbortSignal;
}
