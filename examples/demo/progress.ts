import type { DemoEvent } from "./events.ts";

/** What the demo waits for. */
interface Wait {
  readonly what: string;
  readonly isDone: () => boolean;
  readonly resolve: () => void;
}

/** What the programs have told so far, and who waits for it. */
export class Progress {
  /** Ids of readings whose publishing has settled. */
  readonly published = new Set<string>();
  /** Ids of readings that were handled. */
  readonly handled = new Set<string>();
  /** Names of the clients that have arrived at the hub. */
  readonly arrived = new Set<string>();
  /** Whether client one publishes no more. */
  publishingEnded = false;
  readonly #signal: AbortSignal;
  readonly #ready = new Map<string, number>();
  readonly #waits = new Set<Wait>();

  /** @param signal Ends all waiting, with its reason. */
  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** What is waited for now. */
  get missing(): string {
    return [...this.#waits].map(({ what }) => what).join(" and ");
  }

  /** How many readings there are, in words. */
  get counts(): string {
    return `${this.published.size} published, ${this.handled.size} received so far`;
  }

  /** How often the program has come up. */
  starts(program: string): number {
    return this.#ready.get(program) ?? 0;
  }

  /** Takes what a program tells. */
  take(program: string, event: DemoEvent): void {
    switch (event.event) {
      case "ready":
        this.#ready.set(program, this.starts(program) + 1);
        break;
      case "arrived":
        this.arrived.add(event.name);
        break;
      case "published":
        this.published.add(event.id);
        break;
      case "publishing ended":
        this.publishingEnded = true;
        break;
      case "handled":
        this.handled.add(event.id);
        break;
    }
    for (const wait of this.#waits) if (wait.isDone()) wait.resolve();
  }

  /**
   * Waits until what the programs have told fulfils a condition.
   *
   * @param what The condition in words, for the error of a demo that takes too long.
   * @param isDone The condition.
   * @throws The signal's reason.
   */
  async until(what: string, isDone: () => boolean): Promise<void> {
    this.#signal.throwIfAborted();
    if (isDone()) return;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const wait = { what, isDone, resolve };
    const abort = () => reject(this.#signal.reason);
    this.#signal.addEventListener("abort", abort);
    this.#waits.add(wait);
    try {
      await promise;
    } finally {
      this.#waits.delete(wait);
      this.#signal.removeEventListener("abort", abort);
    }
  }
}
