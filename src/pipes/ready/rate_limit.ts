import { type Clock, delay, RetryLater, systemClock } from "../../base/mod.ts";
import { InvalidConfigError } from "../errors.ts";
import type { PipeMessage } from "../pipe_message.ts";
import { AroundPipe, type Passing } from "./around_pipe.ts";
import { checkWay, inRange, minds, type Way, wholeInRange } from "./checks.ts";
import { RateLimitedError } from "./errors.ts";
import { TokenBucket } from "./token_bucket.ts";

/** Longer keys that begin alike share a rate: what they are made of may be a peer's. */
const KEY_LENGTH_MAX = 255;

/** Options of {@linkcode rateLimit}. */
export interface RateLimitOptions {
  /** Messages a second in the long run. From 0.001 to 1,000,000. */
  readonly perSecond: number;
  /** How many may come at once after a pause. 1 to 1,000,000. @default `perSecond`, at least 1 */
  readonly burst?: number;
  /** Which way is limited; the ways have one rate together. @default {"send"} */
  readonly way?: Way;
  /**
   * What happens to a message beyond the rate: it waits for its turn, or fails with
   * {@linkcode RateLimitedError} (on its way in around a messenger it is held, without spending a retry).
   * @default {"wait"}
   */
  readonly beyond?: "wait" | "fail";
  /** How many may wait; further ones fail. 1 to 1,000,000. @default {1_000} */
  readonly maxWaiting?: number;
  /** Messages of one key, of which 255 characters count, share a rate. @default all do */
  readonly by?: (message: PipeMessage) => string;
  /**
   * How many keys are told apart; those beyond it share one rate until others have been silent.
   * 1 to 1,000,000. @default {10_000}
   */
  readonly maxKeys?: number;
  /** Measures; for tests. @default the computer's */
  readonly clock?: Clock;
}

/** What a {@linkcode RateLimitPipe} has done. */
export interface RateLimitStats {
  /** Messages that passed at once. */
  readonly passed: number;
  /** Messages that had to wait. */
  readonly delayed: number;
  /** Messages that failed. */
  readonly refused: number;
  /** Messages that wait now. */
  readonly waiting: number;
}

/** Lets so many messages a second pass. Made by {@linkcode rateLimit}. */
export class RateLimitPipe extends AroundPipe {
  readonly #options: Required<Omit<RateLimitOptions, "by">> & {
    readonly by: RateLimitOptions["by"] | undefined;
  };
  readonly #buckets = new Map<string, TokenBucket>();
  /** For the keys beyond the bound. */
  readonly #shared: TokenBucket;
  #passed = 0;
  #delayed = 0;
  #refused = 0;
  #waiting = 0;

  /**
   * Makes the pipe.
   *
   * @param options The rate.
   * @throws {InvalidConfigError} When an option is out of its range.
   */
  constructor(options: RateLimitOptions) {
    super();
    const { perSecond, burst = Math.max(1, options.perSecond), clock = systemClock } = options;
    const { beyond = "wait", way = "send", maxWaiting = 1_000, maxKeys = 10_000, by } = options;
    inRange("rateLimit", "perSecond", perSecond, 0.001, 1_000_000);
    inRange("rateLimit", "burst", burst, 1, 1_000_000);
    wholeInRange("rateLimit", "maxWaiting", maxWaiting, 1, 1_000_000);
    wholeInRange("rateLimit", "maxKeys", maxKeys, 1, 1_000_000);
    checkWay("rateLimit", way);
    if (beyond !== "wait" && beyond !== "fail") {
      throw new InvalidConfigError(
        `Cannot make the rateLimit pipe with beyond ${beyond}: give "wait" or "fail"`,
      );
    }
    this.#options = { perSecond, burst, clock, beyond, way, maxWaiting, maxKeys, by };
    this.#shared = new TokenBucket(perSecond, burst, clock);
  }

  /** What the pipe has done. */
  stats(): RateLimitStats {
    return {
      passed: this.#passed,
      delayed: this.#delayed,
      refused: this.#refused,
      waiting: this.#waiting,
    };
  }

  /** Limits one message. */
  protected override async around(message: PipeMessage, passing: Passing): Promise<void> {
    const { way, beyond, maxWaiting } = this.#options;
    if (minds(way, passing.way)) {
      const bucket = this.#bucketOf(message);
      if (bucket.waitMs === 0) {
        bucket.take();
        this.#passed++;
      } else if (beyond === "fail" || this.#waiting >= maxWaiting) {
        this.#refuse(message, bucket.waitMs, passing);
      } else await this.#wait(bucket, passing.signal);
    }
    await passing.pass(message);
  }

  async #wait(bucket: TokenBucket, signal: AbortSignal | undefined): Promise<void> {
    this.#delayed++;
    this.#waiting++;
    try {
      await delay(this.#options.clock, bucket.take(), signal);
    } catch (error) {
      bucket.giveBack();
      throw error;
    } finally {
      this.#waiting--;
    }
  }

  #refuse(message: PipeMessage, waitMs: number, { way }: Passing): never {
    this.#refused++;
    const error = new RateLimitedError(message, waitMs);
    if (way === "handle" && message.channel !== undefined) {
      throw new RetryLater(waitMs, { cause: error });
    }
    throw error;
  }

  #bucketOf(message: PipeMessage): TokenBucket {
    const { by, perSecond, burst, clock, maxKeys } = this.#options;
    if (by === undefined) return this.#shared;
    const key = by(message).slice(0, KEY_LENGTH_MAX);
    const known = this.#buckets.get(key);
    if (known !== undefined) return known;
    if (this.#buckets.size >= maxKeys && !this.#forgetOne()) return this.#shared;
    const bucket = new TokenBucket(perSecond, burst, clock);
    this.#buckets.set(key, bucket);
    return bucket;
  }

  /** Forgets the oldest key, when its bucket knows nothing that a new one would not. */
  #forgetOne(): boolean {
    for (const [key, bucket] of this.#buckets) {
      this.#buckets.delete(key);
      if (bucket.isFull) return true;
      // It goes to the end, so that the next look finds another one.
      this.#buckets.set(key, bucket);
      return false;
    }
    return false;
  }
}

/**
 * A pipe that lets so many messages a second pass: a token bucket. Those beyond the rate wait, in
 * order, or fail.
 *
 * @param options The rate, and what happens beyond it.
 * @returns The pipe, with `stats()`.
 * @throws {InvalidConfigError} When an option is out of its range.
 *
 * @example Ten messages a second for each type, twenty at once after a pause
 * ```ts
 * import { rateLimit } from "@keyop/messenger/pipes";
 *
 * rateLimit({ perSecond: 10, burst: 20, by: ({ type }) => type });
 * ```
 */
export function rateLimit(options: RateLimitOptions): RateLimitPipe {
  return new RateLimitPipe(options);
}
