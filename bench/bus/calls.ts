/** Bytes of each payload. */
export const PAYLOAD_BYTES = 256;

/** Milliseconds that some work takes. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return performance.now() - began;
}

/** Calls again and again, some calls at a time. */
export async function inFlight(
  count: number,
  together: number,
  call: () => Promise<unknown>,
): Promise<void> {
  let left = count;
  const caller = async () => {
    while (left-- > 0) await call();
  };
  await Promise.all(Array.from({ length: Math.min(together, count) }, caller));
}
