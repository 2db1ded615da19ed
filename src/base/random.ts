/** Randomness, as an option, so that a test can repeat it. */
export interface Random {
  /** Fills the array with random bytes. */
  fill(bytes: Uint8Array<ArrayBuffer>): void;
  /** A number from 0 up to, not including, 1. */
  next(): number;
}

/** The system's own randomness. */
export const systemRandom: Random = {
  fill: (bytes) => void crypto.getRandomValues(bytes),
  next: () => Math.random(),
};
