import { MAX_RECORD_BYTES } from "../envelope/mod.ts";
import type { RecordData } from "./log.ts";

const NEWLINE = 0x0a;
const INITIAL_BYTES = 64 * 1024;
const KEPT_BYTES = 1024 * 1024;

/** Whoever waits for a group. */
interface Entry {
  /** Where its first record begins in the group. */
  readonly offset: number;
  readonly result: (position: number) => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

const encoder = new TextEncoder();

/** Records that are written with one call and synced with one. */
export class Group {
  #buffer = new Uint8Array(INITIAL_BYTES);
  #ends: number[] = [];
  #entries: Entry[] = [];
  #length = 0;

  /** Bytes gathered. */
  get length(): number {
    return this.#length;
  }

  /** Records gathered. */
  get count(): number {
    return this.#ends.length;
  }

  /** The bytes from one record's beginning to another's end. */
  bytes(from: number, to: number): Uint8Array {
    return this.#buffer.subarray(from, to);
  }

  /** Adds a record. @returns Where it begins in the group. */
  add(record: RecordData): number {
    const offset = this.#length;
    if (typeof record === "string") {
      this.#reserve(record.length * 3 + 1);
      const { written } = encoder.encodeInto(record, this.#buffer.subarray(offset));
      this.#length = offset + written;
    } else {
      this.#reserve(record.length + 1);
      this.#buffer.set(record, offset);
      this.#length = offset + record.length;
    }
    if (this.#length - offset > MAX_RECORD_BYTES) {
      const size = this.#length - offset;
      this.#length = offset;
      throw new RangeError(`a record of ${size} bytes is over the limit of ${MAX_RECORD_BYTES}`);
    }
    this.#buffer[this.#length++] = NEWLINE;
    this.#ends.push(this.#length);
    return offset;
  }

  /** Takes back the records from an offset on. */
  truncate(offset: number): void {
    while (this.#ends.length > 0 && this.#ends[this.#ends.length - 1]! > offset) this.#ends.pop();
    this.#length = offset;
  }

  /** Adds who waits for the records that were added from an offset on. */
  expect(
    offset: number,
    result: (position: number) => unknown,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ): void {
    this.#entries.push({ offset, result, resolve, reject });
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
    let end = from;
    for (const candidate of this.#ends) {
      if (candidate - from > room) break;
      if (candidate > from) end = candidate;
    }
    return end;
  }

  /** Where the record that begins at an offset ends. */
  endOf(from: number): number {
    return this.#ends.find((end) => end > from) ?? this.#length;
  }

  /** Settles everybody and empties the group. @param base Position of the group's first byte. */
  settle(base: number): void {
    const entries = this.#reset();
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i]!;
      entry.resolve(entry.result(base + entry.offset));
    }
  }

  /** Fails everybody and empties the group. */
  fail(error: unknown): void {
    for (const entry of this.#reset()) entry.reject(error);
  }

  #reset(): Entry[] {
    const entries = this.#entries;
    this.#entries = [];
    this.#ends = [];
    this.#length = 0;
    if (this.#buffer.length > KEPT_BYTES) this.#buffer = new Uint8Array(INITIAL_BYTES);
    return entries;
  }

  #reserve(bytes: number): void {
    const needed = this.#length + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
    larger.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = larger;
  }
}
