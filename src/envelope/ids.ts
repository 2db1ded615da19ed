import { type Random, systemRandom } from "../base/mod.ts";

const COUNTS = 4096;

/** 0 to 4095 in three hexadecimal digits. */
const DIGITS: readonly string[] = Array.from(
  { length: COUNTS },
  (_, count) => count.toString(16).padStart(3, "0"),
);

/**
 * Makes UUIDs of version 7. Those of one millisecond share 62 random bits and are told apart, and
 * kept in order, by the 12 bits between: drawing and formatting happens once a millisecond, not once
 * an id, where it would cost more than the write itself.
 */
export class IdGenerator {
  readonly #random: Random;
  readonly #bytes = new Uint8Array(8);
  #millisecond = -1;
  #count = COUNTS;

  /** What the ids of the current series begin with. */
  head = "";
  /** What the ids of the current series end with. */
  tail = "";
  /** Changes whenever `head` and `tail` do. */
  series = 0;

  /** @param random Where the random bits come from. */
  constructor(random: Random = systemRandom) {
    this.#random = random;
  }

  /**
   * @param now Wall time in milliseconds since 1970.
   * @returns The digits between `head` and `tail` of a new UUID.
   */
  take(now: number): string {
    if (now !== this.#millisecond || this.#count === COUNTS) this.#begin(now);
    return DIGITS[this.#count++]!;
  }

  /** A new UUID. @param now Wall time in milliseconds since 1970. */
  next(now: number): string {
    const digits = this.take(now);
    return this.head + digits + this.tail;
  }

  #begin(now: number): void {
    this.#millisecond = now;
    this.#count = 0;
    this.series++;
    const time = Math.max(0, Math.floor(now)).toString(16).padStart(12, "0").slice(-12);
    this.head = `${time.slice(0, 8)}-${time.slice(8)}-7`;
    const bytes = this.#bytes;
    this.#random.fill(bytes);
    bytes[0] = (bytes[0]! & 0x3f) | 0x80;
    const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
    this.tail = `-${hex.slice(0, 4)}-${hex.slice(4)}`;
  }
}

/** Whether the text is a UUID of any version. By character: a pattern would take eight times as long. */
export function isUuid(text: string): boolean {
  if (text.length !== 36) return false;
  for (let i = 0; i < 36; i++) {
    const code = text.charCodeAt(i);
    const isDash = i === 8 || i === 13 || i === 18 || i === 23;
    if (isDash ? code !== 0x2d : !isHexDigit(code)) return false;
  }
  return true;
}

function isHexDigit(code: number): boolean {
  return (code >= 0x30 && code <= 0x39) || ((code | 0x20) >= 0x61 && (code | 0x20) <= 0x66);
}
