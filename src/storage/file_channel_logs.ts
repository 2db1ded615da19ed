import {
  type Clock,
  isDeadLetterChannel,
  type Logger,
  messageOf,
  MessengerClosedError,
  silentLogger,
  StorageError,
  systemClock,
  type Timer,
  validateChannelName,
} from "../base/mod.ts";
import { FileChannelLog } from "./file_channel_log.ts";
import { denoFiles, type FileSystem } from "./files.ts";
import type { SyncPolicy } from "./group_commit.ts";
import { layout } from "./layout.ts";
import { lockDataDir } from "./lock.ts";
import type { ChannelLog, ChannelLogs } from "./log.ts";
import type { RetentionRules } from "./retention.ts";

/** Options of {@linkcode FileChannelLogs}. */
export interface FileChannelLogsOptions extends Partial<RetentionRules> {
  /** When records are synced; those of dead-letter channels always are. @default {"periodic"} */
  readonly syncPolicy?: SyncPolicy;
  /** Milliseconds between syncs under `periodic`. @default {200} */
  readonly syncIntervalMs?: number;
  /** Size in bytes at which a new segment begins. @default {268_435_456} */
  readonly segmentBytes?: number;
  /** Bytes of a channel that may wait for a busy disk before publishers wait. @default {16_777_216} */
  readonly maxPendingBytes?: number;
  /** Milliseconds between looks for segments to delete. @default {30_000} */
  readonly retentionIntervalMs?: number;
  /** Replaces the file system. */
  readonly files?: FileSystem;
  /** Replaces the clock. */
  readonly clock?: Clock;
  /** Where to log. */
  readonly logger?: Logger;
}

const MIB = 1024 * 1024;

/** The channels of one data directory, which this process owns while they are open. */
export class FileChannelLogs implements ChannelLogs {
  readonly #dataDir: string;
  readonly #options: Required<Omit<FileChannelLogsOptions, keyof RetentionRules>>;
  readonly #rules: RetentionRules;
  readonly #lock: Disposable;
  readonly #logs = new Map<string, FileChannelLog>();
  readonly #names: Set<string>;
  readonly #listeners = new Set<(channel: string) => void>();
  #retentionTimer: Timer | undefined;
  #closing: Promise<void> | undefined;

  /**
   * @param dataDir The data directory; made when missing.
   * @param options How to keep channels.
   * @throws {DataDirLockedError} When another process owns the directory.
   * @throws {StorageError} When the directory cannot be used.
   */
  constructor(dataDir: string, options: FileChannelLogsOptions = {}) {
    this.#dataDir = dataDir.replace(/(?<=.)\/+$/, "");
    this.#options = {
      syncPolicy: options.syncPolicy ?? "periodic",
      syncIntervalMs: options.syncIntervalMs ?? 200,
      segmentBytes: options.segmentBytes ?? 256 * MIB,
      maxPendingBytes: options.maxPendingBytes ?? 16 * MIB,
      retentionIntervalMs: options.retentionIntervalMs ?? 30_000,
      files: options.files ?? denoFiles,
      clock: options.clock ?? systemClock,
      logger: options.logger ?? silentLogger,
    };
    this.#rules = {
      maxFiles: options.maxFiles ?? 0,
      retentionMs: options.retentionMs ?? 0,
    };
    const { files } = this.#options;
    this.#lock = lockDataDir(files, this.#dataDir, Deno.pid);
    try {
      files.makeDir(layout.channels(this.#dataDir));
      files.makeDir(layout.subscribers(this.#dataDir));
      files.syncDir(this.#dataDir);
      this.#names = new Set(files.list(layout.channels(this.#dataDir)));
    } catch (error) {
      this.#lock[Symbol.dispose]();
      throw new StorageError(`Cannot open data directory "${dataDir}": ${messageOf(error)}`, {
        cause: error,
      });
    }
    this.#armRetention();
  }

  get(channel: string): ChannelLog | undefined {
    return this.#logs.get(channel);
  }

  // deno-lint-ignore require-await -- what it throws becomes the promise's rejection
  async open(channel: string): Promise<ChannelLog> {
    if (this.#closing !== undefined) throw new MessengerClosedError(`open channel "${channel}"`);
    const known = this.#logs.get(channel);
    if (known !== undefined) return known;
    validateChannelName(channel);
    const { clock, files, logger, ...rest } = this.#options;
    const log = new FileChannelLog(channel, {
      dataDir: this.#dataDir,
      clock,
      files,
      logger,
      ...rest,
      // The cursor that moves on past a dead letter is durable: the letter must be so before it.
      ...(isDeadLetterChannel(channel) && { syncPolicy: "always" }),
      onRoll: () => clock.soon(() => this.retain()),
    });
    this.#logs.set(channel, log);
    if (!this.#names.has(channel)) {
      this.#names.add(channel);
      for (const listener of this.#listeners) listener(channel);
    }
    return log;
  }

  names(): readonly string[] {
    return [...this.#names].sort();
  }

  onCreate(listener: (channel: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Looks once over every open channel for segments to delete. */
  retain(): void {
    if (this.#closing !== undefined) return;
    for (const log of this.#logs.values()) {
      try {
        log.retain(this.#rules);
      } catch (error) {
        this.#options.logger.error("could not delete old segments", {
          channel: log.channel,
          error: messageOf(error),
        });
      }
    }
  }

  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  async #close(): Promise<void> {
    this.#retentionTimer?.cancel();
    const results = await Promise.allSettled([...this.#logs.values()].map((log) => log.close()));
    this.#lock[Symbol.dispose]();
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }

  #armRetention(): void {
    const { clock, retentionIntervalMs } = this.#options;
    this.#retentionTimer = clock.after(retentionIntervalMs, () => {
      this.retain();
      this.#armRetention();
    }, { unref: true });
  }
}
