import { resolve } from "node:path";
import type { RatioFinding, Scale } from "./question.ts";

/** One of those that are measured in turn. */
export interface Party {
  readonly what: string;
  /** Messages in one round. */
  readonly count: number;
  /**
   * Does the work once.
   *
   * @param dir An empty folder that is removed afterwards.
   * @returns Milliseconds that the work took, without opening and closing.
   */
  run(dir: string): Promise<number> | number;
  /** `what` of the party that this one is compared to. */
  readonly limit?: string;
  /** The ratio that is asked for. */
  readonly required?: number;
}

const SCRATCH = ".tmp";

/**
 * Measures parties in turn: A B C, A B C, … so that whatever else the machine does meets all of
 * them. Each turn has a new folder, and a round before the first, in which the code is compiled, is
 * discarded (a quick run, which says nothing anyway, does without it).
 */
export async function measureInTurn(
  parties: readonly Party[],
  { rounds, quick }: Scale,
): Promise<RatioFinding[]> {
  const times = parties.map((): number[] => []);
  for (let round = quick ? 1 : 0; round <= rounds; round++) {
    for (const [index, party] of parties.entries()) {
      const ms = await inScratch((dir) => party.run(dir));
      if (round > 0) times[index]!.push(ms * 1_000 / party.count);
    }
  }
  const summaries = new Map(
    parties.map(({ what }, index) => [what, summarize(times[index]!)] as const),
  );
  return parties.map(({ what, count, limit, required }) => {
    const own = summaries.get(what)!;
    const base = limit === undefined ? undefined : summaries.get(limit);
    if (limit !== undefined && base === undefined) throw new Error(`no party "${limit}"`);
    return {
      kind: "ratio",
      what,
      count,
      ...own,
      ...(limit === undefined || base === undefined ? {} : {
        limit,
        ratio: base.bestUs / own.bestUs,
        medianRatio: base.medianUs / own.medianUs,
      }),
      ...(required === undefined ? {} : { required }),
    };
  });
}

/** The quickest and the middle of some times. */
export function summarize(times: readonly number[]): { bestUs: number; medianUs: number } {
  if (times.length === 0) throw new RangeError("Cannot summarize no rounds: give at least one");
  const sorted = times.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const medianUs = sorted.length % 2 === 1
    ? sorted[middle]!
    : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { bestUs: sorted[0]!, medianUs };
}

/**
 * Works in a new folder on the repository's file system, which is removed afterwards.
 *
 * @param work Gets the folder's absolute path.
 * @param parent An existing folder to make it in.
 */
export async function inScratch<T>(
  work: (dir: string) => Promise<T> | T,
  parent?: string,
): Promise<T> {
  if (parent === undefined) {
    parent = resolve(SCRATCH);
    await Deno.mkdir(parent, { recursive: true });
  }
  const dir = await Deno.makeTempDir({ dir: parent, prefix: "bench-" });
  try {
    return await work(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}
