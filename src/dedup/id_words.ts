const DASH = 0x2d;
const NO_DIGIT = 0xff;
const UUID_LENGTH = 36;

/** The value of each lower-case hexadecimal digit, by character code. */
const DIGITS = new Uint8Array(128).fill(NO_DIGIT);
for (let digit = 0; digit < 16; digit++) DIGITS[digit.toString(16).charCodeAt(0)] = digit;

/**
 * Reads ids into four 32-bit words. A UUID in its usual spelling, 36 characters in lower case, is
 * packed into its 128 bits; of any other text the words are a hash.
 */
export class IdWords {
  /** The first word of the id that was read last. */
  w0 = 0;
  /** The second word. */
  w1 = 0;
  /** The third word. */
  w2 = 0;
  /** The fourth word. */
  w3 = 0;
  /** Whether the words are the id itself: then equal words mean equal ids. */
  exact = false;
  /** Every digit read so far, or-ed: 16 and more when one was none. */
  #digits = 0;

  /** Reads one id; what was found replaces what was found before. */
  read(id: string): void {
    this.exact = id.length === UUID_LENGTH && this.#readUuid(id);
    if (!this.exact) this.#hash(id);
  }

  #readUuid(id: string): boolean {
    this.#digits = 0;
    this.w0 = this.#readDigits(id, 0, 8, 0);
    this.w1 = this.#readDigits(id, 14, 18, this.#readDigits(id, 9, 13, 0));
    this.w2 = this.#readDigits(id, 24, 28, this.#readDigits(id, 19, 23, 0));
    this.w3 = this.#readDigits(id, 28, 36, 0);
    return this.#digits < 16 && id.charCodeAt(8) === DASH && id.charCodeAt(13) === DASH &&
      id.charCodeAt(18) === DASH && id.charCodeAt(23) === DASH;
  }

  #readDigits(id: string, from: number, to: number, word: number): number {
    let digits = this.#digits;
    for (let i = from; i < to; i++) {
      const code = id.charCodeAt(i);
      const digit = DIGITS[code & 0x7f]!;
      digits |= digit | (code & ~0x7f);
      word = (word << 4) | digit;
    }
    this.#digits = digits;
    return word;
  }

  #hash(id: string): void {
    let a = 0x811c9dc5 | 0;
    let b = id.length;
    for (let i = 0; i < id.length; i++) {
      const code = id.charCodeAt(i);
      a = Math.imul(a ^ code, 0x01000193);
      b = (Math.imul((b << 13) | (b >>> 19), 5) + code) | 0;
    }
    this.w0 = a;
    this.w1 = b;
    this.w2 = id.length;
    this.w3 = 0;
  }
}
