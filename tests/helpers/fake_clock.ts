import { setImmediate } from "node:timers";
import type { Clock, Timer } from "../../src/base/mod.ts";

interface FakeTimer {
  readonly at: number;
  readonly delayMs: number;
  readonly run: () => void;
}

/**
 * A clock that stands still until a test moves it. `soon` runs on the real event loop: what is ready
 * is dealt with first, as with the computer's clock.
 */
export class FakeClock implements Clock {
  #wall: number;
  #monotonic = 0;
  #timers: FakeTimer[] = [];
  #watchers: (() => void)[] = [];

  /** Delays of all timers that were started, in milliseconds, in order. */
  readonly started: number[] = [];

  /** @param wall Wall time at the start, in milliseconds since 1970. */
  constructor(wall = Date.UTC(2026, 0, 1)) {
    this.#wall = wall;
  }

  now(): number {
    return this.#wall;
  }

  monotonic(): number {
    return this.#monotonic;
  }

  after(delayMs: number, run: () => void): Timer {
    const timer = { at: this.#monotonic + delayMs, delayMs, run };
    this.#timers.push(timer);
    this.started.push(delayMs);
    for (const wake of this.#watchers.splice(0)) wake();
    return { cancel: () => void (this.#timers = this.#timers.filter((other) => other !== timer)) };
  }

  soon(run: () => void): void {
    setImmediate(run);
  }

  /** Delays of the timers that are running. */
  get running(): readonly number[] {
    return this.#timers.map(({ delayMs }) => delayMs);
  }

  /** Settles when a timer of that delay is running. */
  untilTimer(delayMs: number): Promise<void> {
    return this.#untilSome((running) => running === delayMs);
  }

  async #untilSome(wanted: (delayMs: number) => boolean): Promise<void> {
    while (!this.running.some(wanted)) {
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  /** Lets time pass whenever something waits for up to a second, until a promise settles. */
  async hurry<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    const end = promise.then(() => {}, () => {}).then(() => void (settled = true));
    for (;;) {
      await Promise.race([end, this.#untilSome((delayMs) => delayMs <= 1_000)]);
      if (settled) return await promise;
      await this.advance(1_000);
    }
  }

  /** Lets time pass until something has come about. */
  async hurryUp(done: () => boolean): Promise<void> {
    for (let rounds = 0; !done(); rounds++) {
      if (rounds === 1_000) throw new Error("it did not come about in a thousand seconds");
      await this.advance(1_000);
    }
  }

  /** Waits for a timer of that delay and lets that time pass. */
  async fire(delayMs: number): Promise<void> {
    await this.untilTimer(delayMs);
    await this.advance(delayMs);
  }

  /** Lets time pass, calling the timers that become due in their order. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((other) => other !== due);
      this.pass(Math.max(0, due.at - this.#monotonic));
      due.run();
      await turn();
    }
    this.pass(end - this.#monotonic);
    await turn();
  }

  /** Lets time pass while the program is busy: no timer is called. */
  pass(ms: number): void {
    this.#wall += ms;
    this.#monotonic += ms;
  }

  /** Sets the wall clock, as a user or a time server does. */
  setWall(ms: number): void {
    this.#wall = ms;
  }
}

/** Lets everything that is ready run, several times over. */
export async function turn(times = 5): Promise<void> {
  for (let n = 0; n < times; n++) await new Promise<void>((resolve) => setImmediate(resolve));
}
