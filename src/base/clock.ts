/** A timer that was started and can be stopped. */
export interface Timer {
  /** Stops it; nothing happens when it has fired or was stopped. */
  cancel(): void;
}

/**
 * Time, as an option, so that a test can stop it. Wall time stamps what is stored; monotonic time
 * measures, and does not jump when the wall clock is set.
 */
export interface Clock {
  /** Wall time in milliseconds since 1970. */
  now(): number;
  /** Milliseconds from an arbitrary start, never going back. */
  monotonic(): number;
  /**
   * Calls once, later.
   *
   * @param delayMs Milliseconds to wait.
   * @param run What to call.
   * @param options `unref`: the timer does not keep the process alive.
   */
  after(delayMs: number, run: () => void, options?: { readonly unref?: boolean }): Timer;
  /** Calls once, as soon as the events that are ready have been dealt with. */
  soon(run: () => void): void;
}

/** The computer's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(delayMs, run, options) {
    const id = setTimeout(run, delayMs);
    if (options?.unref) Deno.unrefTimer(id);
    return { cancel: () => clearTimeout(id) };
  },
  // The global one, because an import would keep this room out of browsers.
  soon: (run) => void globalThis.setImmediate(run),
};

/** Waits; rejects with the signal's reason when it is aborted first. */
export function delay(
  clock: Clock,
  delayMs: number,
  signal?: AbortSignal,
  options?: { readonly unref?: boolean },
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const abort = () => {
      timer.cancel();
      reject(signal?.reason);
    };
    const timer = clock.after(delayMs, () => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, options);
    signal?.addEventListener("abort", abort, { once: true });
  });
}
