import type { FileSystem, OpenFile } from "./files.ts";
import { readFully } from "./files.ts";
import { segmentName, segmentStart } from "./layout.ts";

const NEWLINE = 0x0a;
const SCAN_BYTES = 64 * 1024;

/** One file of a channel's log. */
export interface Segment {
  /** Global offset of its first byte. */
  readonly start: number;
  readonly path: string;
  /** Bytes in it that are part of the log. Grows in the last one. */
  size: number;
}

/** The segments of a channel's folder, in order. */
export function listSegments(files: FileSystem, dir: string): Segment[] {
  const segments: Segment[] = [];
  for (const name of files.list(dir)) {
    const start = segmentStart(name);
    if (start === undefined) continue;
    const path = `${dir}/${name}`;
    segments.push({ start, path, size: files.stat(path)?.size ?? 0 });
  }
  return segments.sort((a, b) => a.start - b.start);
}

/** A segment that is yet to be made. */
export function newSegment(dir: string, start: number): Segment {
  return { start, path: `${dir}/${segmentName(start)}`, size: 0 };
}

/**
 * Where the whole records of a file end: just past its last line feed.
 *
 * @param file The open file.
 * @param size Its length in bytes.
 */
export function endOfRecords(file: OpenFile, size: number): number {
  let end = size;
  while (end > 0) {
    const start = Math.max(0, end - SCAN_BYTES);
    const bytes = new Uint8Array(end - start);
    const read = readFully(file, bytes, start);
    const last = bytes.subarray(0, read).lastIndexOf(NEWLINE);
    if (last >= 0) return start + last + 1;
    end = start;
  }
  return 0;
}
