/** Limits of one connection, or of all of one user or address together; 0 is any number. */
export interface ScopeLimits {
  /** Subscriptions. */
  readonly subscriptions: number;
  /** Publications in a second, on average. */
  readonly publishesPerSecond: number;
  /** Bytes of frames in a second, on average. */
  readonly bytesPerSecond: number;
  /** Calls that are under way. */
  readonly pendingRpcs: number;
}

/** Limits of all connections of one user, or from one address; 0 is any number. */
export interface SharedScopeLimits extends ScopeLimits {
  /** Connections. */
  readonly connections: number;
}

/** What clients may do, and how much of it. */
export interface GatewayLimits {
  /** Bytes of one frame. @default {65_536} */
  readonly frameBytes: number;
  /** Metadata entries of one frame. @default {256} */
  readonly metadataEntries: number;
  /** Bytes of the metadata of one frame. @default {8_192} */
  readonly metadataBytes: number;
  /** Subscriptions that one frame may name. @default {100} */
  readonly subscriptionsPerFrame: number;
  /** Frames that may wait for a client. @default {1_024} */
  readonly outboundFrames: number;
  /** Bytes that may wait for a client. @default {8_388_608} */
  readonly outboundBytes: number;
  /** Milliseconds that a client may take no bytes while some wait; 0 is any time. @default {10_000} */
  readonly writeTimeoutMs: number;
  /** Bad frames after which a client is closed. @default {20} */
  readonly badFrames: number;
  /** Milliseconds that a bad frame counts. @default {60_000} */
  readonly badFramesWindowMs: number;
  /** Publications of one channel that are replayed to one client. @default {1_000_000} */
  readonly replay: number;
  /** Connections in all; 0 is any number. @default {0} */
  readonly connections: number;
  /** Of one connection. @default 1,000 subscriptions, 64 calls */
  readonly connection: ScopeLimits;
  /** Of one user. @default any number */
  readonly user: SharedScopeLimits;
  /** From one address. @default any number */
  readonly address: SharedScopeLimits;
}

const ANY_NUMBER: SharedScopeLimits = {
  connections: 0,
  subscriptions: 0,
  publishesPerSecond: 0,
  bytesPerSecond: 0,
  pendingRpcs: 0,
};

/** The limits that hold where nothing else is said. */
export const DEFAULT_LIMITS: GatewayLimits = {
  frameBytes: 65_536,
  metadataEntries: 256,
  metadataBytes: 8_192,
  subscriptionsPerFrame: 100,
  outboundFrames: 1_024,
  outboundBytes: 8_388_608,
  writeTimeoutMs: 10_000,
  badFrames: 20,
  badFramesWindowMs: 60_000,
  replay: 1_000_000,
  connections: 0,
  connection: { subscriptions: 1_000, publishesPerSecond: 0, bytesPerSecond: 0, pendingRpcs: 64 },
  user: ANY_NUMBER,
  address: ANY_NUMBER,
};
