/** Messages that may wait for the one that is handled before those behind are held back at the peer. */
const WAITING_MAX = 256;

/** Options of a {@linkcode ReceiveQueue}. */
export interface ReceiveQueueOptions<T> {
  /** Bytes that may wait before those behind are held back at the peer. */
  readonly bytesMax: number;
  /** Handles one message. Does not throw; its promise does not reject. */
  readonly handle: (item: T) => Promise<void> | undefined;
  /** Holds back or lets come. */
  readonly hold: (isHeld: boolean) => void;
}

interface Waiting<T> {
  readonly item: T;
  readonly bytes: number;
}

/** Handles messages in order, one at a time; one that is handled at once costs no promise. */
export class ReceiveQueue<T> {
  readonly #options: ReceiveQueueOptions<T>;
  readonly #next: () => void;
  #waiting: Waiting<T>[] = [];
  #head = 0;
  #bytes = 0;
  #isBusy = false;
  #isHeld = false;
  #isOver = false;
  #onIdle: (() => void) | undefined;

  /** @param options Limits, and what to do with a message. */
  constructor(options: ReceiveQueueOptions<T>) {
    this.#options = options;
    this.#next = () => this.#handleWaiting();
  }

  /** Messages that wait. */
  get length(): number {
    return this.#waiting.length - this.#head;
  }

  /** Bytes of the messages that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether the peer is held back. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** Adds a message of so many bytes. */
  push(item: T, bytes: number): void {
    if (this.#isOver) return;
    if (!this.#isBusy) {
      this.#isBusy = true;
      const handling = this.#options.handle(item);
      if (handling === undefined) {
        this.#isBusy = false;
        // It may have been called again meanwhile.
        if (this.length > 0 || this.#onIdle !== undefined) this.#handleWaiting();
      } else handling.then(this.#next);
      return;
    }
    this.#waiting.push({ item, bytes });
    this.#bytes += bytes;
    if (
      !this.#isHeld && (this.length >= WAITING_MAX || this.#bytes >= this.#options.bytesMax)
    ) {
      this.#isHeld = true;
      this.#options.hold(true);
    }
  }

  /** Calls once nothing is handled and nothing waits. */
  whenIdle(run: () => void): void {
    if (this.#isBusy) this.#onIdle = run;
    else run();
  }

  /** Forgets what waits. */
  end(): void {
    this.#isOver = true;
    this.#waiting = [];
    this.#head = 0;
    this.#bytes = 0;
  }

  #handleWaiting(): void {
    this.#isBusy = true;
    while (this.#head < this.#waiting.length) {
      const { item, bytes } = this.#waiting[this.#head]!;
      this.#waiting[this.#head++] = undefined as never;
      this.#bytes -= bytes;
      if (this.#head === this.#waiting.length || this.#head >= WAITING_MAX) {
        this.#waiting = this.#waiting.slice(this.#head);
        this.#head = 0;
      }
      const handling = this.#options.handle(item);
      if (handling !== undefined) {
        handling.then(this.#next);
        return;
      }
    }
    this.#isBusy = false;
    if (this.#isHeld) {
      this.#isHeld = false;
      this.#options.hold(false);
    }
    this.#onIdle?.();
    this.#onIdle = undefined;
  }
}
