import {
  type Clock,
  type Logger,
  messageOf,
  MessengerClosedError,
  quote,
  StorageError,
} from "../base/mod.ts";
import { FileCursor, readCursor } from "./cursor_file.ts";
import type { FileSystem } from "./files.ts";
import { GroupCommit, type SyncPolicy } from "./group_commit.ts";
import { CURSOR_SUFFIX, layout } from "./layout.ts";
import type {
  ChannelLog,
  Cursor,
  CursorInfo,
  LogReader,
  LogStats,
  Position,
  RecordData,
} from "./log.ts";
import { FileLogReader, type ReadDamage, type ReadSource } from "./log_reader.ts";
import { droppable, type DroppedSegment, type RetentionRules } from "./retention.ts";
import type { Segment } from "./segment.ts";
import { SegmentWriter } from "./segment_writer.ts";
import { Syncer } from "./sync.ts";
import { Waiters } from "./waiters.ts";

/** Bytes of the last segment that trimming gives up before it lets another one begin. */
const TRIMMED_SEGMENT_BYTES = 4 * 1024 * 1024;

/** What a {@linkcode FileChannelLog} works with. */
export interface FileLogOptions {
  readonly dataDir: string;
  readonly syncPolicy: SyncPolicy;
  readonly syncIntervalMs: number;
  readonly segmentBytes: number;
  readonly maxPendingBytes: number;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called when a segment was sealed. */
  readonly onRoll: () => void;
}

/** A channel's log in segment files, with its cursors in files beside. */
export class FileChannelLog implements ChannelLog, ReadSource {
  readonly channel: string;
  readonly files: FileSystem;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly recoveredEnd: Position;
  readonly damage: ReadDamage = { skippedRecords: 0, skippedBytes: 0 };
  readonly #options: FileLogOptions;
  readonly #syncer: Syncer;
  readonly #writer: SegmentWriter;
  readonly #commit: GroupCommit;
  readonly #waiters = new Waiters();
  readonly #cursorDir: string;

  /**
   * @param channel A valid channel name.
   * @param options Where and how.
   * @throws {StorageError} When the channel's folder cannot be used.
   */
  constructor(channel: string, options: FileLogOptions) {
    this.channel = channel;
    this.files = options.files;
    this.logger = options.logger;
    this.clock = options.clock;
    this.#options = options;
    this.#syncer = new Syncer(options.clock);
    this.#cursorDir = layout.cursors(options.dataDir, channel);
    this.#writer = new SegmentWriter({
      dir: layout.channel(options.dataDir, channel),
      segmentBytes: options.segmentBytes,
      files: options.files,
      syncer: this.#syncer,
      logger: options.logger,
      onRoll: options.onRoll,
    });
    this.#commit = new GroupCommit({
      channel,
      segments: this.#writer,
      policy: options.syncPolicy,
      syncIntervalMs: options.syncIntervalMs,
      maxPendingBytes: options.maxPendingBytes,
      clock: options.clock,
      logger: options.logger,
      onCommit: (end) => this.#waiters.notify(end),
    });
    this.recoveredEnd = this.#commit.end;
  }

  get segments(): SegmentWriter["segments"] {
    return this.#writer.segments;
  }

  get start(): Position {
    return this.segments[0]!.start;
  }

  get end(): Position {
    return this.#commit.end;
  }

  append<T>(record: RecordData, result: (position: Position) => T): Promise<T> {
    return this.#commit.append(record, result);
  }

  appendAll(records: readonly RecordData[]): Promise<readonly Position[]> {
    return this.#commit.appendAll(records);
  }

  reader(from: Position): LogReader {
    return new FileLogReader(this, from);
  }

  async waitFor(position: Position, signal?: AbortSignal): Promise<void> {
    if (this.end <= position) await this.#waiters.wait(position, signal);
  }

  cursor(name: string): Promise<Cursor> {
    return Promise.resolve().then(() =>
      new FileCursor({
        dir: this.#cursorDir,
        name: checkedCursorName(name),
        files: this.files,
        syncer: this.#syncer,
        logger: this.logger,
        syncLog: (position) => this.#writer.syncTo(position),
      })
    );
  }

  cursors(): Promise<readonly CursorInfo[]> {
    return Promise.resolve().then(() => listCursors(this.files, this.#cursorDir, this.logger));
  }

  removeCursor(name: string): Promise<boolean> {
    return Promise.resolve().then(() => {
      const path = `${this.#cursorDir}/${checkedCursorName(name)}${CURSOR_SUFFIX}`;
      if (this.files.stat(path) === undefined) return false;
      this.files.remove(path);
      this.files.syncDir(this.#cursorDir);
      return true;
    });
  }

  async trim(before: Position, sealNow = false): Promise<void> {
    if (before > this.end) {
      throw new StorageError(
        `Cannot trim channel "${this.channel}" before ${before}: it ends at ${this.end}`,
      );
    }
    try {
      if (sealNow && before === this.end) await this.#commit.roll();
      while (this.segments.length > 1) {
        const [oldest] = this.segments;
        if (oldest!.start + oldest!.size > before) break;
        this.#remove(oldest!);
        this.segments.shift();
      }
    } catch (error) {
      if (error instanceof MessengerClosedError) throw error;
      throw new StorageError(`Cannot trim channel "${this.channel}": ${messageOf(error)}`, {
        cause: error,
      });
    }
    // The last segment is what is being written: it goes once there is another one.
    if (before - this.segments.at(-1)!.start >= TRIMMED_SEGMENT_BYTES) this.#writer.sealSoon();
  }

  stats(): LogStats {
    let bytes = 0;
    for (const segment of this.segments) bytes += segment.size;
    return {
      channel: this.channel,
      start: this.start,
      end: this.end,
      bytes,
      segments: this.segments.length,
      appended: this.#commit.appended,
      commits: this.#commit.commits,
      ...this.damage,
      stalled: this.#commit.stalled,
    };
  }

  /**
   * Deletes sealed segments that nobody needs, and those that the rules give up. A cursor that cannot
   * be read counts as one that has read nothing.
   *
   * @returns What was deleted although a reader had not read it.
   */
  retain(rules: RetentionRules): readonly DroppedSegment[] {
    const cursors = listCursors(this.files, this.#cursorDir, this.logger, 0);
    // A segment of a group that is still being written may yet be taken back.
    const written = this.segments.filter(({ start }) => start < this.end);
    const dropped = droppable(written, cursors, rules, {
      now: this.#options.clock.now(),
      changedAt: (segment) => this.files.stat(segment.path)?.changedAt ?? 0,
    });
    for (const { segment, unreadBy } of dropped) {
      this.#remove(segment);
      this.segments.splice(this.segments.indexOf(segment), 1);
      for (const { name, bytes } of unreadBy) {
        this.logger.warn("retention deleted what a reader had not read", {
          channel: this.channel,
          reader: name,
          bytes,
        });
      }
    }
    return dropped.filter(({ unreadBy }) => unreadBy.length > 0);
  }

  #remove(segment: Segment): void {
    try {
      this.files.remove(segment.path);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }

  /**
   * Writes out what is pending and closes the files.
   *
   * @throws {StorageError} When the last records could not be made durable.
   */
  async close(): Promise<void> {
    await this.#commit.close();
    this.#waiters.close(new MessengerClosedError(`wait for channel "${this.channel}"`));
    try {
      await this.#writer.close();
    } catch (error) {
      throw new StorageError(`Cannot close channel "${this.channel}": ${messageOf(error)}`, {
        cause: error,
      });
    }
  }
}

/** Peers' names are percent-encoded, so that no reader's name leads out of its channel's folder. */
function checkedCursorName(name: string): string {
  if (/^[a-zA-Z0-9._%-]+$/.test(name) && name !== "..") return name;
  throw new StorageError(
    `Cannot keep a cursor named ${quote(name)}: it takes a-z, A-Z, 0-9, ".", "_", "-" and "%"`,
  );
}

/**
 * The cursors in a channel's folder. Those that cannot be read are logged.
 *
 * @param unreadable The position to give them; they are left out without.
 */
export function listCursors(
  files: FileSystem,
  dir: string,
  logger: Logger,
  unreadable?: Position,
): CursorInfo[] {
  const cursors: CursorInfo[] = [];
  for (const file of files.list(dir)) {
    if (!file.endsWith(CURSOR_SUFFIX)) continue;
    const path = `${dir}/${file}`;
    let position: Position | undefined;
    try {
      position = readCursor(files, path, logger);
    } catch (error) {
      logger.error("could not read a cursor", { path, error: messageOf(error) });
      position = unreadable;
    }
    if (position === undefined) continue;
    const name = file.slice(0, -CURSOR_SUFFIX.length);
    cursors.push({ name, position, movedAt: files.stat(path)?.changedAt ?? 0 });
  }
  return cursors.sort((a, b) => a.name < b.name ? -1 : 1);
}
