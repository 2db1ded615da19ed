/**
 * The messenger: configuration, and the wiring of storage, payload types and links.
 *
 * @module
 */
export {
  type AllowedPeerConfig,
  applyDefaults,
  type AuditConfig,
  type ClientConfig,
  type ClientHubConfig,
  type Config,
  configSections,
  type DedupConfig,
  type Duration,
  ensureDirectories,
  type FederationConfig,
  type HubConfig,
  loadConfig,
  resolveConfig,
  type ResolvedAllowedPeer,
  type ResolvedClientHub,
  type ResolvedConfig,
  type StorageConfig,
  type SubscribersConfig,
  type Surroundings,
  type TlsConfig,
  type TlsVersion,
  toConfig,
  validateConfig,
} from "./config/mod.ts";
export { correlationId, serviceName, withCorrelationId, withServiceName } from "../base/mod.ts";
export { EphemeralMessenger } from "./ephemeral_messenger.ts";
export type { EphemeralConfig, EphemeralOptions, EphemeralPublished } from "./ephemeral_types.ts";
export { Messenger, rawChannels } from "./messenger.ts";
export type { RawChannels, RawPublished } from "./raw_channels.ts";
export type {
  BatchMessage,
  ChannelInfo,
  MessengerOptions,
  Published,
  PublishOptions,
  ReadOptions,
  Stats,
  StoredMessage,
  SubscribeOptions,
  Subscription,
  TrimOptions,
} from "./types.ts";
