/** What the receiving side has measured. */
export interface Reception {
  /** Milliseconds from the first message to the last one. */
  readonly ms: number;
  /** Milliseconds from sending to receiving that half of the messages did not exceed. */
  readonly p50Ms: number;
  /** The same of 99 % of the messages. */
  readonly p99Ms: number;
}

/** Milliseconds since 1970, finer than `Date.now` and comparable between processes. */
export function preciseNow(): number {
  return performance.timeOrigin + performance.now();
}

/** Measures how long it takes until so many messages were received. */
export class Stopwatch {
  #latencies: number[] = [];
  #done = Promise.withResolvers<Reception>();
  #left = 0;
  #began = 0;

  /** Settles once everything that was expected is there. */
  get done(): Promise<Reception> {
    return this.#done.promise;
  }

  /** Begins anew. @param count Messages that will come. */
  expect(count: number): void {
    this.#latencies = [];
    this.#done = Promise.withResolvers();
    this.#left = count;
    this.#began = 0;
  }

  /** Notes a message. @param sentAt When it was sent, where that is to be measured. */
  receive(sentAt?: number): void {
    if (this.#began === 0) this.#began = performance.now();
    if (sentAt !== undefined) this.#latencies.push(preciseNow() - sentAt);
    if (--this.#left !== 0) return;
    const latencies = this.#latencies.sort((a, b) => a - b);
    this.#done.resolve({
      ms: performance.now() - this.#began,
      p50Ms: latencies[Math.floor(latencies.length * 0.5)] ?? 0,
      p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
    });
  }
}
