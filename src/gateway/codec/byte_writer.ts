const encoder = new TextEncoder();
const FIRST_BYTES = 4_096;
/** A buffer that grew beyond this is not kept. */
const KEPT_BYTES = 1_048_576;
/** A UTF-16 unit is at most three bytes of UTF-8. */
const BYTES_PER_UNIT = 3;

/**
 * Writes protobuf into one buffer that is used again, without an array or object for each message in
 * another. One frame at a time: nothing is awaited between `begin` and `end`.
 */
export class ByteWriter {
  #buffer = new Uint8Array(FIRST_BYTES);
  #at = 0;

  /** Begins a frame. */
  begin(): void {
    this.#at = 0;
  }

  /** The frame, in memory of its own. */
  end(): Uint8Array {
    const frame = this.#buffer.slice(0, this.#at);
    if (this.#buffer.length > KEPT_BYTES) this.#buffer = new Uint8Array(FIRST_BYTES);
    return frame;
  }

  /** A whole number from 0 on, without its field's tag. */
  varint(value: number): void {
    this.#reserve(10);
    let rest = value;
    while (rest > 0x7f) {
      this.#buffer[this.#at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    this.#buffer[this.#at++] = rest;
  }

  /** A number of 64 bits that may be negative, as a field. */
  int(field: number, value: number): void {
    this.varint(field << 3);
    if (value >= 0) return this.varint(value);
    this.#reserve(10);
    // Two's complement of 64 bits, seven at a time.
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 0x7fn) {
      this.#buffer[this.#at++] = Number(rest & 0x7fn) | 0x80;
      rest >>= 7n;
    }
    this.#buffer[this.#at++] = Number(rest);
  }

  /** A text as a field. */
  text(field: number, text: string): void {
    const at = this.open(field);
    this.#reserve(text.length * BYTES_PER_UNIT);
    this.#at += encoder.encodeInto(text, this.#buffer.subarray(this.#at)).written;
    this.close(at);
  }

  /** Bytes as a field. */
  bytes(field: number, bytes: Uint8Array): void {
    this.varint((field << 3) | 2);
    this.varint(bytes.length);
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#at);
    this.#at += bytes.length;
  }

  /** Begins a field that has a length. @returns What `close` takes. */
  open(field: number): number {
    this.varint((field << 3) | 2);
    this.#reserve(1);
    return ++this.#at;
  }

  /** Ends a field that has a length: what is in it moves when its length takes more than a byte. */
  close(from: number): void {
    const length = this.#at - from;
    if (length <= 0x7f) {
      this.#buffer[from - 1] = length;
      return;
    }
    let more = 0;
    for (let rest = length; rest > 0x7f; rest = Math.floor(rest / 0x80)) more++;
    this.#reserve(more);
    this.#buffer.copyWithin(from + more, from, this.#at);
    this.#at = from - 1;
    this.varint(length);
    this.#at += length;
  }

  #reserve(bytes: number): void {
    const needed = this.#at + bytes;
    if (needed <= this.#buffer.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#buffer.length * 2));
    larger.set(this.#buffer.subarray(0, this.#at));
    this.#buffer = larger;
  }
}
