import { type Clock, type Logger, silentLogger, StorageError, systemClock } from "../base/mod.ts";
import { listCursors } from "./file_channel_log.ts";
import { denoFiles, type FileSystem } from "./files.ts";
import { layout } from "./layout.ts";
import { dataDirOwner } from "./lock.ts";
import type { CursorInfo, LogReader, Position } from "./log.ts";
import { FileLogReader, type ReadDamage, type ReadSource } from "./log_reader.ts";
import { endOfRecords, listSegments, type Segment } from "./segment.ts";

/** A file that ends within a record. */
export interface TornFile {
  /** The file. */
  readonly path: string;
  /** Bytes after its last whole record. */
  readonly bytes: number;
}

/** A channel as it stands on the disk. */
export interface ChannelView {
  /** The channel's name. */
  readonly channel: string;
  /** Position of the first record that is kept. */
  readonly start: Position;
  /** Position after the last whole record. */
  readonly end: Position;
  /** Bytes kept. */
  readonly bytes: number;
  /** Segment files. */
  readonly segments: number;
  /** What a write that was cut short, or is under way, left after the last whole record. */
  readonly torn: TornFile | undefined;
  /** Its readers' cursors. */
  readonly cursors: readonly CursorInfo[];
}

/** Options of {@linkcode DataDirView}. */
export interface DataDirViewOptions {
  /** Replaces the file system. */
  readonly files?: FileSystem;
  /** Where damage is logged. */
  readonly logger?: Logger;
}

/** Looks at a data directory, also while another process owns it. Needs read permission alone. */
export class DataDirView {
  readonly #dataDir: string;
  readonly #files: FileSystem;
  readonly #logger: Logger;

  /**
   * @param dataDir The data directory.
   * @param options File system and logger.
   * @throws {StorageError} When there is no such directory.
   */
  constructor(dataDir: string, options: DataDirViewOptions = {}) {
    this.#dataDir = dataDir.replace(/(?<=.)\/+$/, "");
    this.#files = options.files ?? denoFiles;
    this.#logger = options.logger ?? silentLogger;
    if (this.#files.stat(layout.channels(this.#dataDir)) === undefined) {
      throw new StorageError(
        `Cannot look into "${dataDir}": it has no folder "channels", so it is no data directory`,
      );
    }
  }

  /** Process id of the owner; undefined when no process owns it. */
  get owner(): number | undefined {
    return dataDirOwner(this.#files, this.#dataDir);
  }

  /** Names of the channels, sorted. */
  channels(): string[] {
    return this.#files.list(layout.channels(this.#dataDir)).sort();
  }

  /** What stands on the disk of a channel. */
  channel(channel: string): ChannelView {
    const tail = new ChannelTail(this.#dataDir, channel, this.#files, this.#logger);
    const { segments } = tail;
    return {
      channel,
      start: tail.start,
      end: tail.end,
      bytes: segments.reduce((sum, segment) => sum + segment.size, 0),
      segments: segments.length,
      torn: tail.torn,
      cursors: listCursors(this.#files, layout.cursors(this.#dataDir, channel), this.#logger),
    };
  }

  /** A reader's way into a channel. */
  tail(channel: string): ChannelTail {
    return new ChannelTail(this.#dataDir, channel, this.#files, this.#logger);
  }
}

/** A channel's records, as far as they were whole at the last look. */
export class ChannelTail implements ReadSource {
  readonly channel: string;
  readonly files: FileSystem;
  readonly logger: Logger;
  readonly clock: Clock = systemClock;
  readonly damage: ReadDamage = { skippedRecords: 0, skippedBytes: 0 };
  readonly #dir: string;
  readonly #known = new Map<number, Segment>();
  segments: Segment[] = [];
  end: Position = 0;
  /** What follows the last whole record, if anything does. */
  torn: TornFile | undefined;

  /** @throws {StorageError} When there is no such channel. */
  constructor(dataDir: string, channel: string, files: FileSystem, logger: Logger) {
    this.channel = channel;
    this.files = files;
    this.logger = logger;
    this.#dir = layout.channel(dataDir, channel);
    if (files.stat(this.#dir) === undefined) {
      throw new StorageError(`Cannot read channel "${channel}": there is none in "${dataDir}"`);
    }
    this.look();
  }

  /** Position of the first record that is kept. */
  get start(): Position {
    return this.segments[0]?.start ?? 0;
  }

  /** Looks for what was written since. @returns Whether there is more. */
  look(): boolean {
    // A reader keeps the file of its segment open: the same segment stays the same object.
    this.segments = listSegments(this.files, this.#dir).map((found) => {
      const known = this.#known.get(found.start);
      if (known === undefined) {
        this.#known.set(found.start, found);
        return found;
      }
      known.size = found.size;
      return known;
    });
    const last = this.segments.at(-1);
    if (last === undefined) return false;
    const file = this.files.open(last.path, { read: true });
    try {
      const written = last.size;
      last.size = endOfRecords(file, written);
      const bytes = written - last.size;
      this.torn = bytes === 0 ? undefined : { path: last.path, bytes };
    } finally {
      file.close();
    }
    const before = this.end;
    this.end = last.start + last.size;
    return this.end > before;
  }

  /** A reader that begins at a position. */
  reader(from: Position): LogReader {
    return new FileLogReader(
      this,
      Math.min(Math.max(from, this.start), this.end),
    );
  }
}
