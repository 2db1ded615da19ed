/** Counts what has arrived, by the numbers that the sensor gives its readings. */
export class Tally {
  /** Readings that arrived. */
  received = 0;
  /** Of them, those that were missed first and repeated later, or come from history. */
  replayed = 0;
  /** Numbers that were left out. */
  missing = 0;
  /** Readings that came again. */
  doubled = 0;
  #last = 0;

  /** Counts a reading. */
  add(number: number, replayed: boolean): void {
    this.received++;
    if (replayed) this.replayed++;
    if (this.#last > 0 && number <= this.#last) {
      this.doubled++;
      return;
    }
    if (this.#last > 0) this.missing += number - this.#last - 1;
    this.#last = number;
  }
}
