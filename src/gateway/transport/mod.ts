/**
 * The ways to clients: WebSockets, server-sent events with POST, and gRPC streams. Requires `--allow-net`.
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
export { type GrpcServerOptions, type GrpcService, listenForGrpc } from "./grpc_server.ts";
export { messagingService } from "./grpc_transport.ts";
export { isOriginAllowed, type OriginRules } from "./origin.ts";
export { negotiate, type Negotiated } from "./subprotocol.ts";
