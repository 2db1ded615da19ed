import type { Clock, Logger, Random } from "../base/mod.ts";
import type { AuditStats } from "../audit/mod.ts";
import type { HubClientStats, HubStats } from "../federation/mod.ts";
import type { Pipe } from "../pipes/core.ts";
import type { FileSystem, LogStats, Message, Position, SubscriberStats } from "../storage/mod.ts";

/** Replacements for what the messenger stands on. */
export interface MessengerOptions {
  /** Where to log. @default {consoleLogger()} */
  readonly logger?: Logger;
  /** The data directory, instead of the configuration's. */
  readonly dataDir?: string;
  /** Whether payload types that are not registered are expected: no warning. @default {false} */
  readonly anyPayloadType?: boolean;
  /**
   * Pipes around the channels, the first nearest to them: `send` sees what is published, `handle` what
   * is delivered. @default none
   */
  readonly pipes?: readonly Pipe[];
  /** Replaces the clock, for tests. */
  readonly clock?: Clock;
  /** Replaces randomness, for tests. */
  readonly random?: Random;
  /** Replaces the file system, for tests. */
  readonly files?: FileSystem;
}

/** Options of `publish`. */
export interface PublishOptions {
  /** Groups messages that belong together. @default the current one of the calling context */
  readonly correlationId?: string;
  /** Who publishes. @default the current one of the calling context */
  readonly serviceName?: string;
  /** UUID of the message. @default a new one */
  readonly id?: string;
  /** Ends the waiting. A message that was handed to the disk by then is stored all the same. */
  readonly signal?: AbortSignal;
}

/** One message of `publishBatch`. */
export interface BatchMessage {
  /** What the payload is. */
  readonly payloadType: string;
  /** Any value that JSON can carry. */
  readonly payload: unknown;
  /** UUID of the message. @default a new one */
  readonly id?: string;
  /** Groups messages that belong together. */
  readonly correlationId?: string;
  /** Who publishes. */
  readonly serviceName?: string;
}

/** A message that is stored. */
export interface Published {
  /** UUID of the message. */
  readonly id: string;
  /** Where it stands in the channel's log. */
  readonly position: Position;
}

/** Options of `subscribe`. What is left out comes from the configuration. */
export interface SubscribeOptions {
  /** Ends the subscription. */
  readonly signal?: AbortSignal;
  /**
   * Where a subscriber that has no cursor yet begins. One that has a cursor goes on from it.
   * @default {"end"}
   */
  readonly from?: "end" | "start" | Position;
  /** How often a failing message is tried again. @default `subscribers.max_retries`, 5 */
  readonly maxRetries?: number;
  /** Milliseconds before the first retry; they double. @default `subscribers.retry_backoff_base_ms`, 100 */
  readonly retryBackoffMs?: number;
  /** Messages older than this many milliseconds are skipped. @default none is */
  readonly maxAgeMs?: number;
  /** Messages handled at a time. Order needs one. @default {1} */
  readonly concurrency?: 1;
}

/** Options of `read`. */
export interface ReadOptions {
  /** Where to begin. @default {"start"} */
  readonly from?: "start" | "end" | Position;
  /** Whether to wait for what is published from now on. @default {false} */
  readonly follow?: boolean;
  /** Ends the reading, also while it waits. */
  readonly signal?: AbortSignal;
}

/** A message as `read` gives it. */
export interface StoredMessage<T = unknown> extends Message<T> {
  /** Where the next message begins: reading from here goes on behind this one. */
  readonly next: Position;
}

/** Options of `trim`. */
export interface TrimOptions {
  /**
   * Whether the file that is being written goes as well, when all of it is given up. It costs a sync
   * and a new file; without it the file goes once it has grown and more is published.
   * @default {false}
   */
  readonly sealNow?: boolean;
}

/** What is kept of a channel. */
export interface ChannelInfo {
  /** The channel's name. */
  readonly channel: string;
  /** Position of the first message that is kept. */
  readonly start: Position;
  /** Position after the last message. */
  readonly end: Position;
}

/** A running subscription. */
export interface Subscription extends AsyncDisposable {
  /** The channel that it follows. */
  readonly channel: string;
  /** The subscriber's id. */
  readonly subscriberId: string;
  /** First position that has not been handled. */
  readonly position: Position;
  /** Bytes between the position and the channel's end. */
  readonly lagBytes: number;
  /** Ends delivery, after the running handler; its cursor stays. */
  close(): Promise<void>;
}

/** What a messenger tells of itself. */
export interface Stats {
  /** The instance's name. */
  readonly instanceName: string;
  /** Every channel that is open. */
  readonly channels: readonly LogStats[];
  /** Every running subscription. */
  readonly subscribers: readonly SubscriberStats[];
  /** The hub, when one runs. */
  readonly hub?: HubStats;
  /** The hubs that this instance dials, when it dials any. */
  readonly hubs?: readonly HubClientStats[];
  /** The audit log, when there are links. */
  readonly audit?: AuditStats;
}
