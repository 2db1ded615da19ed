import { type Clock, delay } from "../base/mod.ts";
import { aborted, unlessAborted } from "./signals.ts";

const DRAIN_PATIENCE_MS = 5_000;

/**
 * Keeps the order of the calls for what cannot be handed over at once: because a schema takes its
 * time, or the channel is new. What comes after it on the same channel waits as well.
 */
export class PublishOrder {
  readonly #last = new Map<string, Promise<void>>();
  readonly #givingUp = new AbortController();

  /** Whether what is published to the channel now has to wait for its turn. */
  mustWait(channel: string): boolean {
    return this.#last.size > 0 && this.#last.has(channel);
  }

  /**
   * Waits until everything that came before has been handed over, and hands over.
   *
   * @param channel The channel.
   * @param ready Settles with who takes it; when this rejects, it is left out.
   * @param signal Leaves it out as well, unless it was handed over by then.
   * @param handOver Gives it away; what this returns is not waited for by what comes after.
   */
  async inTurn<R, T>(
    channel: string,
    ready: Promise<R>,
    signal: AbortSignal | undefined,
    handOver: (taker: R) => Promise<T>,
  ): Promise<T> {
    const before = this.#last.get(channel) ?? Promise.resolve();
    const { promise: done, resolve } = Promise.withResolvers<void>();
    this.#last.set(channel, done);
    // Whoever is left out early lets nobody pass those before it.
    const pass = () => {
      resolve(before);
      done.then(() => {
        if (this.#last.get(channel) === done) this.#last.delete(channel);
      });
    };
    let stored: Promise<T>;
    try {
      const turn = unlessAborted(Promise.all([ready, before]), this.#givingUp.signal);
      const [taker] = await unlessAborted(turn, signal);
      aborted(signal);
      stored = handOver(taker);
    } finally {
      pass();
    }
    return await unlessAborted(stored, signal);
  }

  /** Waits up to five seconds until everything has been handed over. */
  async drain(clock: Clock): Promise<void> {
    const over = new AbortController();
    const patience = delay(clock, DRAIN_PATIENCE_MS, over.signal).catch(() => {});
    await Promise.race([patience, Promise.all(this.#last.values())]);
    over.abort();
  }

  /** Fails whatever waits, now and later, with an error. */
  async close(error: Error): Promise<void> {
    this.#givingUp.abort(error);
    await Promise.all(this.#last.values());
  }
}
