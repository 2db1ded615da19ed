import { type Clock, type Logger, messageOf, StorageError } from "../base/mod.ts";
import { MAX_RECORD_BYTES } from "../envelope/mod.ts";
import { type FileSystem, type OpenFile, readFully } from "./files.ts";
import { LineSplitter } from "./lines.ts";
import type { Block, LogReader, Position, StoredRecord } from "./log.ts";
import type { Segment } from "./segment.ts";

const NEWLINE = 0x0a;
const INLINE_MAX_MS = 1;
const MIN_BUFFER_BYTES = 16 * 1024;

/** What a reader skipped. The log that it reads keeps the sums. */
export interface ReadDamage {
  skippedRecords: number;
  skippedBytes: number;
}

/** What a {@linkcode FileLogReader} reads. */
export interface ReadSource {
  readonly channel: string;
  readonly files: FileSystem;
  readonly logger: Logger;
  readonly damage: ReadDamage;
  readonly clock: Clock;
  /** The segments in order; the list may change between reads. */
  readonly segments: readonly Segment[];
  /** Position after the last record. */
  readonly end: Position;
}

/** Reads whole lines across segments. */
export class FileLogReader implements LogReader {
  readonly #source: ReadSource;
  #position: Position;
  #buffer = new Uint8Array(0);
  #open: { readonly segment: Segment; readonly file: OpenFile } | undefined;
  /** Whether the line at the position is one whose beginning is not ours to give. */
  #inside: boolean;
  /** A read that takes longer than a millisecond waits for a disk: the next one waits aside. */
  #lastReadMs = 0;

  /**
   * @param source What to read.
   * @param from Where to begin; inside a record means at the next one.
   */
  constructor(source: ReadSource, from: Position) {
    this.#source = source;
    this.#position = from;
    this.#inside = from > 0;
  }

  get position(): Position {
    return this.#position;
  }

  read(maxBytes: number): Block | Promise<Block> {
    const { source, position } = { source: this.#source, position: this.#position };
    if (position > source.end) {
      throw new StorageError(
        `Cannot read channel "${source.channel}" at ${position}: it ends at ${source.end}`,
      );
    }
    if (this.#inside) this.#leaveRecord();
    if (this.#position >= source.end) return { records: [], next: this.#position };
    const segment = this.#segmentAt();
    if (segment === undefined) return { records: [], next: this.#position };
    const offset = this.#position - segment.start;
    const available = Math.min(segment.size, source.end - segment.start) - offset;
    const wanted = Math.min(available, Math.max(maxBytes, MIN_BUFFER_BYTES));
    const file = this.#fileOf(segment);
    this.#reserve(wanted);
    const began = source.clock.monotonic();
    if (this.#lastReadMs > INLINE_MAX_MS) {
      return this.#readAside(file, segment, offset, wanted, available, began);
    }
    const read = readFully(file, this.#buffer.subarray(0, wanted), offset);
    this.#lastReadMs = source.clock.monotonic() - began;
    return this.#split(segment, offset, read, wanted, available);
  }

  close(): void {
    this.#open?.file.close();
    this.#open = undefined;
  }

  async #readAside(
    file: OpenFile,
    segment: Segment,
    offset: number,
    wanted: number,
    available: number,
    began: number,
  ): Promise<Block> {
    file.seekSync(offset, 0);
    let read = 0;
    while (read < wanted) {
      const count = await file.read(this.#buffer.subarray(read, wanted));
      if (count === null || count === 0) break;
      read += count;
    }
    this.#lastReadMs = this.#source.clock.monotonic() - began;
    return this.#split(segment, offset, read, wanted, available);
  }

  /** Cuts what was read into records. */
  #split(
    segment: Segment,
    offset: number,
    read: number,
    wanted: number,
    available: number,
  ): Block | Promise<Block> {
    const buffer = this.#buffer;
    const base = segment.start + offset;
    const lines = new LineSplitter(buffer, read, base);
    const records: StoredRecord[] = [];
    for (let line = lines.next(); line !== undefined; line = lines.next()) {
      const { length } = line;
      if (length === 0) this.#skipRecord(line.position, "an empty line");
      else if (length > MAX_RECORD_BYTES) this.#skipRecord(line.position, "a record over 10 MiB");
      else records.push(line);
    }
    const at = lines.at;
    if (at === 0) return this.#readLong(segment, offset, read, wanted, available);
    this.#position = base + at;
    if (records.length === 0) return this.read(wanted);
    return { records, next: this.#position };
  }

  /** What was read holds no whole line: it is longer, too long, or the file ends in its middle. */
  #readLong(
    segment: Segment,
    offset: number,
    read: number,
    wanted: number,
    available: number,
  ): Block | Promise<Block> {
    const start = segment.start + offset;
    if (read < wanted || wanted === available) {
      this.#skipRecord(start, "a line without an end");
      this.#position = start + available;
    } else if (wanted <= MAX_RECORD_BYTES) {
      return this.read(Math.min(wanted * 2, MAX_RECORD_BYTES + 1));
    } else {
      this.#skipRecord(start, "a record over 10 MiB");
      this.#position = segment.start + this.#endOfLine(segment, offset + read);
    }
    return this.read(MIN_BUFFER_BYTES);
  }

  /** Where the line that goes on at an offset ends, just past its line feed. */
  #endOfLine(segment: Segment, from: number): number {
    const file = this.#fileOf(segment);
    let offset = from;
    while (offset < segment.size) {
      const read = readFully(file, this.#buffer, offset);
      if (read === 0) break;
      const end = this.#buffer.subarray(0, read).indexOf(NEWLINE);
      if (end >= 0) return offset + end + 1;
      offset += read;
    }
    return segment.size;
  }

  /** A position that does not follow a line feed lies inside a record: goes on to the next one. */
  #leaveRecord(): void {
    this.#inside = false;
    const { segments, end } = this.#source;
    if (this.#position >= end) return;
    const segment = segments.findLast((candidate) => candidate.start <= this.#position);
    if (segment === undefined || segment.start === this.#position) return;
    const offset = this.#position - segment.start;
    if (offset >= segment.size) return;
    this.#reserve(MIN_BUFFER_BYTES);
    this.#position = segment.start + this.#endOfLine(segment, offset - 1);
  }

  /** The segment that holds the position, over gaps. */
  #segmentAt(): Segment | undefined {
    const { segments, end } = this.#source;
    for (const segment of segments) {
      if (segment.start + segment.size <= this.#position && segment !== segments.at(-1)) continue;
      if (segment.start > this.#position) this.#skipGap(segment.start);
      return this.#position < end ? segment : undefined;
    }
    return undefined;
  }

  #fileOf(segment: Segment): OpenFile {
    if (this.#open?.segment === segment) return this.#open.file;
    this.close();
    try {
      const file = this.#source.files.open(segment.path, { read: true });
      this.#open = { segment, file };
      return file;
    } catch (error) {
      throw new StorageError(`Cannot read "${segment.path}": ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  #reserve(bytes: number): void {
    if (this.#buffer.length < bytes) this.#buffer = new Uint8Array(bytes);
  }

  #skipRecord(position: Position, what: string): void {
    const { channel, logger, damage } = this.#source;
    damage.skippedRecords++;
    logger.error(`skipped ${what}`, { channel, position });
  }

  #skipGap(to: Position): void {
    const { channel, logger, damage } = this.#source;
    const bytes = to - this.#position;
    damage.skippedBytes += bytes;
    logger.warn("skipped a part of the log that is not there", {
      channel,
      position: this.#position,
      bytes,
    });
    this.#position = to;
  }
}
