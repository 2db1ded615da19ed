import { quote } from "../base/mod.ts";

/** Milliseconds of each unit. Up to hours they are Go's; days and weeks are 24 and 168 hours. */
const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  "\u00b5s": 1e-3, // micro sign
  "\u03bcs": 1e-3, // Greek mu
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000,
};

/** The longest duration in milliseconds, some 292 years: the longest that Go has. */
export const DURATION_MAX_MS = 9_223_372_036_854;

const WHOLE = /^\+?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|\u00b5s|\u03bcs|ms|s|m|h|d|w))+$/;
const PART = /(\d+\.?\d*|\.\d+)(ns|us|\u00b5s|\u03bcs|ms|s|m|h|d|w)/g;

/**
 * Milliseconds of a duration as Go writes it (`"168h"`, `"1h30m"`, `"250ms"`), or with days and weeks
 * (`"7d"`, `"2w"`). `"0"` is 0. What is shorter than a millisecond, but not 0, counts as one.
 *
 * @param text The duration.
 * @throws {RangeError} When the text is no duration, or longer than {@linkcode DURATION_MAX_MS}.
 */
export function parseDuration(text: string): number {
  if (text === "0") return 0;
  if (text.length > 100 || !WHOLE.test(text)) {
    throw new RangeError(`${quote(text)} is no duration: write it as in "168h", "1h30m" or "7d"`);
  }
  let total = 0;
  for (const [, amount, unit] of text.matchAll(PART)) total += Number(amount) * UNITS[unit!]!;
  if (total > DURATION_MAX_MS) throw new RangeError(`${quote(text)} is longer than 292 years`);
  return total > 0 ? Math.max(1, Math.round(total)) : 0;
}
