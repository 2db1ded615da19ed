/** A promise for those who wait until there is room again. */
export class Room {
  #waiting: PromiseWithResolvers<void> | undefined;

  /** Settles at the next {@linkcode open}. */
  wait(): Promise<void> {
    this.#waiting ??= Promise.withResolvers();
    return this.#waiting.promise;
  }

  /** Lets everyone go on who waits. */
  open(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    waiting.resolve();
  }
}
