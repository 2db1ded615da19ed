import type { Clock, Timer } from "../../base/mod.ts";
import { type Disconnect, DISCONNECTS } from "./disconnect.ts";

/** A timer takes no more than this. */
const TIMER_MAX_MS = 2_000_000_000;

/** The times at which a session ends by itself. */
export class SessionTimers {
  readonly #clock: Clock;
  readonly #end: (disconnect: Disconnect) => void;
  #timer: Timer | undefined;
  #expiryTimer: Timer | undefined;
  #activeAtMs = 0;

  /**
   * @param clock What measures time.
   * @param end Ends the session.
   */
  constructor(clock: Clock, end: (disconnect: Disconnect) => void) {
    this.#clock = clock;
    this.#end = end;
  }

  /** Ends the session unless it begins to connect in time. @param timeoutMs 0 is any time. */
  awaitConnect(timeoutMs: number): void {
    if (timeoutMs <= 0) return;
    const late = () => this.#end(DISCONNECTS.stale);
    this.#timer = this.#clock.after(timeoutMs, late, { unref: true });
  }

  /** The client sent something. */
  active(): void {
    this.#activeAtMs = this.#clock.monotonic();
  }

  /** The client has begun to connect. */
  connecting(): void {
    this.#timer?.cancel();
  }

  /** Ends the session after that much silence: exactly then, without a timer for each frame. */
  watchSilence(timeoutMs: number): void {
    if (timeoutMs <= 0) return;
    const left = this.#activeAtMs + timeoutMs - this.#clock.monotonic();
    if (left <= 0) return this.#end(DISCONNECTS.idleTimeout);
    this.#timer = this.#clock.after(left, () => this.watchSilence(timeoutMs), { unref: true });
  }

  /** Ends the session when its login counts no more. @param atMs Wall time; undefined is never. */
  watchExpiry(atMs: number | undefined): void {
    if (atMs === undefined) return;
    const left = atMs - this.#clock.now();
    if (left <= 0) return this.#end(DISCONNECTS.invalidToken);
    const run = () => this.watchExpiry(atMs);
    this.#expiryTimer = this.#clock.after(Math.min(left, TIMER_MAX_MS), run, { unref: true });
  }

  /** Ends nothing any more. */
  stop(): void {
    this.#timer?.cancel();
    this.#expiryTimer?.cancel();
  }
}
