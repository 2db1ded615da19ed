import { aborted, unlessAborted } from "./signals.ts";

/**
 * Work that several callers wait for together, each with a signal of their own. It is given up when
 * all of them have given up.
 */
export class SharedAttempt<T> {
  /** Settles, never rejects, when the work has ended. */
  readonly ended: Promise<void>;
  readonly #work: Promise<T>;
  readonly #givingUp = new AbortController();
  #waiting = 0;
  #isOver = false;

  /** @param work What to do; its signal is aborted when nobody waits any more. */
  constructor(work: (signal: AbortSignal) => Promise<T>) {
    this.#work = work(this.#givingUp.signal);
    this.ended = this.#work.then(() => {}, () => {}).then(() => void (this.#isOver = true));
  }

  /** Whether it has ended or is being given up: whoever comes now needs another. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Waits for it, until the signal is aborted. */
  async join(signal: AbortSignal | undefined): Promise<T> {
    aborted(signal);
    this.#waiting++;
    try {
      return await unlessAborted(this.#work, signal);
    } finally {
      this.#waiting--;
      if (this.#waiting === 0 && signal?.aborted) {
        this.#isOver = true;
        this.#givingUp.abort(signal.reason);
      }
    }
  }
}
