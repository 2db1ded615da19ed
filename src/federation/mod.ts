/**
 * Exchanging channels with other instances over mutually authenticated WebSockets: the hub that
 * listens, the clients that connect to hubs, the ephemeral client that keeps nothing. Needs net, and
 * env for `WS_NO_BUFFER_UTIL` and `WS_NO_UTF_8_VALIDATE`, which the WebSocket library reads.
 *
 * @module
 */
export {
  HubClient,
  type HubClientOptions,
  type HubClientState,
  type HubClientStats,
  type HubTarget,
} from "./client.ts";
export { CloseCode, isRejection, type Retry, retryAfter } from "./close_codes.ts";
export {
  type FederationContext,
  federationContext,
  type FederationContextOptions,
} from "./context.ts";
export {
  encodeName,
  HUB_CURSOR_PREFIX,
  hubCursorName,
  PEER_CURSOR_PREFIX,
  peerCursorName,
} from "./cursor_names.ts";
export { type ConfiguredHub, type RemovedCursor, removeStaleHubCursors } from "./cursor_sweep.ts";
export { EphemeralClient, type EphemeralClientOptions } from "./ephemeral_client.ts";
export type { RecordHandler } from "./ephemeral_inbox.ts";
export { Hub, type HubOptions, type HubStats, type RejectedCounts } from "./hub.ts";
export type { ChannelLag, HubPeerStats } from "./hub_peer.ts";
export { Intake, IntakeGroup, type IntakeOptions } from "./intake.ts";
export { type FederationLimits, federationLimits } from "./limits.ts";
export type { Frame, Link, LinkEnd, LinkListener, LinkPeer } from "./link.ts";
export { type MemoryLinkOptions, type MemoryLinkPair, memoryLinkPair } from "./memory_link.ts";
export type { AllowedPeer } from "./peer_policy.ts";
export type { Credentials, SeenIds, TlsVersion } from "./ports.ts";
export type { SessionStats } from "./session.ts";
export { ThrottledLog } from "./throttled_log.ts";
export { type Dial, type DialOptions, dialWebSocket } from "./websocket_dial.ts";
export {
  type LinkServer,
  listenWebSocket,
  type WebSocketServerOptions,
} from "./websocket_server.ts";
export {
  decodeDataFrame,
  encodeAck,
  encodeDataFrame,
  encodeHandshake,
  type Handshake,
  parseAck,
  parseHandshake,
  type Role,
  WIRE_VERSION,
  WireError,
} from "./wire.ts";
