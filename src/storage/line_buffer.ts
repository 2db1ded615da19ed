const NEWLINE = 0x0a;
const INITIAL_BYTES = 64 * 1024;
const KEPT_BYTES = 1024 * 1024;

const encoder = new TextEncoder();

/** Memory that lines are encoded into, again and again. */
export class LineBuffer {
  #bytes = new Uint8Array(INITIAL_BYTES);

  /**
   * Encodes lines.
   *
   * @param text The lines, with a line feed between them and none after the last.
   * @returns Their bytes, with a line feed after the last; valid until the next call.
   */
  encode(text: string): Uint8Array<ArrayBuffer> {
    if (this.#bytes.length <= text.length) this.#bytes = new Uint8Array(text.length * 2);
    else if (this.#bytes.length > KEPT_BYTES && text.length < INITIAL_BYTES) {
      this.#bytes = new Uint8Array(INITIAL_BYTES);
    }
    let { read, written } = encoder.encodeInto(text, this.#bytes);
    if (read < text.length || written === this.#bytes.length) {
      this.#bytes = new Uint8Array(text.length * 3 + 1);
      ({ read, written } = encoder.encodeInto(text, this.#bytes));
    }
    this.#bytes[written] = NEWLINE;
    return this.#bytes.subarray(0, written + 1);
  }
}
