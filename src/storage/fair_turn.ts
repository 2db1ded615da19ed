import type { Clock } from "../base/mod.ts";

const CHECKED_STEPS = 16;
const TURN_MS = 10;

/**
 * Tells a loop that never waits for anything when timers and sockets should have their turn: after
 * ten milliseconds. It looks at the clock every sixteenth step.
 */
export class FairTurn {
  readonly #clock: Clock;
  #steps = 0;
  #began: number;

  /** @param clock What measures. */
  constructor(clock: Clock) {
    this.#clock = clock;
    this.#began = clock.now();
  }

  /** Counts a step. @returns Whether the turn is over; the next one begins then. */
  isOver(): boolean {
    if (++this.#steps < CHECKED_STEPS) return false;
    this.#steps = 0;
    const now = this.#clock.now();
    const since = now - this.#began;
    // The wall clock may have been set back.
    if (since >= 0 && since < TURN_MS) return false;
    this.#began = now;
    return true;
  }

  /** Settles when the others have had their turn. */
  async pass(): Promise<void> {
    await new Promise<void>((resolve) => this.#clock.soon(resolve));
    this.#began = this.#clock.now();
  }
}
