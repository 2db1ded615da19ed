import type { Position } from "./log.ts";

interface Waiter {
  readonly position: Position;
  readonly wake: () => void;
  readonly fail: (error: unknown) => void;
}

/** Readers that wait for a log to grow. */
export class Waiters {
  #waiters: Waiter[] = [];
  #closed: Error | undefined;

  /** Settles when `notify` tells of an end beyond the position; rejects when the log is closed. */
  wait(position: Position, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      if (this.#closed !== undefined) return reject(this.#closed);
      const abort = () => {
        this.#waiters = this.#waiters.filter((other) => other !== waiter);
        reject(signal?.reason);
      };
      const waiter: Waiter = {
        position,
        wake: () => {
          signal?.removeEventListener("abort", abort);
          resolve();
        },
        fail: (error) => {
          signal?.removeEventListener("abort", abort);
          reject(error);
        },
      };
      this.#waiters.push(waiter);
      signal?.addEventListener("abort", abort, { once: true });
    });
  }

  /** Wakes whoever waits for less than the log's new end. */
  notify(end: Position): void {
    if (this.#waiters.length === 0) return;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) {
      if (waiter.position < end) waiter.wake();
      else this.#waiters.push(waiter);
    }
  }

  /** Fails whoever waits, now and later: the log will not grow any more. */
  close(error: Error): void {
    this.#closed = error;
    for (const waiter of this.#waiters.splice(0)) waiter.fail(error);
  }
}
