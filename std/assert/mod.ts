// Stands in for jsr:@std/assert so that a checkout builds from the npm registry alone.
import * as untyped from "deno-std/assert/mod.js";

// deno-lint-ignore no-explicit-any
type Class<T> = abstract new (...args: any[]) => T;

export const AssertionError: new (message: string) => Error = untyped.AssertionError;

/** Asserts that a value is truthy. */
export function assert(condition: unknown, message?: string): asserts condition {
  untyped.assert(condition, message);
}

/** Asserts that a value is neither null nor undefined. */
export function assertExists<T>(value: T, message?: string): asserts value is NonNullable<T> {
  untyped.assertExists(value, message);
}

/** Asserts that a value is an instance of a class. */
export function assertInstanceOf<T>(
  value: unknown,
  type: Class<T>,
  message?: string,
): asserts value is T {
  untyped.assertInstanceOf(value, type, message);
}

export const assertEquals: <T>(actual: T, expected: T, message?: string) => void =
  untyped.assertEquals;
export const assertNotEquals: <T>(actual: T, expected: T, message?: string) => void =
  untyped.assertNotEquals;
export const assertStrictEquals: <T>(actual: unknown, expected: T, message?: string) => void =
  untyped.assertStrictEquals;
export const assertMatch: (actual: string, expected: RegExp, message?: string) => void =
  untyped.assertMatch;
export const assertStringIncludes: (actual: string, expected: string, message?: string) => void =
  untyped.assertStringIncludes;
export const assertGreater: <T>(actual: T, expected: T, message?: string) => void =
  untyped.assertGreater;
export const assertGreaterOrEqual: <T>(actual: T, expected: T, message?: string) => void =
  untyped.assertGreaterOrEqual;
export const assertLess: <T>(actual: T, expected: T, message?: string) => void = untyped.assertLess;
export const assertLessOrEqual: <T>(actual: T, expected: T, message?: string) => void =
  untyped.assertLessOrEqual;
export const fail: (message?: string) => never = untyped.fail;

export const assertThrows: <E extends Error = Error>(
  run: () => unknown,
  type?: Class<E>,
  messageIncludes?: string,
  message?: string,
) => E = untyped.assertThrows;

export const assertRejects: <E extends Error = Error>(
  run: () => PromiseLike<unknown>,
  type?: Class<E>,
  messageIncludes?: string,
  message?: string,
) => Promise<E> = untyped.assertRejects;
