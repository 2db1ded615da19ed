import type { Random } from "./random.ts";

/** How long to wait between attempts. */
export interface BackoffOptions {
  /** First wait in milliseconds; it doubles with each attempt. @default {500} */
  readonly baseMs?: number;
  /** Longest wait in milliseconds. @default {60_000} */
  readonly maxMs?: number;
  /** Share by which a wait is made longer or shorter at random, from 0 to 1. @default {0.2} */
  readonly jitter?: number;
}

/** Waits that grow from attempt to attempt. */
export class Backoff {
  readonly #baseMs: number;
  readonly #maxMs: number;
  readonly #jitter: number;
  readonly #random: Random;
  #attempts = 0;

  /**
   * Makes it; the first wait comes first.
   *
   * @param options First and longest wait.
   * @param random Where the jitter comes from.
   * @throws {RangeError} When a wait is not positive or the jitter not from 0 to 1.
   */
  constructor(options: BackoffOptions, random: Random) {
    this.#baseMs = options.baseMs ?? 500;
    this.#maxMs = options.maxMs ?? 60_000;
    this.#jitter = options.jitter ?? 0.2;
    this.#random = random;
    if (!(this.#baseMs > 0) || !(this.#maxMs >= this.#baseMs)) {
      throw new RangeError(
        `Cannot wait from ${this.#baseMs} to ${this.#maxMs} ms between attempts: give a positive ` +
          `first wait and a longest one that is not shorter`,
      );
    }
    if (!(this.#jitter >= 0 && this.#jitter <= 1)) {
      throw new RangeError(`Cannot use ${this.#jitter} as jitter: give a number from 0 to 1`);
    }
  }

  /** Milliseconds to wait before the next attempt. */
  next(): number {
    // From some attempt on only the longest wait is left; beyond it the power would overflow.
    const exponent = Math.min(this.#attempts++, 50);
    return this.#jittered(Math.min(this.#maxMs, this.#baseMs * 2 ** exponent));
  }

  /** Milliseconds to wait when trying again soon is of no use. */
  longest(): number {
    return this.#jittered(this.#maxMs);
  }

  /** The next wait is the first again. */
  reset(): void {
    this.#attempts = 0;
  }

  #jittered(waitMs: number): number {
    return waitMs * (1 + this.#jitter * (2 * this.#random.next() - 1));
  }
}
