import type { Position, StoredRecord } from "./log.ts";

const NEWLINE = 0x0a;
/**
 * Lines are decoded together: one call for each would cost as much as parsing them. A message that
 * somebody keeps may keep the text of its neighbours, so that the piece is small.
 */
const PIECE_BYTES = 8 * 1024;

const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A line of a block. */
export class Line implements StoredRecord {
  /**
   * @param buffer What was read.
   * @param start Where the line begins in it.
   * @param end Where its line feed stands.
   * @param base Position of the buffer's first byte.
   * @param text The line's text, where it is known.
   */
  constructor(
    readonly buffer: Uint8Array,
    readonly start: number,
    readonly end: number,
    readonly base: Position,
    readonly text: string | undefined,
  ) {}

  /** Bytes in the line. */
  get length(): number {
    return this.end - this.start;
  }
  get bytes(): Uint8Array {
    return this.buffer.subarray(this.start, this.end);
  }
  get position(): Position {
    return this.base + this.start;
  }
  get next(): Position {
    return this.base + this.end + 1;
  }
}

/** Cuts bytes into lines. */
export class LineSplitter {
  readonly #buffer: Uint8Array;
  readonly #length: number;
  readonly #base: Position;
  /** Text of the piece at hand; empty when it is not all ASCII, so that characters are not bytes. */
  #piece = "";
  #pieceStart = 0;
  #pieceEnd = 0;

  /** Where the line begins that comes next. */
  at = 0;

  /**
   * @param buffer The bytes.
   * @param length How many of them.
   * @param base Position of the first.
   */
  constructor(buffer: Uint8Array, length: number, base: Position) {
    this.#buffer = buffer;
    this.#length = length;
    this.#base = base;
  }

  /** The next line; undefined when no whole one is left. */
  next(): Line | undefined {
    const start = this.at;
    if (start >= this.#length) return undefined;
    if (start >= this.#pieceEnd) this.#decode(start);
    let end = this.#inPiece(start);
    if (end < 0 && this.#piece !== "" && start > this.#pieceStart) {
      // The piece ends inside this line: begin a new one with it.
      this.#decode(start);
      end = this.#inPiece(start);
    }
    if (end >= 0) {
      this.at = end + 1;
      const text = this.#piece.slice(start - this.#pieceStart, end - this.#pieceStart);
      return new Line(this.#buffer, start, end, this.#base, text);
    }
    end = this.#buffer.indexOf(NEWLINE, start);
    if (end < 0 || end >= this.#length) return undefined;
    this.at = end + 1;
    return new Line(this.#buffer, start, end, this.#base, undefined);
  }

  #inPiece(start: number): number {
    if (this.#piece === "") return -1;
    const found = this.#piece.indexOf("\n", start - this.#pieceStart);
    return found < 0 ? -1 : found + this.#pieceStart;
  }

  #decode(start: number): void {
    const end = Math.min(start + PIECE_BYTES, this.#length);
    const text = decoder.decode(this.#buffer.subarray(start, end));
    // A byte that is no UTF-8 becomes one character as well: it must not pass for ASCII.
    const isAscii = text.length === end - start && !text.includes("\uFFFD");
    this.#piece = isAscii ? text : "";
    this.#pieceStart = start;
    this.#pieceEnd = end;
  }
}
