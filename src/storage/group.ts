const NEWLINE = 0x0a;
const INITIAL_BYTES = 64 * 1024;
const KEPT_BYTES = 1024 * 1024;

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

const encoder = new TextEncoder();

/**
 * Records that are written with one call and synced with one. They are gathered as text and encoded
 * together: encoding costs more by the call than by the byte.
 */
export class Group {
  #buffer = new Uint8Array(INITIAL_BYTES);
  #text = "";
  /** Where each record ends; in characters while gathering, in bytes once encoded. */
  #ends: number[] = [];
  #entries: Entry[] = [];
  #length = 0;

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
    return this.#length;
  }

  /** Adds records, as text. */
  add(records: string | readonly string[]): void {
    if (typeof records === "string") this.#push(records);
    else for (const record of records) this.#push(record);
  }

  /** Adds who waits for the records that are added next. */
  expect(
    result: GroupResult,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ): void {
    this.#entries.push({ first: this.#ends.length, result, resolve, reject });
  }

  /** Turns what was gathered into bytes. */
  encode(): void {
    const text = this.#text;
    if (this.#buffer.length <= text.length) this.#buffer = new Uint8Array(text.length * 2);
    let { read, written } = encoder.encodeInto(text, this.#buffer);
    if (read < text.length || written === this.#buffer.length) {
      this.#buffer = new Uint8Array(text.length * 3 + 1);
      ({ written } = encoder.encodeInto(text, this.#buffer));
    }
    this.#buffer[written] = NEWLINE;
    this.#length = written + 1;
    if (written !== text.length) this.#measure(text);
  }

  /** The bytes of the records between two offsets. */
  bytes(from: number, to: number): Uint8Array {
    return this.#buffer.subarray(from, to);
  }

  /**
   * How far the records from an offset on fit.
   *
   * @param from Where a record begins.
   * @param room Bytes that there is room for.
   * @returns Where the last record that fits ends; `from` when none does.
   */
  fitting(from: number, room: number): number {
    if (this.#length - from <= room) return this.#length;
    return this.#ends.findLast((end) => end - from <= room && end > from) ?? from;
  }

  /** Where the record that begins at an offset ends. */
  endOf(from: number): number {
    return this.#ends.find((end) => end > from) ?? this.#length;
  }

  /** Settles everybody and empties the group. @param base Position of the group's first byte. */
  settle(base: number): void {
    const entries = this.#entries;
    const positionOf = (index: number) => base + (index === 0 ? 0 : this.#ends[index - 1]!);
    for (let i = 0; i < entries.length; i++) {
      const { first, result, resolve } = entries[i]!;
      resolve(result(positionOf(first), first, positionOf));
    }
    this.clear();
  }

  /** Fails everybody and empties the group. */
  fail(error: unknown): void {
    for (const entry of this.#entries) entry.reject(error);
    this.clear();
  }

  #push(record: string): void {
    // The last line feed is added once encoded: a record that is alone then needs no copy for it.
    this.#text = this.#ends.length === 0 ? record : this.#text + "\n" + record;
    this.#ends.push(this.#text.length + 1);
  }

  /** Text beyond ASCII: its characters do not count its bytes. */
  #measure(text: string): void {
    let chars = 0;
    let bytes = 0;
    for (const [index, end] of this.#ends.entries()) {
      const line = text.slice(chars, end - 1);
      bytes += encoder.encodeInto(line, this.#buffer.subarray(bytes)).written;
      this.#buffer[bytes++] = NEWLINE;
      this.#ends[index] = bytes;
      chars = end;
    }
  }

  /** Empties the group. */
  clear(): void {
    this.#entries.length = 0;
    this.#ends.length = 0;
    this.#text = "";
    this.#length = 0;
    if (this.#buffer.length > KEPT_BYTES) this.#buffer = new Uint8Array(INITIAL_BYTES);
  }
}
