import type { Clock } from "../base/mod.ts";
import type { OpenFile } from "./files.ts";

const INLINE_MAX_MS = 1;

/**
 * Makes a file's bytes durable, in the way that costs least on this disk. A call that blocks is the
 * quicker one where a sync takes less than a millisecond: a trip to another thread would cost as
 * much again. Where it takes longer, the program must go on meanwhile.
 */
export class Syncer {
  readonly #clock: Clock;
  #lastMs = 0;

  /** @param clock What measures. */
  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether the next sync will block. */
  get inline(): boolean {
    return this.#lastMs < INLINE_MAX_MS;
  }

  /** Settles at once when it has blocked; throws or rejects when the disk refuses. */
  sync(file: OpenFile): void | Promise<void> {
    const began = this.#clock.monotonic();
    if (!this.inline) return this.#syncAside(file, began);
    file.syncDataSync();
    this.#lastMs = this.#clock.monotonic() - began;
  }

  async #syncAside(file: OpenFile, began: number): Promise<void> {
    await file.syncData();
    this.#lastMs = this.#clock.monotonic() - began;
  }
}
