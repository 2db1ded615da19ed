import { PublishStoppedError } from "../../base/mod.ts";
import type { GroupOutlet, MadeRecord } from "./outlet.ts";
import type { Sending } from "./sending.ts";

/** One call of `publishBatch`: it is stored when each of its messages has passed the pipes. */
export class GroupSending<P> {
  readonly #outlet: GroupOutlet<P>;
  readonly #channel: string;
  readonly #made: MadeRecord[][];
  readonly #making = Promise.withResolvers<readonly MadeRecord[]>();
  readonly #stored: Promise<P[]>;
  #missing: number;
  #isOver = false;

  /**
   * @param outlet Where records go.
   * @param channel The channel.
   * @param count How many messages there are.
   * @param signal Ends the waiting.
   */
  constructor(
    outlet: GroupOutlet<P>,
    channel: string,
    count: number,
    signal: AbortSignal | undefined,
  ) {
    this.#outlet = outlet;
    this.#channel = channel;
    this.#made = Array.from({ length: count }, () => []);
    this.#missing = count;
    this.#stored = outlet.storeAllInTurn(channel, this.#making.promise, signal);
    this.#stored.catch(() => {});
  }

  /** What waits for one of the messages. */
  of(index: number): Sending {
    return {
      channel: this.#channel,
      store: (channel, record, id) => this.#store(index, channel, record, id),
    };
  }

  /**
   * What `publishBatch` gives.
   *
   * @param passing Settles, for each message, when the pipes are done with it.
   * @throws {PublishStoppedError} When one has not been passed on; then none is stored.
   */
  async outcome(passing: readonly Promise<void>[]): Promise<P[]> {
    const watched = passing.map(async (passed, index) => {
      try {
        await passed;
        if (this.#made[index]!.length === 0) throw new PublishStoppedError(this.#channel, index);
      } catch (error) {
        this.fail(error);
        throw error;
      }
    });
    const [stored] = await Promise.all([this.#stored, ...watched]);
    let first = 0;
    return this.#made.map((records) => {
      const outcome = stored[first]!;
      first += records.length;
      return outcome;
    });
  }

  /** Gives up: none is stored. */
  fail(error: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#making.reject(error);
  }

  #store(index: number, channel: string, record: string, id: string): Promise<unknown> {
    if (channel !== this.#channel || (this.#isOver && this.#missing === 0)) {
      return this.#outlet.storeAnyway(channel, record, id);
    }
    // Given up: what has failed the others fails this one.
    if (this.#isOver) return this.#stored;
    const records = this.#made[index]!;
    records.push({ record, id });
    if (records.length === 1 && --this.#missing === 0) {
      this.#isOver = true;
      this.#making.resolve(this.#made.flat());
    }
    return this.#stored;
  }
}
