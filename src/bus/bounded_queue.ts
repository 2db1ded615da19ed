import { Room } from "./room.ts";

const COMPACT_AT = 1_024;

interface Reader<T> {
  readonly resolve: (result: IteratorResult<T, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

const DONE: IteratorResult<never, undefined> = { done: true, value: undefined };

/** Values that wait for a reader, up to a bound. */
export class BoundedQueue<T> {
  readonly #limit: number;
  readonly #roomAt: number;
  readonly #room = new Room();
  #items: T[] = [];
  #at = 0;
  #readers: Reader<T>[] = [];
  #ended = false;
  #error: unknown;

  /**
   * @param limit Values that may wait.
   * @param roomAt Values that still wait when those go on who wait for room.
   */
  constructor(limit: number, roomAt: number = limit >> 1) {
    this.#limit = limit;
    this.#roomAt = roomAt;
  }

  /** Values that wait. */
  get size(): number {
    return this.#items.length - this.#at;
  }

  /** Whether another value would be one too many. */
  get isFull(): boolean {
    return this.size >= this.#limit;
  }

  /** Whether nothing can be added any more. */
  get isEnded(): boolean {
    return this.#ended;
  }

  /** Adds a value; the caller has looked whether the queue is full. */
  push(value: T): void {
    if (this.#readers.length === 0) this.#items.push(value);
    else this.#readers.shift()!.resolve({ done: false, value });
  }

  /** The next value, when one waits; the caller has looked at the size. */
  shift(): T {
    return this.#take();
  }

  /** Settles when enough of the queue is free, or it has ended. */
  untilRoom(): Promise<void> {
    return this.#room.wait();
  }

  /** The next value; waits for it. Rejects once with the error that the queue ended with. */
  next(): Promise<IteratorResult<T, undefined>> {
    if (this.#at < this.#items.length) return Promise.resolve({ done: false, value: this.#take() });
    if (this.#ended) {
      const error = this.#error;
      this.#error = undefined;
      return error === undefined ? Promise.resolve(DONE) : Promise.reject(error);
    }
    return new Promise((resolve, reject) => this.#readers.push({ resolve, reject }));
  }

  /** Ends it: what waits can still be read, then the error is thrown, if there is one. */
  end(error?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#error = error;
    for (const reader of this.#readers.splice(0)) {
      if (this.#error === undefined) {
        reader.resolve(DONE);
        continue;
      }
      reader.reject(this.#error);
      this.#error = undefined;
    }
    this.#room.open();
  }

  /** Forgets what waits. */
  clear(): void {
    this.#items = [];
    this.#at = 0;
    this.#room.open();
  }

  #take(): T {
    const value = this.#items[this.#at]!;
    this.#at++;
    if (this.#at === this.#items.length) {
      this.#items.length = 0;
      this.#at = 0;
    } else if (this.#at >= COMPACT_AT) {
      this.#items.splice(0, this.#at);
      this.#at = 0;
    }
    if (this.size <= this.#roomAt) this.#room.open();
    return value;
  }
}
