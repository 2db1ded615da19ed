/** A promise that is settled: what gives it has finished already, and nobody needs to wait a turn. */
export const DONE: Promise<void> = Promise.resolve();
