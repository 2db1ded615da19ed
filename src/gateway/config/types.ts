import type { Config } from "../../messenger/mod.ts";
import type { ResolvedGatewayConfig, ResolvedProxy } from "./resolved.ts";

/** A span of time: milliseconds, or a text such as `"30s"` or `"1m30s"`. */
export type GatewayDuration = number | string;

/** What may be given in place of what is resolved: less, with durations under their own names. */
export type GatewayGiven<T> = T extends readonly (infer Entry)[] ? readonly GatewayGiven<Entry>[]
  : T extends Readonly<Record<string, readonly string[]>>
    ? string extends keyof T ? Readonly<Record<string, string | readonly string[]>>
    : GatewayGivenKeys<T>
  : T extends object ? GatewayGivenKeys<T>
  : T;

/** The same for a group of keys. */
export type GatewayGivenKeys<T> =
  & { readonly [K in keyof T as K extends `${string}Ms` ? never : K]?: GatewayGiven<T[K]> }
  & { readonly [K in keyof T as K extends `${infer Name}Ms` ? Name : never]?: GatewayDuration };

/** A backend, as it is configured; which protocol it speaks follows from endpoint and sections. */
export type ProxyConfig = GatewayGiven<Omit<ResolvedProxy, "kind">>;

/**
 * A gateway's configuration in code: the keys of the YAML file in camel case, each optional. Durations
 * are milliseconds, or texts such as `"30s"`.
 *
 * See `docs/gateway.md` for every key, its default and its limits.
 */
export type GatewayConfig =
  & GatewayGiven<Omit<ResolvedGatewayConfig, "proxy" | "broker">>
  & {
    /** The backends, in the order in which they are tried. */
    readonly proxy?: readonly ProxyConfig[];
    /** What carries publications. */
    readonly broker?: Omit<GatewayGiven<ResolvedGatewayConfig["broker"]>, "messenger"> & {
      /** The messenger instance whose channels are used: a file, or its configuration. */
      readonly messenger?: { readonly config?: string; readonly instance?: Config };
    };
  };
