import type { Clock } from "../../base/mod.ts";
import type { GatewayLimits } from "./limits.ts";

/** Counts the bad frames of one client. */
export class ErrorBudget {
  readonly #clock: Clock;
  readonly #limits: GatewayLimits;
  #atMs: number[] = [];

  /**
   * @param clock What measures time.
   * @param limits How many there may be within how long.
   */
  constructor(clock: Clock, limits: GatewayLimits) {
    this.#clock = clock;
    this.#limits = limits;
  }

  /** Counts one more. @returns Whether it is one too many. */
  isSpent(): boolean {
    const now = this.#clock.monotonic();
    this.#atMs = this.#atMs.filter((at) => now - at < this.#limits.badFramesWindowMs);
    this.#atMs.push(now);
    return this.#atMs.length >= this.#limits.badFrames;
  }
}
