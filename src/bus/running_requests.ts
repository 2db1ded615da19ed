const SWEEP_EVERY_MS = 10_000;

interface Running {
  readonly cancelled: AbortController;
  readonly deadline: number;
}

/** The requests that a server has taken and not answered to the end, by whatever names them. */
export class RunningRequests {
  readonly #running = new Map<string, Running>();
  #sweptAt = Date.now();

  /**
   * A request is taken.
   *
   * @param key Names it.
   * @param deadline Wall-clock milliseconds after which nobody waits, and it is forgotten.
   * @returns Is aborted when the caller gives up.
   */
  start(key: string, deadline: number): AbortSignal {
    this.#sweep();
    const cancelled = new AbortController();
    this.#running.set(key, { cancelled, deadline });
    return cancelled.signal;
  }

  /** A request is answered to the end. */
  finish(key: string): void {
    this.#running.delete(key);
  }

  /** The caller has given up. */
  cancel(key: string): void {
    const running = this.#running.get(key);
    this.#running.delete(key);
    running?.cancelled.abort(new DOMException("The caller gave up", "AbortError"));
  }

  /** Forgets handlers that never answered. */
  #sweep(): void {
    const now = Date.now();
    if (now - this.#sweptAt < SWEEP_EVERY_MS) return;
    this.#sweptAt = now;
    for (const [key, { deadline }] of this.#running) {
      if (deadline < now) this.#running.delete(key);
    }
  }
}
