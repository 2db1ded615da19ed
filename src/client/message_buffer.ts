/** So many taken values are kept before room is made at once. */
const TAKEN_KEPT = 1_000;

/** Values between who brings them and a loop that takes them. Bounded by who brings them. */
export class MessageBuffer<T> {
  #values: T[] = [];
  #taken = 0;
  #end: { readonly error: unknown } | undefined;
  #wake = () => {};

  /** How many wait. */
  get size(): number {
    return this.#values.length - this.#taken;
  }

  /** Adds a value. */
  push(value: T): void {
    if (this.#end !== undefined) return;
    this.#values.push(value);
    this.#wake();
  }

  /** Ends it after what waits; with an error, the loop throws. */
  end(error?: unknown): void {
    this.#end ??= { error };
    this.#wake();
  }

  /** What was added, in order. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, void> {
    for (;;) {
      if (this.#taken < this.#values.length) {
        const value = this.#values[this.#taken++]!;
        if (this.#taken === TAKEN_KEPT) {
          this.#values.splice(0, TAKEN_KEPT);
          this.#taken = 0;
        }
        yield value;
        continue;
      }
      this.#values = [];
      this.#taken = 0;
      if (this.#end !== undefined) {
        if (this.#end.error !== undefined) throw this.#end.error;
        return;
      }
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }
}
