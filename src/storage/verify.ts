import { type Logger, messageOf, silentLogger } from "../base/mod.ts";
import { decodeForeignEnvelope, EnvelopeError, MAX_RECORD_BYTES } from "../envelope/mod.ts";
import { readCursor } from "./cursor_file.ts";
import { denoFiles, type FileSystem, type OpenFile, readFully } from "./files.ts";
import { CURSOR_SUFFIX, layout } from "./layout.ts";
import type { Position } from "./log.ts";
import { listSegments, type Segment } from "./segment.ts";

const NEWLINE = 0x0a;
const CHUNK_BYTES = 1024 * 1024;

/** Whether something is lost or wrong, or only worth knowing. */
export type FindingWeight = "damage" | "note";

/** Something in a channel that is not as it should be. */
export interface Finding {
  readonly weight: FindingWeight;
  /** The file. */
  readonly path: string;
  /** Where it begins in the channel; undefined for a cursor that holds no position. */
  readonly position: Position | undefined;
  /** How many bytes of the channel it makes up. */
  readonly bytes: number;
  /** What is wrong. */
  readonly what: string;
}

/** What a channel was found to hold. */
export interface ChannelCheck {
  readonly channel: string;
  readonly segments: number;
  /** Bytes in its segments. */
  readonly bytes: number;
  /** Whole records that can be read. */
  readonly records: number;
  /** Bytes that are missing or belong to no record. */
  readonly damagedBytes: number;
  /** Cursors that were looked at. */
  readonly cursors: number;
}

/** Options of {@linkcode verifyChannel}. */
export interface VerifyOptions {
  /** Gets each finding, in the order of the channel's bytes, those of cursors last. */
  readonly found: (finding: Finding) => void;
  /** Ends the checking. */
  readonly signal?: AbortSignal;
  /** Replaces the file system. */
  readonly files?: FileSystem;
}

/**
 * Reads every byte of a channel and tells what is wrong with it. Changes nothing; another process may
 * own the data directory.
 *
 * @param dataDir The data directory.
 * @param channel A channel in it.
 * @param options Who is told.
 * @throws The signal's reason, or what the file system throws.
 */
export function verifyChannel(
  dataDir: string,
  channel: string,
  options: VerifyOptions,
): Promise<ChannelCheck> {
  return new ChannelVerifier(dataDir, channel, options).run();
}

class ChannelVerifier {
  readonly #files: FileSystem;
  readonly #dataDir: string;
  readonly #channel: string;
  readonly #options: VerifyOptions;
  /** Cursors' files by position, until a record is seen to begin there. */
  readonly #cursors = new Map<Position, string[]>();
  #bytes = 0;
  #records = 0;
  #damagedBytes = 0;

  constructor(dataDir: string, channel: string, options: VerifyOptions) {
    this.#files = options.files ?? denoFiles;
    this.#dataDir = dataDir.replace(/(?<=.)\/+$/, "");
    this.#channel = channel;
    this.#options = options;
  }

  async run(): Promise<ChannelCheck> {
    const cursors = this.#readCursors();
    const segments = listSegments(this.#files, layout.channel(this.#dataDir, this.#channel));
    let end = segments[0]?.start ?? 0;
    for (const [index, segment] of segments.entries()) {
      this.#compareStart(segment, end);
      await this.#scan(segment, index === segments.length - 1);
      end = Math.max(end, segment.start + segment.size);
    }
    this.#judgeCursors(segments[0]?.start ?? 0, end);
    return {
      channel: this.#channel,
      segments: segments.length,
      bytes: this.#bytes,
      records: this.#records,
      damagedBytes: this.#damagedBytes,
      cursors,
    };
  }

  #compareStart({ path, start }: Segment, end: Position): void {
    if (start > end) {
      this.#damage(path, end, start - end, "is missing before this segment");
    } else if (start < end) {
      this.#damage(path, start, end - start, "stands in the segment before as well");
    }
  }

  /** Goes through a segment line by line; what has no line feed yet is carried into the next chunk. */
  async #scan(segment: Segment, isLast: boolean): Promise<void> {
    const file = this.#files.open(segment.path, { read: true });
    try {
      let rest = new Uint8Array(0);
      for (let offset = 0; offset < segment.size;) {
        this.#options.signal?.throwIfAborted();
        const chunk = readChunk(file, offset, Math.min(CHUNK_BYTES, segment.size - offset));
        if (chunk.length === 0) break;
        const lines = rest.length === 0 ? chunk : concat(rest, chunk);
        const from = segment.start + offset - rest.length;
        const taken = this.#lines(segment, lines, from);
        rest = lines.slice(taken);
        offset += chunk.length;
        if (rest.length > MAX_RECORD_BYTES) {
          const skipped = this.#skipLong(file, segment, offset, from + taken);
          rest = new Uint8Array(0);
          offset = skipped;
        }
        await Promise.resolve();
      }
      this.#bytes += segment.size;
      if (rest.length > 0) this.#unfinished(segment, rest.length, isLast);
    } finally {
      file.close();
    }
  }

  /** Checks the whole lines. @returns How many bytes they take. */
  #lines(segment: Segment, bytes: Uint8Array, from: Position): number {
    let start = 0;
    for (;;) {
      const end = bytes.indexOf(NEWLINE, start);
      if (end < 0) return start;
      this.#line(segment, bytes.subarray(start, end), from + start);
      start = end + 1;
    }
  }

  #line({ path }: Segment, line: Uint8Array, position: Position): void {
    this.#cursors.delete(position);
    if (line.length > MAX_RECORD_BYTES) {
      return this.#damage(path, position, line.length + 1, "is a line over 10 MiB");
    }
    try {
      const { channel } = decodeForeignEnvelope(line);
      this.#records++;
      if (channel !== this.#channel) {
        this.#note(path, position, line.length + 1, `is a record of channel "${channel}"`);
      }
    } catch (error) {
      const reason = line.length === 0 ? "it is empty" : messageOf(error);
      if (error instanceof EnvelopeError && error.fault === "version") {
        this.#note(path, position, line.length + 1, `is a record that is left out: ${reason}`);
      } else this.#damage(path, position, line.length + 1, `is no record: ${reason}`);
    }
  }

  /** A line that no reader takes: goes on after its end. @returns That offset. */
  #skipLong(file: OpenFile, segment: Segment, from: number, position: Position): number {
    let offset = from;
    let end = -1;
    while (offset < segment.size && end < 0) {
      const chunk = readChunk(file, offset, Math.min(CHUNK_BYTES, segment.size - offset));
      if (chunk.length === 0) break;
      end = chunk.indexOf(NEWLINE);
      offset += end < 0 ? chunk.length : end + 1;
    }
    this.#damage(
      segment.path,
      position,
      segment.start + offset - position,
      "is a line over 10 MiB",
    );
    return offset;
  }

  #unfinished({ path, start, size }: Segment, bytes: number, isLast: boolean): void {
    const position = start + size - bytes;
    if (isLast) this.#note(path, position, bytes, "is a write that was cut short or is under way");
    else this.#damage(path, position, bytes, "is a record without an end");
  }

  #readCursors(): number {
    const dir = layout.cursors(this.#dataDir, this.#channel);
    let count = 0;
    for (const file of this.#files.list(dir)) {
      if (!file.endsWith(CURSOR_SUFFIX)) continue;
      count++;
      const path = `${dir}/${file}`;
      try {
        const position = readCursor(this.#files, path, noting((what) => this.#cursor(path, what)));
        if (position === undefined) continue;
        const others = this.#cursors.get(position);
        if (others === undefined) this.#cursors.set(position, [path]);
        else others.push(path);
      } catch (error) {
        this.#options.found({
          weight: "damage",
          path,
          position: undefined,
          bytes: 0,
          what: messageOf(error),
        });
      }
    }
    return count;
  }

  #cursor(path: string, what: string): void {
    this.#options.found({ weight: "note", path, position: undefined, bytes: 0, what });
  }

  /** What is left are cursors at which no record begins. */
  #judgeCursors(start: Position, end: Position): void {
    this.#cursors.delete(end);
    for (const [position, paths] of this.#cursors) {
      for (const path of paths) {
        if (position > end) {
          this.#damage(path, position, 0, `stands past the channel's end, ${end}`);
        } else if (position < start) {
          const lost = start - position;
          this.#note(path, position, 0, `stands before what is kept: ${lost} bytes are lost to it`);
        } else {
          this.#damage(path, position, 0, "stands where no record begins: it goes on at the next");
        }
      }
    }
  }

  #damage(path: string, position: Position, bytes: number, what: string): void {
    this.#damagedBytes += bytes;
    this.#options.found({ weight: "damage", path, position, bytes, what });
  }

  #note(path: string, position: Position, bytes: number, what: string): void {
    this.#options.found({ weight: "note", path, position, bytes, what });
  }
}

function readChunk(file: OpenFile, offset: number, bytes: number): Uint8Array<ArrayBuffer> {
  const chunk = new Uint8Array(bytes);
  return chunk.subarray(0, readFully(file, chunk, offset));
}

function concat(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

function noting(note: (what: string) => void): Logger {
  return { ...silentLogger, warn: (message) => note(message) };
}
