import { LineBuffer } from "./line_buffer.ts";

const NEWLINE = 0x0a;

/**
 * Makes what a promise gives, out of the position of its first record, that record's index in the
 * group, and the way to the positions of the others.
 */
export type GroupResult = (
  position: number,
  first: number,
  positionOf: (index: number) => number,
) => unknown;

/** Whoever waits for a group. */
interface Entry {
  /** Index of its first record. */
  readonly first: number;
  readonly result: GroupResult;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

const NOTHING = new Uint8Array(0);

/**
 * Records that are written with one call and synced with one. They are gathered as text and encoded
 * together: encoding costs more by the call than by the byte.
 */
export class Group {
  readonly #buffer = new LineBuffer();
  #text = "";
  #bytes = NOTHING;
  /** Where each record ends; in characters while gathering, in bytes once encoded. */
  #ends: number[] = [];
  #entries: Entry[] = [];

  /** About how many bytes were gathered. */
  get gathered(): number {
    return this.#text.length;
  }

  /** How many records were gathered. */
  get count(): number {
    return this.#ends.length;
  }

  /** How many bytes the records take; 0 before `encode`. */
  get length(): number {
    return this.#bytes.length;
  }

  /** Adds records, as text, with who waits for them. */
  add(
    records: string | readonly string[],
    result: GroupResult,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ): void {
    this.#entries.push({ first: this.#ends.length, result, resolve, reject });
    if (typeof records === "string") this.#push(records);
    else for (const record of records) this.#push(record);
  }

  /** Turns what was gathered into bytes. */
  encode(): void {
    this.#bytes = this.#buffer.encode(this.#text);
    if (this.#bytes.length !== this.#text.length + 1) this.#measure();
  }

  /** The bytes of the records between two offsets. */
  bytes(from = 0, to = this.length): Uint8Array {
    return from === 0 && to === this.length ? this.#bytes : this.#bytes.subarray(from, to);
  }

  /**
   * How far the records from an offset on fit.
   *
   * @param from Where a record begins.
   * @param room Bytes that there is room for.
   * @returns Where the last record that fits ends; `from` when none does.
   */
  fitting(from: number, room: number): number {
    if (this.length - from <= room) return this.length;
    return this.#ends.findLast((end) => end - from <= room && end > from) ?? from;
  }

  /** Where the record that begins at an offset ends. */
  endOf(from: number): number {
    return this.#ends.find((end) => end > from) ?? this.length;
  }

  /** Settles everybody and empties the group. @param base Position of the group's first byte. */
  settle(base: number): void {
    const entries = this.#entries;
    const ends = this.#ends;
    const positionOf = (index: number) => base + (index === 0 ? 0 : ends[index - 1]!);
    this.#clear();
    for (let i = 0; i < entries.length; i++) {
      const { first, result, resolve } = entries[i]!;
      resolve(result(positionOf(first), first, positionOf));
    }
  }

  /** Fails everybody and empties the group. */
  fail(error: unknown): void {
    const entries = this.#entries;
    this.#clear();
    for (const entry of entries) entry.reject(error);
  }

  #push(record: string): void {
    this.#text = this.#ends.length === 0 ? record : this.#text + "\n" + record;
    this.#ends.push(this.#text.length + 1);
  }

  /** Text beyond ASCII: its characters do not count its bytes. */
  #measure(): void {
    let end = 0;
    for (let i = 0; i < this.#ends.length; i++) {
      end = this.#bytes.indexOf(NEWLINE, end) + 1;
      this.#ends[i] = end;
    }
  }

  #clear(): void {
    this.#entries = [];
    this.#ends = [];
    this.#text = "";
    this.#bytes = NOTHING;
  }
}
