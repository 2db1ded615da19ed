/**
 * A gateway for browsers and other programs: sessions over WebSockets, server-sent events and gRPC, channels with
 * history and presence, calls that backends answer, an admin API. It speaks the protocol of messageloop v0.1.1.
 *
 * ```ts
 * import { Gateway } from "@keyop/messenger/gateway";
 *
 * await using gateway = await Gateway.open({
 *   server: { allowAnonymous: true, http: { enabled: false } },
 *   transport: { websocket: { addr: "127.0.0.1:0" }, grpc: { enabled: false } },
 * });
 * console.log(gateway.addresses.websocket);
 * ```
 *
 * @module
 */
export {
  Gateway,
  type GatewayAddresses,
  type GatewayConfig,
  type GatewayDuration,
  type GatewayGiven,
  type GatewayGivenKeys,
  GatewayListenError,
  type GatewayOptions,
  type GatewayStats,
  type GatewaySurroundings,
  type HookName,
  HOOKS,
  loadGatewayConfig,
  type ProxyConfig,
  type ResolvedClientTls,
  type ResolvedGatewayConfig,
  type ResolvedJwt,
  type ResolvedLimits,
  type ResolvedLimitScope,
  type ResolvedProxy,
  type ResolvedRedis,
  type ResolvedRoute,
  type ResolvedRule,
  type ResolvedServerTls,
  type ResolvedSharedLimits,
  type ResolvedToken,
  resolveGatewayConfig,
  type RuleAction,
  type TextMap,
} from "./src/gateway/mod.ts";
