const SAMPLES = 200;
const MB = 1e6;

/** Resident memory over the messages that have been handled. */
export class MemoryCurve {
  readonly #every: number;
  readonly #samples: { readonly count: number; readonly mb: number }[] = [];
  #count = 0;

  /** @param messages How many will be handled. */
  constructor(messages: number) {
    this.#every = Math.max(1, Math.floor(messages / SAMPLES));
    this.#sample();
  }

  /** Counts a message. @returns How many there have been. */
  count(): number {
    if (++this.#count % this.#every === 0) this.#sample();
    return this.#count;
  }

  /** Start, peak and end in MB; growth in the last half in MB for a million messages. */
  summary(): { startMb: number; peakMb: number; endMb: number; slopeMb: number } {
    const samples = this.#samples;
    return {
      startMb: samples[0]!.mb,
      peakMb: Math.max(...samples.map(({ mb }) => mb)),
      endMb: samples.at(-1)!.mb,
      slopeMb: slopeOf(samples.slice(samples.length >> 1)) * 1e6,
    };
  }

  #sample(): void {
    this.#samples.push({ count: this.#count, mb: Deno.memoryUsage().rss / MB });
  }
}

/** The straight line that is nearest to some points: how far it rises for each message. */
export function slopeOf(
  points: readonly { readonly count: number; readonly mb: number }[],
): number {
  const meanCount = points.reduce((sum, { count }) => sum + count, 0) / points.length;
  const meanMb = points.reduce((sum, { mb }) => sum + mb, 0) / points.length;
  let rise = 0;
  let run = 0;
  for (const { count, mb } of points) {
    rise += (count - meanCount) * (mb - meanMb);
    run += (count - meanCount) ** 2;
  }
  return run === 0 ? 0 : rise / run;
}
