import { MessengerClosedError, StorageError } from "../base/mod.ts";
import { MAX_RECORD_BYTES } from "../envelope/mod.ts";
import type {
  Block,
  ChannelLog,
  ChannelLogs,
  Cursor,
  CursorInfo,
  LogReader,
  LogStats,
  Position,
  RecordData,
} from "./log.ts";
import { Waiters } from "./waiters.ts";

const encoder = new TextEncoder();

/** Options of {@linkcode MemoryChannelLogs}. */
export interface MemoryLogOptions {
  /** Records that a channel keeps; the oldest go first. @default {100_000} */
  readonly maxRecords?: number;
}

/**
 * A log in memory: the readable model of what a log does, for tests and for messengers that keep
 * nothing. Its positions count records.
 */
export class MemoryChannelLog implements ChannelLog {
  readonly channel: string;
  readonly #maxRecords: number;
  readonly #waiters = new Waiters();
  readonly #cursors = new Map<string, CursorInfo>();
  #records: Uint8Array[] = [];
  #start = 0;
  #bytes = 0;
  #appended = 0;
  #commits = 0;
  #closed = false;

  /**
   * @param channel The channel's name.
   * @param options How much to keep.
   */
  constructor(channel: string, options: MemoryLogOptions = {}) {
    this.channel = channel;
    this.#maxRecords = options.maxRecords ?? 100_000;
  }

  get start(): Position {
    return this.#start;
  }

  get end(): Position {
    return this.#start + this.#records.length;
  }

  /** A restart is imagined here: whatever is there may have been there before. */
  get recoveredEnd(): Position {
    return this.end;
  }

  async append<T>(record: RecordData, result: (position: Position) => T): Promise<T> {
    const [position] = await this.appendAll([record]);
    return result(position!);
  }

  async appendAll(records: readonly RecordData[]): Promise<readonly Position[]> {
    if (this.#closed) throw new MessengerClosedError(`append to channel "${this.channel}"`);
    const first = this.end;
    const copies = records.map((record) => this.#copyOf(record));
    for (const bytes of copies) {
      this.#records.push(bytes);
      this.#bytes += bytes.length;
    }
    this.#appended += records.length;
    this.#commits++;
    this.#drop(this.#records.length - this.#maxRecords);
    await Promise.resolve();
    this.#waiters.notify(this.end);
    return records.map((_, index) => first + index);
  }

  reader(from: Position): LogReader {
    let position = from;
    return {
      get position() {
        return position;
      },
      read: (maxBytes) => {
        const block = this.#read(position, maxBytes);
        position = block.next;
        return block;
      },
      close() {},
    };
  }

  async waitFor(position: Position, signal?: AbortSignal): Promise<void> {
    if (this.end <= position) await this.#waiters.wait(position, signal);
  }

  cursor(name: string): Promise<Cursor> {
    const cursors = this.#cursors;
    return Promise.resolve({
      name,
      get position() {
        return cursors.get(name)?.position;
      },
      save(position) {
        cursors.set(name, { name, position, movedAt: Date.now() });
      },
      close() {},
    });
  }

  cursors(): Promise<readonly CursorInfo[]> {
    return Promise.resolve([...this.#cursors.values()]);
  }

  removeCursor(name: string): Promise<boolean> {
    return Promise.resolve(this.#cursors.delete(name));
  }

  // deno-lint-ignore require-await -- what it throws becomes the promise's rejection
  async trim(before: Position): Promise<void> {
    if (before > this.end) {
      throw new StorageError(
        `Cannot trim channel "${this.channel}" before ${before}: it ends at ${this.end}`,
      );
    }
    this.#drop(before - this.#start);
  }

  stats(): LogStats {
    return {
      channel: this.channel,
      start: this.start,
      end: this.end,
      bytes: this.#bytes,
      segments: 1,
      appended: this.#appended,
      commits: this.#commits,
      skippedRecords: 0,
      skippedBytes: 0,
      stalled: false,
    };
  }

  /** Refuses what comes from now on. */
  close(): void {
    this.#closed = true;
    this.#waiters.close(new MessengerClosedError(`wait for channel "${this.channel}"`));
  }

  #drop(records: number): void {
    if (records <= 0) return;
    for (const dropped of this.#records.splice(0, records)) this.#bytes -= dropped.length;
    this.#start += records;
  }

  #copyOf(record: RecordData): Uint8Array {
    const bytes = typeof record === "string" ? encoder.encode(record) : record.slice();
    if (bytes.length <= MAX_RECORD_BYTES) return bytes;
    throw new StorageError(
      `Cannot append to channel "${this.channel}": a record of ${bytes.length} bytes is over the ` +
        `limit of ${MAX_RECORD_BYTES}`,
    );
  }

  #read(from: Position, maxBytes: number): Block {
    if (from > this.end) {
      throw new StorageError(
        `Cannot read channel "${this.channel}" at ${from}: it ends at ${this.end}`,
      );
    }
    let position = Math.max(from, this.#start);
    let bytes = 0;
    const records = [];
    while (position < this.end) {
      const record = this.#records[position - this.#start]!;
      bytes += record.length;
      if (records.length > 0 && bytes > maxBytes) break;
      records.push({ bytes: record, position, next: position + 1 });
      position++;
    }
    return { records, next: position };
  }
}

/** Channels in memory. */
export class MemoryChannelLogs implements ChannelLogs {
  readonly #options: MemoryLogOptions;
  readonly #logs = new Map<string, MemoryChannelLog>();
  readonly #listeners = new Set<(channel: string) => void>();
  #closed = false;

  /** @param options How much each channel keeps. */
  constructor(options: MemoryLogOptions = {}) {
    this.#options = options;
  }

  get(channel: string): ChannelLog | undefined {
    return this.#logs.get(channel);
  }

  // deno-lint-ignore require-await -- what it throws becomes the promise's rejection
  async open(channel: string): Promise<ChannelLog> {
    if (this.#closed) throw new MessengerClosedError(`open channel "${channel}"`);
    let log = this.#logs.get(channel);
    if (log === undefined) {
      log = new MemoryChannelLog(channel, this.#options);
      this.#logs.set(channel, log);
      for (const listener of this.#listeners) listener(channel);
    }
    return log;
  }

  names(): readonly string[] {
    return [...this.#logs.keys()].sort();
  }

  onCreate(listener: (channel: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): Promise<void> {
    this.#closed = true;
    for (const log of this.#logs.values()) log.close();
    return Promise.resolve();
  }
}
