/**
 * The gateway: a server that brings channels to browsers and backends over WebSockets, gRPC and
 * server-sent events. Clients of messageloop v0.1.1 use it unmodified.
 *
 * @module
 */
export { DEFAULT_SETTINGS, Gateway, type GatewayParts, type GatewayStats } from "./gateway.ts";
