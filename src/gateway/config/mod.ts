/**
 * The gateway's configuration: its keys, defaults and checks, and the YAML file that holds it. Needs read
 * permission on that file.
 *
 * @module
 */
export { gatewayConfigReference } from "./reference.ts";
export { type GatewaySurroundings, loadGatewayConfig, resolveGatewayConfig } from "./resolve.ts";
export type {
  ResolvedClientTls,
  ResolvedGatewayConfig,
  ResolvedJwt,
  ResolvedLimits,
  ResolvedLimitScope,
  ResolvedProxy,
  ResolvedRedis,
  ResolvedRoute,
  ResolvedRule,
  ResolvedServerTls,
  ResolvedSharedLimits,
  ResolvedToken,
  RuleAction,
  TextMap,
} from "./resolved.ts";
export { type HookName, HOOKS } from "./text_checks.ts";
export type {
  GatewayConfig,
  GatewayDuration,
  GatewayGiven,
  GatewayGivenKeys,
  ProxyConfig,
} from "./types.ts";
