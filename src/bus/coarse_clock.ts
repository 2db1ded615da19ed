import type { Clock, Timer } from "../base/mod.ts";

/** Waits from so many milliseconds on share timers. */
const COARSE_FROM_MS = 1_000;
/** What falls into the same so many milliseconds shares one, and ends with the last of them. */
const SLOT_MS = 16;

interface Slot {
  readonly runs: Set<{ readonly run: () => void }>;
  readonly timer: Timer;
}

/**
 * A clock on which long waits that end at about the same time share a timer. Time limits of requests are such
 * waits: thousands a second are begun, and hardly any of them comes to its end.
 */
export class CoarseClock implements Clock {
  readonly #clock: Clock;
  readonly #slots = new Map<number, Slot>();
  readonly #unrefSlots = new Map<number, Slot>();

  /** @param clock Tells the time. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    return this.#clock.now();
  }

  monotonic(): number {
    return this.#clock.monotonic();
  }

  soon(run: () => void): void {
    this.#clock.soon(run);
  }

  /** Calls once, later: a long wait ends up to 16 ms late. */
  after(delayMs: number, run: () => void, options?: { readonly unref?: boolean }): Timer {
    const clock = this.#clock;
    if (!(delayMs >= COARSE_FROM_MS)) return clock.after(delayMs, run, options);
    const slots = options?.unref ? this.#unrefSlots : this.#slots;
    const now = clock.monotonic();
    const at = Math.ceil((now + delayMs) / SLOT_MS);
    let slot = slots.get(at);
    if (slot === undefined) {
      const runs: Slot["runs"] = new Set();
      const timer = clock.after(at * SLOT_MS - now, () => {
        slots.delete(at);
        for (const entry of runs) entry.run();
      }, options);
      slots.set(at, slot = { runs, timer });
    }
    const entry = { run };
    const { runs, timer } = slot;
    runs.add(entry);
    return {
      cancel() {
        if (!runs.delete(entry) || runs.size > 0) return;
        timer.cancel();
        slots.delete(at);
      },
    };
  }
}
