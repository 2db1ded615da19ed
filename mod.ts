/**
 * A message bus that a program embeds: durable channels on the local disk, durable subscribers, and
 * links to other instances over mutually authenticated WebSockets.
 *
 * ```ts
 * import { Messenger } from "@keyop/messenger";
 *
 * const dataDir = await Deno.makeTempDir();
 * await using messenger = await Messenger.open({ name: "pi", storage: { dataDir } });
 * await messenger.publish("readings", "com.example.Reading", { celsius: 21.5 });
 * ```
 *
 * @module
 */
export {
  AlreadySubscribedError,
  CertificateError,
  type Clock,
  ConfigError,
  type ConfigProblem,
  consoleLogger,
  type ConsoleLoggerOptions,
  DataDirLockedError,
  EphemeralClosedError,
  EphemeralConnectionLostError,
  HubListenError,
  HubRejectedError,
  InvalidChannelNameError,
  InvalidSubscriberIdError,
  type LogFields,
  type Logger,
  type LogLevel,
  MessengerClosedError,
  MessengerError,
  PayloadInvalidError,
  PayloadTypeAlreadyRegisteredError,
  PublishStoppedError,
  type Random,
  ReservedChannelNameError,
  silentLogger,
  StorageError,
  SubscriberNotFoundError,
  type Timer,
  validateChannelName,
} from "./src/base/mod.ts";
export { DEAD_LETTER_TYPE, type DeadLetterPayload } from "./src/envelope/mod.ts";
export type { AuditStats } from "./src/audit/mod.ts";
export type {
  ChannelLag,
  HubClientState,
  HubClientStats,
  HubPeerStats,
  HubStats,
  RejectedCounts,
  SessionStats,
} from "./src/federation/mod.ts";
export {
  type AllowedPeerConfig,
  applyDefaults,
  type AuditConfig,
  type BatchMessage,
  type ChannelInfo,
  type ClientConfig,
  type ClientHubConfig,
  type Config,
  correlationId,
  type DedupConfig,
  type Duration,
  ensureDirectories,
  type EphemeralConfig,
  EphemeralMessenger,
  type EphemeralOptions,
  type EphemeralPublished,
  type FederationConfig,
  type HubConfig,
  loadConfig,
  Messenger,
  type MessengerOptions,
  type Published,
  type PublishOptions,
  type ReadOptions,
  type ResolvedAllowedPeer,
  type ResolvedClientHub,
  type ResolvedConfig,
  serviceName,
  type Stats,
  type StorageConfig,
  type StoredMessage,
  type SubscribeOptions,
  type SubscribersConfig,
  type Subscription,
  type Surroundings,
  type TlsConfig,
  type TlsVersion,
  type TrimOptions,
  validateConfig,
  withCorrelationId,
  withServiceName,
} from "./src/messenger/mod.ts";
export type {
  Pipe,
  PipeConnection,
  PipeHost,
  PipeMessage,
  PipeMessageChange,
  PipeSendOptions,
} from "./src/pipes/core.ts";
export type {
  ParseFunction,
  PayloadSchema,
  StandardIssue,
  StandardResult,
  StandardSchema,
} from "./src/registry/mod.ts";
export {
  type FileStat,
  type FileSystem,
  type Handler,
  type HandlerContext,
  type LogStats,
  type Message,
  type OpenFile,
  type Position,
  RetryLater,
  type SubscriberStats,
  type SyncPolicy,
} from "./src/storage/mod.ts";
