/**
 * Sessions: one connection of a client each, and the ports that they stand on.
 *
 * @module
 */
export { Delivery } from "./delivery.ts";
export { Disconnect, DisconnectError, disconnectOf, DISCONNECTS } from "./disconnect.ts";
export {
  disconnectFrame,
  errorMessage,
  outbound,
  type OutboundEnvelope,
  surveyFrame,
  wireErrorOf,
} from "./frames.ts";
export type { SessionHost, SessionSettings, SurveyAnswer } from "./host.ts";
export {
  DEFAULT_LIMITS,
  type GatewayLimits,
  type ScopeLimits,
  type SharedScopeLimits,
} from "./limits.ts";
export {
  type AuthenticateOutcome,
  type AuthenticateRequest,
  type Authorizer,
  type AuthResult,
  type Backend,
  type Backends,
  type Caller,
  type ChannelAction,
  type ChannelNotice,
  type ClientTransport,
  type ConnectInfo,
  type Frame,
  type Hook,
  noBackends,
  openAuthorizer,
  type RpcOutcome,
  type RpcRequest,
  type SessionNotice,
  type User,
} from "./ports.ts";
export { Scope, Scopes } from "./scope.ts";
export { Session, type SessionState } from "./session.ts";
export {
  badRequest,
  ERROR_TYPES,
  RequestError,
  undecodable,
  type WireError,
  wireError,
} from "./wire_error.ts";
