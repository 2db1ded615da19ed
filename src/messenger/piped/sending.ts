import { PublishStoppedError } from "../../base/mod.ts";
import { unlessAborted } from "../signals.ts";
import type { MadeRecord, Outlet } from "./outlet.ts";

/** Who waits for a message that is on its way through the pipes. */
export interface Sending {
  /** The channel that it was published to, which may be published to. */
  readonly channel: string;
  /**
   * Stores a record that has passed the pipes.
   *
   * @param channel The channel that it is for.
   * @param record Its line.
   * @param id Its UUID.
   * @returns Settles once it is stored.
   */
  store(channel: string, record: string, id: string): Promise<unknown>;
}

/**
 * One call of `publish`. The first record that arrives for its channel takes the call's turn, so that
 * messages stay in the order of the calls however long their pipes take. Whatever else the pipes
 * send goes as it comes.
 */
export class SingleSending<P> implements Sending {
  readonly #outlet: Outlet<P>;
  readonly channel: string;
  readonly #signal: AbortSignal | undefined;
  #stored: Promise<P> | undefined;
  #stray: Promise<P> | undefined;
  #making: PromiseWithResolvers<MadeRecord> | undefined;
  #isOver = false;

  /**
   * @param outlet Where records go.
   * @param channel The channel that the call is for.
   * @param signal Ends the waiting.
   */
  constructor(outlet: Outlet<P>, channel: string, signal: AbortSignal | undefined) {
    this.#outlet = outlet;
    this.channel = channel;
    this.#signal = signal;
  }

  store(channel: string, record: string, id: string): Promise<P> {
    if (this.#isOver || channel !== this.channel) {
      const stored = this.#outlet.storeAnyway(channel, record, id);
      this.#stray ??= stored;
      return stored;
    }
    this.#isOver = true;
    if (this.#making !== undefined) {
      this.#making.resolve({ record, id });
      return this.#stored!;
    }
    // The usual case: the pipes have passed it on at once, and nobody is before it.
    return this.#stored = this.#outlet.storeNow(channel, record, id, this.#signal) ??
      this.#outlet.storeInTurn(channel, Promise.resolve({ record, id }), this.#signal);
  }

  /** Takes the call's turn for a record that is still to come. */
  holdTurn(): void {
    if (this.#stored !== undefined) return;
    this.#making = Promise.withResolvers();
    this.#stored = this.#outlet.storeInTurn(this.channel, this.#making.promise, this.#signal);
    // Who asks for the outcome is told; a pipe that was stopped may never ask.
    this.#stored.catch(() => {});
  }

  /**
   * What `publish` gives.
   *
   * @param passing Settles when the pipes are done.
   * @throws {PublishStoppedError} When none of them has passed the message on.
   */
  outcome(passing: Promise<void>): Promise<P> {
    if (passing as Promise<unknown> === this.#stored) return this.#stored!;
    this.holdTurn();
    return unlessAborted(this.#finish(passing), this.#signal);
  }

  async #finish(passing: Promise<void>): Promise<P> {
    try {
      await passing;
    } catch (error) {
      this.#giveUp(error);
      // A pipe that has passed it on and threw may never have looked at what became of it.
      this.#stored?.catch(() => {});
      throw error;
    }
    if (this.#isOver) return await this.#stored!;
    this.#giveUp(new PublishStoppedError(this.channel));
    return await (this.#stray ?? this.#stored!);
  }

  /** Frees the turn when nothing has taken it. */
  #giveUp(reason: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#making?.reject(reason);
  }
}
