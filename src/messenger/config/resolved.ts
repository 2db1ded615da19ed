import type { SyncPolicy, TlsVersion } from "./types.ts";

/** {@linkcode AllowedPeerConfig} with everything filled in. */
export interface ResolvedAllowedPeer {
  /** The instance's name. */
  readonly name: string;
  /** Channels that the peer may receive; empty allows every one. */
  readonly subscribe: readonly string[];
  /** Channels that the peer may send to; empty allows every one. */
  readonly publish: readonly string[];
}

/** {@linkcode ClientHubConfig} with everything filled in. */
export interface ResolvedClientHub {
  /** `host:port` of the hub. */
  readonly addr: string;
  /** Common Name that the hub's certificate must show; undefined when the dialled host counts. */
  readonly name: string | undefined;
  /** Channels to receive from the hub; empty receives none. */
  readonly subscribe: readonly string[];
  /** Channels to send to the hub; empty sends every one. */
  readonly publish: readonly string[];
}

/** A {@linkcode Config} that was checked, with every default filled in. It is frozen all the way down. */
export interface ResolvedConfig {
  /** The instance's name; "" when it is to be read from the certificate's Common Name. */
  readonly name: string;
  /** See {@linkcode StorageConfig}. */
  readonly storage: {
    readonly dataDir: string;
    readonly syncPolicy: SyncPolicy;
    readonly syncIntervalMs: number;
    readonly maxSubscriberLagMb: number;
    readonly compactionThresholdMb: number;
    readonly offsetFlushIntervalMs: number;
    readonly maxFiles: number;
    readonly retentionMs: number;
  };
  /** See {@linkcode SubscribersConfig}. */
  readonly subscribers: {
    readonly maxRetries: number;
    readonly retryBackoffBaseMs: number;
    readonly retryBackoffMaxMs: number;
  };
  /** See {@linkcode HubConfig}. */
  readonly hub: {
    readonly enabled: boolean;
    /** "" when none was given. */
    readonly listenAddr: string;
    readonly allowedPeers: readonly ResolvedAllowedPeer[];
    readonly fedClientOffsetTtlMs: number;
    readonly insecure: boolean;
  };
  /** See {@linkcode ClientConfig}. */
  readonly client: {
    readonly enabled: boolean;
    readonly hubs: readonly ResolvedClientHub[];
  };
  /** See {@linkcode TlsConfig}; `cert`, `key` and `ca` are "" when TLS is not configured. */
  readonly tls: {
    readonly cert: string;
    readonly key: string;
    readonly ca: string;
    readonly minVersion: TlsVersion;
    readonly expiryWarnDays: number;
  };
  /** See {@linkcode FederationConfig}. */
  readonly federation: {
    readonly reconnectBaseMs: number;
    readonly reconnectMaxMs: number;
    readonly reconnectJitter: number;
    readonly sendBufferMessages: number;
    readonly maxBatchBytes: number;
  };
  /** See {@linkcode DedupConfig}. */
  readonly dedup: { readonly seenIdLruSize: number };
  /** See {@linkcode AuditConfig}. */
  readonly audit: { readonly maxSizeMb: number; readonly maxFiles: number };
}
