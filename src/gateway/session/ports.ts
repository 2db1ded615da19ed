import type { GatewayEvent } from "../event.ts";
import type { Disconnect } from "./disconnect.ts";
import type { WireError } from "./wire_error.ts";

/** One encoded frame. The same object goes to every receiver that speaks its codec. */
export interface Frame {
  readonly bytes: Uint8Array;
  /** A transport may keep here what it made of the bytes, so that it makes it once. */
  framed?: Uint8Array;
}

/** The way to one client. The session calls `close` once and nothing after it. */
export interface ClientTransport {
  readonly kind: "websocket" | "grpc" | "sse";
  /** Address of the peer, without its port. */
  readonly remoteAddress: string;
  /**
   * Hands one frame to the peer. Never throws: a broken way is reported with
   * `session.transportClosed()`.
   *
   * @returns Nothing when there is room for more; else what settles when there is again, or when the
   * way is closed.
   */
  send(frame: Frame): void | Promise<void>;
  /** Ends the way after what was sent, in the background. */
  close(disconnect: Disconnect): void;
}

/** What a client said when it connected. */
export interface ConnectInfo {
  readonly sessionId: string;
  readonly clientId: string;
  readonly clientType: string;
  readonly token: string;
  readonly version: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly transport: ClientTransport["kind"];
  readonly remoteAddress: string;
}

/** Who a connection belongs to. */
export interface User {
  /** Empty for an anonymous one. */
  readonly id: string;
  /** What the token or the backend said about them. */
  readonly claims: Readonly<Record<string, unknown>>;
  /** Wall time in milliseconds from which the login counts no more; absent when it lasts. */
  readonly expiresAtMs?: number;
}

/** What became of a login. */
export type AuthResult =
  | { readonly ok: true; readonly user: User }
  /** The client gets the error, then the close frame. */
  | { readonly ok: false; readonly error: WireError; readonly disconnect: Disconnect };

/** What a user may do with a channel. */
export type ChannelAction = "subscribe" | "publish" | "presence" | "history";

/** Decides who connects and what they may do. */
export interface Authorizer {
  /**
   * Decides on a login (steps 1 to 3 of the connect flow). A rejection counts as AUTH_ERROR.
   *
   * @param connect What the client said.
   * @param signal Aborted when the connection ends first.
   */
  authenticate(connect: ConnectInfo, signal: AbortSignal): Promise<AuthResult>;
  /** Whether the user may do this with the channel or, for `subscribe`, with the pattern. */
  may(user: User, action: ChannelAction, channel: string): boolean;
}

/** The calls that a backend may get. */
export type Hook =
  | "RPC"
  | "Authenticate"
  | "SubscribeAcl"
  | "OnConnected"
  | "OnSubscribed"
  | "OnUnsubscribed"
  | "OnDisconnected";

/** The connection on whose behalf a backend is called. */
export interface Caller {
  readonly sessionId: string;
  readonly clientId: string;
  readonly userId: string;
}

/** A call that a client makes. */
export interface RpcRequest {
  readonly id: string;
  readonly channel: string;
  readonly method: string;
  readonly event: GatewayEvent;
}

/** What a backend answered: an event, an error to forward unchanged, or nothing. */
export type RpcOutcome =
  | { readonly event: GatewayEvent; readonly error?: undefined }
  | { readonly event?: undefined; readonly error: WireError }
  | { readonly event?: undefined; readonly error?: undefined };

/** What a backend is asked at a login. */
export interface AuthenticateRequest {
  readonly username: string;
  readonly password: string;
  readonly clientType: string;
  readonly clientId: string;
}

/** What a backend says about a login. */
export type AuthenticateOutcome =
  | { readonly error: WireError }
  | {
    readonly user: {
      readonly id: string;
      readonly username: string;
      readonly token: string;
      readonly clientType: string;
      readonly clientId: string;
    };
  };

/**
 * A program that answers for the gateway. Every call rejects when it fails, with an error whose
 * message a client may see, and stops when the signal is aborted. Limits in time are the backend's
 * own (5 s for notifications), except that the caller limits `rpc`.
 */
export interface Backend {
  /** As in the configuration. */
  readonly name: string;
  /** Longest time in milliseconds that a call may take. */
  readonly timeoutMs: number;
  rpc(request: RpcRequest, caller: Caller, signal: AbortSignal): Promise<RpcOutcome>;
  authenticate(
    request: AuthenticateRequest,
    caller: Caller,
    signal: AbortSignal,
  ): Promise<AuthenticateOutcome>;
  /** Settles when the subscription is allowed; rejects when it is refused or could not be asked. */
  subscribeAcl(
    request: { readonly channel: string; readonly token: string },
    caller: Caller,
    signal: AbortSignal,
  ): Promise<void>;
  onConnected(request: SessionNotice, caller: Caller, signal: AbortSignal): Promise<void>;
  onSubscribed(request: ChannelNotice, caller: Caller, signal: AbortSignal): Promise<void>;
  onUnsubscribed(request: ChannelNotice, caller: Caller, signal: AbortSignal): Promise<void>;
  onDisconnected(request: SessionNotice, caller: Caller, signal: AbortSignal): Promise<void>;
}

/** A notification about a connection. */
export interface SessionNotice {
  readonly sessionId: string;
  /** The user id or else the client id. */
  readonly username: string;
}

/** A notification about a subscription. */
export interface ChannelNotice extends SessionNotice {
  readonly channel: string;
}

/** The backends that are configured, and which of them gets what. */
export interface Backends {
  /** Whether there is any. */
  readonly configured: boolean;
  /**
   * The first backend with a matching route that takes this call.
   *
   * @param channel Lookup channel; empty for calls about the connection.
   * @param method Lookup method: `$authenticate`, `subscribe`, `unsubscribe`, `disconnect` or an RPC's.
   * @param hook The call.
   */
  find(channel: string, method: string, hook: Hook): Backend | undefined;
}

/** No backends at all. */
export const noBackends: Backends = { configured: false, find: () => undefined };

/** Accepts anyone as nobody and allows everything: for tests and networks that are trusted. */
export const openAuthorizer: Authorizer = {
  authenticate: () => Promise.resolve({ ok: true, user: { id: "", claims: {} } }),
  may: () => true,
};
