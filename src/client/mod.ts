/**
 * The client of the gateway, for browsers, Deno and Node. Uses nothing of a runtime; Deno needs net.
 *
 * @module
 */
export { MessengerError, PayloadInvalidError } from "../base/mod.ts";
export type {
  ParseFunction,
  PayloadSchema,
  StandardIssue,
  StandardResult,
  StandardSchema,
} from "../registry/mod.ts";
export {
  GatewayChannel,
  type GatewayPublished,
  type GatewayPublishOptions,
  type GatewaySubscribeOptions,
  type GatewaySubscription,
} from "./channel.ts";
export { GatewayClient } from "./client.ts";
export type { GatewayClientEvents, GatewayClientState, GatewayRpcOptions } from "./client_types.ts";
export { type AfterClose, afterClose } from "./close_codes.ts";
export * from "./errors.ts";
export type * from "./frames.ts";
export type { HistoryOptions, HistoryPage } from "./history.ts";
export { jsonCodec } from "./json_codec.ts";
export type { EventOptions, GatewayMessage } from "./message.ts";
export type { GatewayClientOptions } from "./options.ts";
export type { GapReason, StreamPosition } from "./positions.ts";
export type { PresenceEvent, PresenceMember, PresenceSnapshot } from "./presence.ts";
export type { Survey, SurveyHandler } from "./surveys.ts";
export type { Token, TokenReason } from "./token_source.ts";
export type { TransportKind } from "./transport.ts";
export type { WebSocketConstructor, WebSocketLike } from "./websocket_transport.ts";
