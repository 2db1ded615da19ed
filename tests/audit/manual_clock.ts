import type { Clock } from "../../src/base/mod.ts";

interface Waiting {
  readonly at: number;
  readonly run: () => void;
}

/** A clock that stands still until it is told to move. */
export class ManualClock implements Clock {
  #now = Date.UTC(2026, 7, 1);
  #waiting: Waiting[] = [];

  /** The delays that were asked for, in order. */
  readonly delays: number[] = [];

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void): { cancel(): void } {
    const waiting = { at: this.#now + delayMs, run };
    this.delays.push(delayMs);
    this.#waiting.push(waiting);
    return {
      cancel: () => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting);
      },
    };
  }

  soon(run: () => void): void {
    queueMicrotask(run);
  }

  /** How many timers wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Moves on, and fires what comes due on the way, letting each take effect before the next. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await settle();
      const next = this.#waiting.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (next === undefined) break;
      this.#now = next.at;
      this.#waiting = this.#waiting.filter((other) => other !== next);
      next.run();
    }
    this.#now = end;
    await settle();
  }
}

/** Lets everything happen that waits for nothing but its turn. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 200; turn++) await Promise.resolve();
}
