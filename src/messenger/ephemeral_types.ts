import type { Clock, Logger, Random } from "../base/mod.ts";
import type { Pipe } from "../pipes/core.ts";
import type { TlsVersion } from "./config/mod.ts";

/** Configuration of an `EphemeralMessenger`. */
export interface EphemeralConfig {
  /** The hub's address, `host:port`. */
  readonly hubAddr: string;
  /** Common Name that the hub's certificate must have. @default the dialled host is checked instead */
  readonly hubName?: string;
  /** The instance's name; the hub knows it by its certificate's Common Name. */
  readonly instanceName: string;
  /** Channels to ask the hub for, beside those subscribed to before `connect`. @default {[]} */
  readonly subscribe?: readonly string[];
  /** PEM files of certificate, private key and CA. @default no TLS: for a hub on this machine */
  readonly tls?: {
    readonly cert: string;
    readonly key: string;
    readonly ca: string;
    /** @default {"1.3"} */
    readonly minVersion?: TlsVersion;
  };
  /** Whether to connect again after the connection broke. @default {true} */
  readonly autoReconnect?: boolean;
  /** Milliseconds before the first reconnection; they double. @default {500} */
  readonly reconnectBaseMs?: number;
  /** The longest wait in milliseconds. @default {60_000} */
  readonly reconnectMaxMs?: number;
  /** Share of the wait that chance adds or takes, 0 to 1. @default {0.2} */
  readonly reconnectJitter?: number;
  /** Bytes of records in one frame. @default {65_536} */
  readonly maxBatchBytes?: number;
  /** Messages that may be unacknowledged; further ones wait. @default {256} */
  readonly writeQueueSize?: number;
}

/** Replacements for what an ephemeral messenger stands on. */
export interface EphemeralOptions {
  /** Where to log. @default {consoleLogger()} */
  readonly logger?: Logger;
  /**
   * Pipes around the channels, the first nearest to them: `send` sees what is published, `handle` what
   * is delivered. @default none
   */
  readonly pipes?: readonly Pipe[];
  /** Replaces the clock, for tests. */
  readonly clock?: Clock;
  /** Replaces randomness, for tests. */
  readonly random?: Random;
}

/** A message that a hub has stored. */
export interface EphemeralPublished {
  /** UUID of the message. */
  readonly id: string;
}
