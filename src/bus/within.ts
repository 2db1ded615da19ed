import { delay, systemClock } from "../base/mod.ts";

/** Waits for some work, at most so long: for what a server that is silent would hold up. Never rejects. */
export async function within(limitMs: number, work: Promise<unknown>): Promise<void> {
  const over = new AbortController();
  const ignore = () => {};
  await Promise.race([work.catch(ignore), delay(systemClock, limitMs, over.signal).catch(ignore)]);
  over.abort();
}
