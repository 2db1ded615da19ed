import { type Logger, messageOf, StorageError } from "../base/mod.ts";
import { type FileSystem, makeDirDurable, type OpenFile, writeWhole } from "./files.ts";
import { endOfRecords, listSegments, newSegment, type Segment } from "./segment.ts";
import type { Syncer } from "./sync.ts";

/** The disk refused to make bytes durable: those written since the last sync cannot be trusted. */
export class SyncFailure extends Error {
  override readonly name = "SyncFailure";
}

/** What a {@linkcode SegmentWriter} works with. */
export interface SegmentWriterOptions {
  readonly dir: string;
  /** Size in bytes at which a new segment begins. */
  readonly segmentBytes: number;
  readonly files: FileSystem;
  readonly syncer: Syncer;
  readonly logger: Logger;
  /** Called when a segment was sealed. */
  readonly onRoll?: () => void;
}

/**
 * The segments of one channel, of which the last is written. A call either writes all of its bytes
 * or leaves the log as it was, so that it can be called again.
 */
export class SegmentWriter {
  /** All segments in order; readers look at it, retention takes from its front. */
  readonly segments: Segment[];
  readonly #options: SegmentWriterOptions;
  #file: OpenFile | undefined;
  #sync: Promise<void> | undefined;
  #unsynced = false;
  #sealsSoon = false;
  /** Position up to which everything is known to be durable. */
  #durable = 0;
  /** Whether a segment was removed and its folder not synced since. */
  #removed = false;

  /**
   * Opens the last segment, or makes the first, and cuts off what a crash left half written.
   *
   * @throws {StorageError} When the folder cannot be used.
   */
  constructor(options: SegmentWriterOptions) {
    this.#options = options;
    const { files, dir } = options;
    try {
      makeDirDurable(files, dir);
      this.segments = listSegments(files, dir);
      if (this.segments.length === 0) this.#create(0);
      else this.#recover();
    } catch (error) {
      throw new StorageError(`Cannot open channel folder "${dir}": ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  /** Size in bytes at which a new segment begins. */
  get segmentBytes(): number {
    return this.#options.segmentBytes;
  }

  /** Global offset after the last byte that was written. */
  get end(): number {
    const last = this.#last;
    return last.start + last.size;
  }

  /** Whether bytes were written that no sync has covered. */
  get unsynced(): boolean {
    return this.#unsynced;
  }

  /** How many more bytes the last segment takes; a record longer than a segment has one alone. */
  get room(): number {
    return this.#sealsSoon ? 0 : this.#options.segmentBytes - this.#last.size;
  }

  /** Lets what is written next begin a new segment. */
  sealSoon(): void {
    this.#sealsSoon = this.#last.size > 0;
  }

  /** Whether the next sync blocks rather than giving a promise. */
  get syncsInline(): boolean {
    return this.#options.syncer.inline;
  }

  /**
   * Writes whole records at the end.
   *
   * @throws What the file system threw; the log is as before.
   */
  write(bytes: Uint8Array): void {
    const last = this.#last;
    const file = this.#file ??= this.#reopen(last);
    try {
      writeWhole(file, bytes);
    } catch (error) {
      this.#cutBack(file, last.size);
      throw error;
    }
    last.size += bytes.length;
    this.#unsynced = true;
  }

  /**
   * Makes what was written durable.
   *
   * @throws {SyncFailure} When the disk refuses.
   */
  sync(): void | Promise<void> {
    if (!this.#unsynced) return;
    const file = this.#file ??= this.#reopen(this.#last);
    const { end } = this;
    this.#unsynced = false;
    try {
      const pending = this.#options.syncer.sync(file);
      if (pending !== undefined) return this.#track(pending, end);
      this.#durable = end;
    } catch (error) {
      throw this.#syncFailed(error);
    }
  }

  /** The same without ever blocking, for a sync that nobody waits for. */
  async syncAside(): Promise<void> {
    if (!this.#unsynced) return;
    const file = this.#file ??= this.#reopen(this.#last);
    this.#unsynced = false;
    await this.#track(file.syncData(), this.end);
  }

  /**
   * Makes what was written up to a position durable, unless it is.
   *
   * @throws {SyncFailure} When the disk refuses.
   */
  syncTo(position: number): void | Promise<void> {
    if (position <= this.#durable) return;
    return this.#sync === undefined ? this.sync() : this.#syncAfter(this.#sync, position);
  }

  /** Closes the last segment for good, synced, and begins the next. */
  async roll(): Promise<void> {
    await this.#sync?.catch(() => {});
    if (this.#last.size === 0) return;
    this.#file ??= this.#reopen(this.#last);
    await this.syncAside();
    this.#create(this.end);
    this.#options.onRoll?.();
  }

  /**
   * Takes back everything from a position on: its sync failed, so its bytes cannot be trusted. Files
   * that refuse to be cut or removed now are when the next write opens the last segment.
   */
  rollback(position: number): void {
    this.#distrust();
    while (this.segments.length > 1 && this.#last.start >= position) this.segments.pop();
    this.#last.size = position - this.#last.start;
    this.#durable = Math.min(this.#durable, position);
    this.#unsynced = true;
    try {
      this.#file = this.#reopen(this.#last);
    } catch (error) {
      const { dir, logger } = this.#options;
      logger.warn("could not take records back yet", { folder: dir, error: messageOf(error) });
    }
  }

  /** Syncs and closes. */
  async close(): Promise<void> {
    await this.#sync?.catch(() => {});
    try {
      await this.syncAside();
    } finally {
      this.#file?.close();
      this.#file = undefined;
    }
  }

  get #last(): Segment {
    return this.segments[this.segments.length - 1]!;
  }

  async #syncAfter(other: Promise<void>, position: number): Promise<void> {
    await other.catch(() => {});
    await this.syncTo(position);
  }

  async #track(pending: Promise<void>, end: number): Promise<void> {
    this.#sync = pending;
    try {
      await pending;
      this.#durable = Math.max(this.#durable, end);
    } catch (error) {
      throw this.#syncFailed(error);
    } finally {
      if (this.#sync === pending) this.#sync = undefined;
    }
  }

  #syncFailed(error: unknown): SyncFailure {
    this.#distrust();
    this.#unsynced = true;
    return new SyncFailure(messageOf(error), { cause: error });
  }

  #create(start: number): void {
    const { files, dir } = this.#options;
    const segment = newSegment(dir, start);
    const file = files.open(segment.path, { create: true, append: true, read: true });
    try {
      file.truncateSync(0);
      files.syncDir(dir);
    } catch (error) {
      file.close();
      throw error;
    }
    this.#file?.close();
    this.#file = file;
    this.#sealsSoon = false;
    this.segments.push(segment);
  }

  #recover(): void {
    const last = this.#last;
    const file = this.#openLast(last);
    try {
      const end = endOfRecords(file, last.size);
      if (end < last.size) this.#cutTorn(file, last, end);
    } catch (error) {
      file.close();
      throw error;
    }
    this.#file = file;
    // What a process that was killed wrote last may not have reached the disk yet.
    this.#durable = last.start;
    this.#unsynced = last.size > 0;
  }

  #cutTorn(file: OpenFile, last: Segment, end: number): void {
    const { files, logger } = this.#options;
    const kept = `${last.path}.torn`;
    let failure: unknown;
    try {
      keepTorn(files, file, kept, end);
    } catch (error) {
      // What no publisher was told is stored is no reason to keep the channel shut.
      failure = error;
    }
    file.truncateSync(end);
    file.syncDataSync();
    logger.warn("cut off a record that a crash left half written", {
      segment: last.path,
      bytes: last.size - end,
      ...(failure === undefined ? { kept_in: kept } : { not_kept: messageOf(failure) }),
    });
    last.size = end;
  }

  #openLast(segment: Segment): OpenFile {
    return this.#options.files.open(segment.path, { create: true, append: true, read: true });
  }

  /** Opens the last segment anew, without what was taken back since it was closed. */
  #reopen(segment: Segment): OpenFile {
    const file = this.#openLast(segment);
    try {
      if (file.statSync().size > segment.size) file.truncateSync(segment.size);
      this.#removeAfter(segment);
      return file;
    } catch (error) {
      file.close();
      throw error;
    }
  }

  /** Removes segments that were made after the last one: the next start would find them. */
  #removeAfter(last: Segment): void {
    const { files, dir } = this.#options;
    for (const { start, path } of listSegments(files, dir)) {
      if (start <= last.start) continue;
      this.#removed = true;
      files.remove(path);
    }
    if (this.#removed) files.syncDir(dir);
    this.#removed = false;
  }

  #cutBack(file: OpenFile, size: number): void {
    try {
      file.truncateSync(size);
    } catch {
      // The disk does not even take that: the next write opens the file anew and cuts it then.
      this.#distrust();
    }
  }

  /** After a failed sync the kernel may call lost pages clean: only a new handle tells the truth. */
  #distrust(): void {
    this.#file?.close();
    this.#file = undefined;
  }
}

function keepTorn(files: FileSystem, file: OpenFile, path: string, end: number): void {
  const torn = files.open(path, { create: true, write: true, truncate: true });
  try {
    file.seekSync(end, 0);
    const buffer = new Uint8Array(64 * 1024);
    for (;;) {
      const count = file.readSync(buffer);
      if (count === null || count === 0) break;
      writeWhole(torn, buffer.subarray(0, count));
    }
  } catch (error) {
    files.remove(path);
    throw error;
  } finally {
    torn.close();
  }
}
