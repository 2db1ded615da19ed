/**
 * The gateway: sessions for browsers and backends.
 *
 * @module
 */
export {
  type GatewayConfig,
  gatewayConfigReference,
  type GatewayDuration,
  type GatewayGiven,
  type GatewayGivenKeys,
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
} from "./config/mod.ts";
export { Gateway, type GatewayAddresses, type GatewayOptions } from "./gateway.ts";
export type { GatewayStats } from "./runtime.ts";
export { GatewayListenError } from "./transport/mod.ts";
