import { systemClock } from "../../src/base/mod.ts";

const LIMIT_MS = 20_000;

/**
 * Waits, one turn of the event loop after the other, until a condition holds.
 *
 * @param what What is waited for, for the error when it never comes.
 * @param holds The condition.
 */
export async function until(what: string, holds: () => boolean): Promise<void> {
  const start = performance.now();
  while (!holds()) {
    if (performance.now() - start > LIMIT_MS) throw new Error(`Waited in vain for ${what}`);
    await new Promise<void>((resolve) => systemClock.soon(resolve));
  }
}
