import { type Clock, RetryLater, systemClock } from "../../base/mod.ts";
import type { PipeMessage } from "../pipe_message.ts";
import { AroundPipe, type Passing } from "./around_pipe.ts";
import { checkWay, inRange, minds, type Way, wholeInRange } from "./checks.ts";
import { CircuitOpenError } from "./errors.ts";

/** `closed`: messages pass; `open`: none does; `half-open`: one is tried. */
export type CircuitState = "closed" | "open" | "half-open";

/** Options of {@linkcode circuitBreaker}. */
export interface CircuitBreakerOptions {
  /** How many messages have to fail, one after the other, until it opens. 1 to 1,000,000. @default {5} */
  readonly failures?: number;
  /** Milliseconds that it is open before one message is tried. From 1. @default {30_000} */
  readonly openMs?: number;
  /** How many tries have to succeed, one after the other, until it closes. 1 to 1,000. @default {1} */
  readonly successes?: number;
  /** Which way is guarded. @default {"handle"} */
  readonly way?: Way;
  /** Whether an error counts, rather than being the message's own fault. @default every one does */
  readonly counts?: (error: unknown) => boolean;
  /** Hears of every change. What it throws fails the message that brought the change about. */
  readonly onChange?: (state: CircuitState) => void;
  /** Measures; for tests. @default the computer's */
  readonly clock?: Clock;
}

/** What a {@linkcode CircuitBreakerPipe} has done. */
export interface CircuitBreakerStats {
  /** What it is now. */
  readonly state: CircuitState;
  /** Messages that were not tried. */
  readonly refused: number;
  /** How often it has opened. */
  readonly opened: number;
}

/** Spares what fails. Made by {@linkcode circuitBreaker}. */
export class CircuitBreakerPipe extends AroundPipe {
  readonly #options: Required<CircuitBreakerOptions>;
  #state: CircuitState = "closed";
  #failures = 0;
  #successes = 0;
  #openUntil = 0;
  #isTrying = false;
  #refused = 0;
  #opened = 0;

  /**
   * Makes the pipe; it is closed.
   *
   * @param options When it opens and closes.
   * @throws {InvalidConfigError} When an option is out of its range.
   */
  constructor(options: CircuitBreakerOptions = {}) {
    super();
    const { failures = 5, openMs = 30_000, successes = 1, way = "handle" } = options;
    const { counts = () => true, onChange = () => {}, clock = systemClock } = options;
    wholeInRange("circuitBreaker", "failures", failures, 1, 1_000_000);
    wholeInRange("circuitBreaker", "successes", successes, 1, 1_000);
    inRange("circuitBreaker", "openMs", openMs, 1);
    checkWay("circuitBreaker", way);
    this.#options = { failures, openMs, successes, way, counts, onChange, clock };
  }

  /** What it is now. An open one becomes half-open when the next message comes. */
  get state(): CircuitState {
    return this.#state;
  }

  /** What the pipe has done. */
  stats(): CircuitBreakerStats {
    return { state: this.#state, refused: this.#refused, opened: this.#opened };
  }

  /** Guards one message. */
  protected override async around(message: PipeMessage, passing: Passing): Promise<void> {
    if (!minds(this.#options.way, passing.way)) return await passing.pass(message);
    const isTry = this.#admit(message, passing);
    try {
      await passing.pass(message);
    } catch (error) {
      if (this.#options.counts(error)) this.#failed(isTry);
      throw error;
    } finally {
      if (isTry) this.#isTrying = false;
    }
    this.#succeeded(isTry);
  }

  /** @returns Whether the message is one that is tried while half-open. */
  #admit(message: PipeMessage, { way }: Passing): boolean {
    if (this.#state === "closed") return false;
    const waitMs = this.#openUntil - this.#options.clock.monotonic();
    if (waitMs <= 0 && !this.#isTrying) {
      this.#change("half-open");
      this.#isTrying = true;
      return true;
    }
    this.#refused++;
    // While one is tried nobody knows how long it takes: ask soon again.
    const retryAfterMs = waitMs > 0 ? waitMs : Math.min(100, this.#options.openMs);
    const error = new CircuitOpenError(message, retryAfterMs);
    if (way === "handle" && message.channel !== undefined) {
      throw new RetryLater(retryAfterMs, { cause: error });
    }
    throw error;
  }

  #failed(isTry: boolean): void {
    this.#successes = 0;
    if (this.#state === "closed") this.#failures++;
    // What began before it opened says nothing about now.
    const opens = isTry || (this.#state === "closed" && this.#failures >= this.#options.failures);
    if (!opens) return;
    this.#openUntil = this.#options.clock.monotonic() + this.#options.openMs;
    this.#opened++;
    this.#change("open");
  }

  #succeeded(isTry: boolean): void {
    if (this.#state === "closed") this.#failures = 0;
    if (!isTry || ++this.#successes < this.#options.successes) return;
    this.#failures = this.#successes = 0;
    this.#change("closed");
  }

  #change(state: CircuitState): void {
    if (state === this.#state) return;
    this.#state = state;
    this.#options.onChange(state);
  }
}

/**
 * A pipe that stops trying when everything behind it fails: after some failures in a row it opens, and
 * messages fail at once with {@linkcode CircuitOpenError}. After a while one is tried, and when that
 * succeeds it closes again. Around a messenger a message that is not tried on its way in is held, without
 * spending a retry.
 *
 * @param options When it opens and closes.
 * @returns The pipe, with `state` and `stats()`.
 * @throws {InvalidConfigError} When an option is out of its range.
 *
 * @example
 * ```ts
 * import { circuitBreaker } from "@keyop/messenger/pipes";
 *
 * circuitBreaker({ failures: 3, openMs: 10_000, onChange: (state) => console.log(state) });
 * ```
 */
export function circuitBreaker(options: CircuitBreakerOptions = {}): CircuitBreakerPipe {
  return new CircuitBreakerPipe(options);
}
