import { type Random, systemRandom } from "../base/mod.ts";

const POOL_IDS = 256;
const BYTES_PER_ID = 10;

const HEX: readonly string[] = Array.from(
  { length: 256 },
  (_, byte) => byte.toString(16).padStart(2, "0"),
);

/**
 * Makes UUIDs of version 7: they sort by the millisecond of their making. Random bytes are drawn for
 * many at once, and the time is formatted once a millisecond: both cost more than the write itself.
 */
export class IdGenerator {
  readonly #random: Random;
  readonly #pool = new Uint8Array(POOL_IDS * BYTES_PER_ID);
  #next = this.#pool.length;
  #millisecond = -1;
  #prefix = "";

  /** @param random Where the random bits come from. */
  constructor(random: Random = systemRandom) {
    this.#random = random;
  }

  /**
   * @param now Wall time in milliseconds since 1970.
   * @returns A new UUID.
   */
  next(now: number): string {
    if (now !== this.#millisecond) this.#setTime(now);
    if (this.#next === this.#pool.length) {
      this.#random.fill(this.#pool);
      this.#next = 0;
    }
    const pool = this.#pool;
    const at = this.#next;
    this.#next = at + BYTES_PER_ID;
    return this.#prefix + HEX[pool[at]! & 0x0f]![1] + HEX[pool[at + 1]!] + "-" +
      HEX[(pool[at + 2]! & 0x3f) | 0x80] + HEX[pool[at + 3]!] + "-" +
      HEX[pool[at + 4]!] + HEX[pool[at + 5]!] + HEX[pool[at + 6]!] +
      HEX[pool[at + 7]!] + HEX[pool[at + 8]!] + HEX[pool[at + 9]!];
  }

  #setTime(now: number): void {
    this.#millisecond = now;
    const hex = Math.max(0, Math.floor(now)).toString(16).padStart(12, "0").slice(-12);
    this.#prefix = `${hex.slice(0, 8)}-${hex.slice(8)}-7`;
  }
}
