import type { SyncPolicy } from "../../storage/mod.ts";

export type { SyncPolicy };

/** The oldest TLS version that is spoken. */
export type TlsVersion = "1.2" | "1.3";

/** A span of time: milliseconds, or a text such as `"168h"`, `"1h30m"`, `"250ms"`, `"7d"`, `"2w"`; 0 is off. */
export type Duration = string | number;

/** Where and how messages are kept. */
export interface StorageConfig {
  /** The folder that holds everything; relative to the working directory. Required. */
  readonly dataDir: string;
  /** When what was published is forced to the disk. @default {"periodic"} */
  readonly syncPolicy?: SyncPolicy;
  /** Milliseconds between two syncs under `"periodic"`. 0 is the default. @default {200} */
  readonly syncIntervalMs?: number;
  /** MiB of unread backlog of a subscriber beyond which a warning is logged. 0 is the default. @default {512} */
  readonly maxSubscriberLagMb?: number;
  /** MiB at which a channel begins a new segment file. 0 is the default. @default {256} */
  readonly compactionThresholdMb?: number;
  /** Milliseconds between two writes of a cursor; 0 writes it after every message. @default {0} */
  readonly offsetFlushIntervalMs?: number;
  /** Segment files that a channel keeps, read or not; 0 is any number. @default {0} */
  readonly maxFiles?: number;
  /** How long a segment is kept, read or not; 0 is for ever. @default {0} */
  readonly retention?: Duration;
}

/** How a failing handler is treated. */
export interface SubscribersConfig {
  /** Retries before a message goes to the dead-letter channel; 0 is none. @default {5} */
  readonly maxRetries?: number;
  /** Milliseconds before the first retry; they double. @default {100} */
  readonly retryBackoffBaseMs?: number;
  /** Milliseconds that the wait between retries grows to. @default {5000} */
  readonly retryBackoffMaxMs?: number;
}

/** An instance that may connect to this hub. */
export interface AllowedPeerConfig {
  /** The instance's name: its certificate's Common Name. */
  readonly name: string;
  /** Channels that the peer may receive; empty allows every one. @default {[]} */
  readonly subscribe?: readonly string[];
  /** Channels that the peer may send to; empty allows every one. @default {[]} */
  readonly publish?: readonly string[];
}

/** The hub that other instances connect to. */
export interface HubConfig {
  /** Whether this instance is a hub. @default {false} */
  readonly enabled?: boolean;
  /** `host:port` to listen on, IPv6 in brackets; port 0 takes a free one. Required when enabled. */
  readonly listenAddr?: string;
  /** The instances that may connect. @default {[]} */
  readonly allowedPeers?: readonly AllowedPeerConfig[];
  /** How long the cursor of a disconnected peer is kept; 0 is for ever. @default {"168h"} */
  readonly fedClientOffsetTtl?: Duration;
  /** Listens without TLS on an address that is not a loopback one. @default {false} */
  readonly insecure?: boolean;
}

/** A hub to connect to. */
export interface ClientHubConfig {
  /** `host:port` of the hub, IPv6 in brackets. */
  readonly addr: string;
  /** Common Name that the hub's certificate must show, in place of the dialled host. @default the host counts */
  readonly name?: string;
  /** Channels to receive from the hub; empty receives none. @default {[]} */
  readonly subscribe?: readonly string[];
  /** Channels to send to the hub; empty sends every one. @default {[]} */
  readonly publish?: readonly string[];
}

/** The hubs that this instance connects to. */
export interface ClientConfig {
  /** Whether this instance connects to hubs. @default {false} */
  readonly enabled?: boolean;
  /** The hubs. At least one when enabled. @default {[]} */
  readonly hubs?: readonly ClientHubConfig[];
}

/** The instance's certificate. `cert`, `key` and `ca` are given together or not at all. */
export interface TlsConfig {
  /** PEM file of the instance's certificate; relative to the working directory. */
  readonly cert?: string;
  /** PEM file of its private key; relative to the working directory. */
  readonly key?: string;
  /** PEM file of the authority that signed every instance's certificate; relative to the working directory. */
  readonly ca?: string;
  /** The oldest TLS version that is spoken. @default {"1.3"} */
  readonly minVersion?: TlsVersion;
  /** Days before a certificate's expiry at which warnings begin. 0 is the default. @default {30} */
  readonly expiryWarnDays?: number;
}

/** How instances exchange messages. */
export interface FederationConfig {
  /** Milliseconds before the first reconnection; they double. 0 is the default. @default {500} */
  readonly reconnectBaseMs?: number;
  /** Milliseconds that the wait grows to. 0 is the default. @default {60000} */
  readonly reconnectMaxMs?: number;
  /** Share of the wait that chance adds or takes, 0 to 1. @default {0.2} */
  readonly reconnectJitter?: number;
  /** Messages that may be unacknowledged on a link; the log holds the rest. 0 is the default. @default {10000} */
  readonly sendBufferMessages?: number;
  /** Bytes of records in one frame. 0 is the default. @default {65536} */
  readonly maxBatchBytes?: number;
}

/** The memory of ids that were seen. */
export interface DedupConfig {
  /** Message ids that are remembered. 0 is the default. @default {100000} */
  readonly seenIdLruSize?: number;
}

/** The audit log. */
export interface AuditConfig {
  /** MiB at which `audit.jsonl` is rotated. 0 is the default. @default {100} */
  readonly maxSizeMb?: number;
  /** Rotated files that are kept. 0 is the default. @default {10} */
  readonly maxFiles?: number;
}

/**
 * What a messenger is opened with. Only `storage.dataDir` is required. The YAML file has the same keys in
 * snake case: `storage.data_dir`.
 *
 * @example The least that is needed
 * ```ts
 * import type { Config } from "@keyop/messenger";
 *
 * const config: Config = { storage: { dataDir: "./data" } };
 * ```
 */
export interface Config {
  /** The instance's name, 1 to 255 characters. @default the certificate's Common Name, else the host name */
  readonly name?: string;
  /** Where and how messages are kept. */
  readonly storage: StorageConfig;
  /** How a failing handler is treated. */
  readonly subscribers?: SubscribersConfig;
  /** The hub that other instances connect to. */
  readonly hub?: HubConfig;
  /** The hubs that this instance connects to. */
  readonly client?: ClientConfig;
  /** The instance's certificate. */
  readonly tls?: TlsConfig;
  /** How instances exchange messages. */
  readonly federation?: FederationConfig;
  /** The memory of ids that were seen. */
  readonly dedup?: DedupConfig;
  /** The audit log. */
  readonly audit?: AuditConfig;
}
