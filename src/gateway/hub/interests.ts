/** What of a broker serves somebody: what it is asked to deliver, and to deliver no more. */
export interface InterestBroker {
  subscribe(name: string): Promise<void>;
  unsubscribe(name: string): Promise<void>;
}

interface Interest {
  /** Those who want it. */
  count: number;
  isSubscribed: boolean;
  /** What the broker was asked last; undefined when it has answered everything. */
  pending: Promise<void> | undefined;
}

/**
 * Counts who wants which channel or pattern, and asks the broker for the first and the last, one
 * after the other for one name.
 */
export class Interests {
  readonly #broker: InterestBroker;
  readonly #onError: (name: string, error: unknown) => void;
  readonly #all = new Map<string, Interest>();

  /**
   * @param broker What is asked.
   * @param onError Told when it could not be asked to deliver no more.
   */
  constructor(broker: InterestBroker, onError: (name: string, error: unknown) => void) {
    this.#broker = broker;
    this.#onError = onError;
  }

  /** Names that somebody wants. */
  get size(): number {
    return this.#all.size;
  }

  /** Wants a name. @returns Nothing when the broker delivers it already. */
  acquire(name: string): Promise<void> | undefined {
    let interest = this.#all.get(name);
    if (interest === undefined) {
      interest = { count: 0, isSubscribed: false, pending: undefined };
      this.#all.set(name, interest);
    }
    interest.count++;
    if (interest.isSubscribed && interest.pending === undefined) return undefined;
    const found = interest;
    return this.#then(name, found, async () => {
      if (found.isSubscribed) return;
      await this.#broker.subscribe(name);
      found.isSubscribed = true;
    });
  }

  /** Wants it no more. */
  release(name: string): void {
    const interest = this.#all.get(name);
    if (interest === undefined || --interest.count > 0) return;
    this.#then(name, interest, async () => {
      if (interest.count > 0 || !interest.isSubscribed) return;
      interest.isSubscribed = false;
      await this.#broker.unsubscribe(name);
    }).catch((error) => this.#onError(name, error));
  }

  #then(name: string, interest: Interest, run: () => Promise<void>): Promise<void> {
    const before = interest.pending;
    const result = before === undefined ? run() : before.then(run);
    const settled = result.catch(() => {}).then(() => {
      if (interest.pending !== settled) return;
      interest.pending = undefined;
      if (interest.count === 0 && this.#all.get(name) === interest) this.#all.delete(name);
    });
    interest.pending = settled;
    return result;
  }
}
