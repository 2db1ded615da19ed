/**
 * The configuration: its keys, defaults and checks, and the YAML file that holds it. Needs read permission on
 * that file, and `--allow-sys=hostname` when nothing else gives the instance a name.
 *
 * @module
 */
export { applyDefaults, resolveConfig, type Surroundings } from "./defaults.ts";
export { ensureDirectories } from "./directories.ts";
export { loadConfig } from "./load.ts";
export { configReference } from "./reference.ts";
export { ROOT as configSections } from "./schema.ts";
export type { ResolvedAllowedPeer, ResolvedClientHub, ResolvedConfig } from "./resolved.ts";
export type {
  AllowedPeerConfig,
  AuditConfig,
  ClientConfig,
  ClientHubConfig,
  Config,
  DedupConfig,
  Duration,
  FederationConfig,
  HubConfig,
  StorageConfig,
  SubscribersConfig,
  SyncPolicy,
  TlsConfig,
  TlsVersion,
} from "./types.ts";
export { toConfig } from "./to_config.ts";
export { validateConfig } from "./validate.ts";
