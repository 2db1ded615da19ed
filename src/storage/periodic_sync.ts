import { type Clock, type Logger, messageOf, type Timer } from "../base/mod.ts";
import type { SegmentWriter } from "./segment_writer.ts";

/** What a {@linkcode PeriodicSync} works with. */
export interface PeriodicSyncOptions {
  readonly channel: string;
  readonly segments: SegmentWriter;
  /** Milliseconds between syncs. */
  readonly syncIntervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Syncs a channel some time after it was written, without holding anybody up. */
export class PeriodicSync {
  readonly #options: PeriodicSyncOptions;
  #timer: Timer | undefined;
  #failing = false;
  #closed = false;

  /** @param options What to sync, and how often. */
  constructor(options: PeriodicSyncOptions) {
    this.#options = options;
  }

  /** Notes that something was written. */
  arm(): void {
    if (this.#timer !== undefined || this.#closed) return;
    const { clock, syncIntervalMs } = this.#options;
    this.#timer = clock.after(syncIntervalMs, () => this.#sync(), { unref: true });
  }

  /** Syncs no more. */
  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  async #sync(): Promise<void> {
    const { segments, logger, channel } = this.#options;
    try {
      await segments.syncAside();
      if (this.#failing) logger.info("periodic syncs succeed again", { channel });
      this.#failing = false;
    } catch (error) {
      if (!this.#failing) {
        logger.error("a periodic sync failed: what was written since the last one is not durable", {
          channel,
          error: messageOf(error),
        });
      }
      this.#failing = true;
    }
    this.#timer = undefined;
    if (segments.unsynced) this.arm();
  }
}
