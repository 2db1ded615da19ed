import type { ResolvedConfig } from "./resolved.ts";
import type { Config } from "./types.ts";

/**
 * A configuration that was read, as one that can be given: the same keys, with everything said.
 *
 * @param resolved The configuration that was read.
 */
export function toConfig(resolved: ResolvedConfig): Config {
  const { name, storage: { retentionMs, ...storage }, hub, client, tls, ...rest } = resolved;
  const { fedClientOffsetTtlMs, listenAddr, ...hubRest } = hub;
  const { cert, key, ca, ...tlsRest } = tls;
  return {
    ...rest,
    ...(name === "" ? {} : { name }),
    storage: { ...storage, retention: retentionMs },
    tls: cert === "" ? tlsRest : { cert, key, ca, ...tlsRest },
    hub: {
      ...hubRest,
      fedClientOffsetTtl: fedClientOffsetTtlMs,
      ...(listenAddr === "" ? {} : { listenAddr }),
    },
    client: {
      enabled: client.enabled,
      hubs: client.hubs.map(({ name, ...hub }) => name === undefined ? hub : { ...hub, name }),
    },
  };
}
