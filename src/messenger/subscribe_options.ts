import type { SubscribeOptions } from "./types.ts";

/**
 * Refuses what makes no sense.
 *
 * @throws {RangeError} When an option is out of its range.
 */
export function checkSubscribeOptions(options: SubscribeOptions): void {
  const { from, maxRetries, retryBackoffMs, maxAgeMs, concurrency } = options;
  if (from !== undefined && from !== "start" && from !== "end" && !isWhole(from)) {
    refuse("from", from, '"start", "end" or the position of a message');
  }
  if (maxRetries !== undefined && !isWhole(maxRetries)) {
    refuse("maxRetries", maxRetries, "a whole number of 0 or more");
  }
  for (const [name, value] of Object.entries({ retryBackoffMs, maxAgeMs })) {
    if (value !== undefined && !(value >= 0 && value < Infinity)) {
      refuse(name, value, "milliseconds, 0 or more");
    }
  }
  if (concurrency !== undefined && concurrency !== 1) {
    refuse("concurrency", concurrency, "1: messages are handled one at a time, in order");
  }
}

function isWhole(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function refuse(name: string, value: unknown, wanted: string): never {
  throw new RangeError(`Cannot subscribe with ${name} ${String(value)}: give ${wanted}`);
}
