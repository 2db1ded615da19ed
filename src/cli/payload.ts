import { messageOf, quote } from "../base/mod.ts";

/** Text that may hold a number of which parsing keeps only a part. Others are parsed the quick way. */
const MAY_LOSE = /\d{16}|\d[eE]\+?\d{3}/;

/**
 * Parses a payload.
 *
 * @param json The payload as JSON text.
 * @param what What the text is, for the error.
 * @throws {Error} When it is not JSON, or a number in it would be stored as another one.
 */
export function parsePayload(json: string, what: string): unknown {
  try {
    return MAY_LOSE.test(json) ? JSON.parse(json, kept) : JSON.parse(json);
  } catch (error) {
    if (error instanceof RangeError) throw new Error(`${what}: ${error.message}`, { cause: error });
    throw new Error(
      `${what} is not JSON (${messageOf(error)}): ${quote(json)}; --text publishes it as text`,
      { cause: error },
    );
  }
}

/** The value, unless it is a number that lost its magnitude or, being an integer, digits. */
function kept(_key: string, value: unknown, context?: { readonly source?: string }): unknown {
  if (typeof value !== "number") return value;
  const source = context?.source ?? String(value);
  if (Number.isSafeInteger(value)) return value;
  if (Number.isFinite(value) && (!/^-?\d+$/.test(source) || BigInt(source) === BigInt(value))) {
    return value;
  }
  throw new RangeError(`the number ${source} would be stored as another one; give it as a string`);
}
