/** Randomness that a seed repeats. */
export interface Seeded {
  readonly seed: number;
  /** A whole number from `min` up to and including `max`. */
  between(min: number, max: number): number;
}

/** Randomness from a seed of 32 bits. */
export function seeded(seed: number): Seeded {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return { seed, between: (min, max) => min + Math.floor(next() * (max - min + 1)) };
}

/**
 * Runs a test with a seed of its own; one that fails tells the seed and the command that repeats it.
 * The environment variable `FAULTS_SEED` gives the seed.
 */
export async function withSeed(
  file: string,
  run: (random: Seeded) => Promise<void>,
): Promise<void> {
  const given = Number(Deno.env.get("FAULTS_SEED") ?? NaN);
  const seed = Number.isInteger(given) ? given : crypto.getRandomValues(new Uint32Array(1))[0]!;
  try {
    await run(seeded(seed));
  } catch (error) {
    throw new Error(
      `Failed with seed ${seed}; repeat with: FAULTS_SEED=${seed} deno test -A ${file}\n` +
        (error instanceof Error ? error.message : String(error)),
      { cause: error },
    );
  }
}
