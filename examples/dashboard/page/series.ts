/** Values over time, of a window that moves. Holds no more than what is in it. */
export class Series {
  readonly #windowS: number;
  readonly #columns: number[][];

  /**
   * Makes it, empty.
   *
   * @param count Values at each time.
   * @param windowS Seconds that are kept.
   */
  constructor(count: number, windowS: number) {
    this.#windowS = windowS;
    this.#columns = Array.from({ length: count + 1 }, () => []);
  }

  /** Times in seconds since 1970, and the values beside them, one list each. */
  get columns(): readonly number[][] {
    return this.#columns;
  }

  /** Adds values; what comes late finds its place. */
  add(timeS: number, values: readonly number[]): void {
    const [times] = this.#columns as [number[]];
    let at = times.length;
    while (at > 0 && times[at - 1]! > timeS) at--;
    [timeS, ...values].forEach((value, column) => this.#columns[column]!.splice(at, 0, value));
    const oldest = times.at(-1)! - this.#windowS;
    const old = times.findIndex((time) => time >= oldest);
    if (old > 0) { for (const column of this.#columns) column.splice(0, old); }
  }
}
