/** Payload type of a {@linkcode Reading}. */
export const READING_TYPE = "com.example.Reading";

/** Every kind, in the order in which they are measured. */
export const KINDS = ["cpu", "load", "memory", "network"] as const;

/** What is measured. */
export type ReadingKind = typeof KINDS[number];

/** One measurement of this machine. */
export interface Reading {
  /** Counts the readings, from 1. */
  readonly number: number;
  /** What was measured. */
  readonly kind: ReadingKind;
  /** The measured value, for people. */
  readonly text: string;
  /** The measured values: a share, averages, bytes, or none. */
  readonly values: readonly number[];
}

/**
 * Checks that a value is a reading. Both ends register it for {@linkcode READING_TYPE}.
 *
 * @throws {TypeError} When it is none.
 */
export function parseReading(value: unknown): Reading {
  const { number, kind, text, values } = (value ?? {}) as Record<string, unknown>;
  if (!Number.isInteger(number)) throw new TypeError("number: expected an integer");
  if (!KINDS.some((each) => each === kind)) {
    throw new TypeError(`kind: expected one of ${KINDS.join(", ")}`);
  }
  if (typeof text !== "string") throw new TypeError("text: expected a string");
  if (!Array.isArray(values) || values.some((each) => typeof each !== "number")) {
    throw new TypeError("values: expected numbers");
  }
  return { number: number as number, kind: kind as ReadingKind, text, values };
}
