/** A promise that is settled: what gives it has finished already, and nobody needs to wait a turn. */
export const DONE: Promise<void> = Promise.resolve();

/** Calls; what is thrown becomes a rejection, and what has finished already {@linkcode DONE}. */
export function settled(call: () => Promise<void> | undefined): Promise<void> {
  try {
    return call() ?? DONE;
  } catch (error) {
    return Promise.reject(error);
  }
}
