/**
 * The ways to clients over HTTP: WebSockets, and server-sent events with POST. Requires `--allow-net`.
 *
 * @module
 */
export {
  ClientServer,
  type ClientServerOptions,
  GatewayListenError,
  type GatewayServer,
  listenForClients,
} from "./client_server.ts";
export { isOriginAllowed, type OriginRules } from "./origin.ts";
export { negotiate, type Negotiated } from "./subprotocol.ts";
