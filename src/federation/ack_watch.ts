import type { Clock, Timer } from "../base/mod.ts";

/** A large frame gets more time: this many of its bytes each millisecond. */
const SLOWEST_BYTES_PER_MS = 16;

/** Options of an {@linkcode AckWatch}. */
export interface AckWatchOptions {
  readonly clock: Clock;
  /** Longest wait in milliseconds for the acknowledgement of a small frame. */
  readonly timeoutMs: number;
  /** Bytes of the oldest frame in flight; undefined when there is none. */
  readonly oldestBytes: () => number | undefined;
  /** Whether acknowledgements cannot come in because this side holds incoming frames back. */
  readonly isHeld: () => boolean;
  /** Called when none has come for too long. */
  readonly onExpired: (waitedMs: number) => void;
}

/** Finds out when a peer no longer acknowledges, with one timer however many frames there are. */
export class AckWatch {
  readonly #options: AckWatchOptions;
  #progressAt = 0;
  #timer: Timer | undefined;

  /** @param options How long to wait for what. */
  constructor(options: AckWatchOptions) {
    this.#options = options;
  }

  /** Something is in flight where nothing was, or has been acknowledged. */
  progress(): void {
    const { clock, timeoutMs } = this.#options;
    this.#progressAt = clock.monotonic();
    if (this.#timer === undefined) this.#check(timeoutMs);
  }

  /** Nothing is in flight any more. */
  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #check(delayMs: number): void {
    const { clock, timeoutMs, oldestBytes, isHeld, onExpired } = this.#options;
    this.#timer = clock.after(delayMs, () => {
      this.#timer = undefined;
      const bytes = oldestBytes();
      if (bytes === undefined) return;
      if (isHeld()) this.#progressAt = clock.monotonic();
      const allowedMs = timeoutMs + bytes / SLOWEST_BYTES_PER_MS;
      const waitedMs = clock.monotonic() - this.#progressAt;
      if (waitedMs < allowedMs) this.#check(allowedMs - waitedMs);
      else onExpired(waitedMs);
    }, { unref: true });
  }
}
