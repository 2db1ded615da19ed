const LIMIT_MS = 20_000;
const PAUSE_MAX_MS = 20;

/**
 * Waits until a condition holds, for what no event tells of: looks at once, then after growing pauses
 * of at most 20 ms.
 *
 * @param what What is waited for, for the error when it never comes.
 * @param holds The condition.
 * @param limitMs When to give up, in milliseconds.
 */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
  limitMs = LIMIT_MS,
): Promise<void> {
  const began = performance.now();
  for (let pause = 0; !await holds(); pause = Math.min(PAUSE_MAX_MS, pause + 1)) {
    if (performance.now() - began > limitMs) throw new Error(`Waited in vain for ${what}`);
    await new Promise<void>((resolve) => setTimeout(resolve, pause));
  }
}
