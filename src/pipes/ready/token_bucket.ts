import type { Clock } from "../../base/mod.ts";

/**
 * Tokens that come in at a steady pace and are kept up to a number. A taker who finds none may
 * reserve one that is still to come, and is told how long that takes.
 */
export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  readonly #clock: Clock;
  /** Below zero when tokens are reserved that are still to come. */
  #tokens: number;
  #countedAt: number;

  /**
   * @param perSecond Tokens that come in each second.
   * @param burst How many are kept at most; it begins with that many.
   * @param clock Measures the time.
   */
  constructor(perSecond: number, burst: number, clock: Clock) {
    this.#perMs = perSecond / 1_000;
    this.#burst = burst;
    this.#clock = clock;
    this.#tokens = burst;
    this.#countedAt = clock.monotonic();
  }

  /** Milliseconds until a token is there for the next who asks; 0 when there is one now. */
  get waitMs(): number {
    this.#count();
    return this.#tokens >= 1 ? 0 : (1 - this.#tokens) / this.#perMs;
  }

  /** Whether it is as full as it gets: it remembers nothing that a new one would not know. */
  get isFull(): boolean {
    this.#count();
    return this.#tokens >= this.#burst;
  }

  /**
   * Takes a token, also one that is still to come.
   *
   * @returns Milliseconds until it is there.
   */
  take(): number {
    const { waitMs } = this;
    this.#tokens--;
    return waitMs;
  }

  /** Gives back a token that was taken and not used. */
  giveBack(): void {
    this.#count();
    this.#tokens = Math.min(this.#burst, this.#tokens + 1);
  }

  #count(): void {
    const now = this.#clock.monotonic();
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#countedAt) * this.#perMs);
    this.#countedAt = now;
  }
}
