import { messageOf, PayloadInvalidError } from "../base/mod.ts";
import type { PayloadSchema, StandardIssue, StandardResult } from "./standard_schema.ts";

/**
 * Checks a value with a schema. Without one any value is taken.
 *
 * @param payloadType The value's type, for the error.
 * @param schema A Standard Schema, or a function that returns the value or throws.
 * @param value The value.
 * @returns What the schema returned; a promise only when the schema gives one.
 * @throws {PayloadInvalidError} When the schema refuses.
 */
export function parsePayload(
  payloadType: string,
  schema: PayloadSchema | undefined,
  value: unknown,
): unknown {
  if (schema === undefined) return value;
  // A schema may be callable as well: what it says of itself counts.
  if (!("~standard" in schema)) return callParser(payloadType, schema, value);
  const result = schema["~standard"].validate(value);
  return result instanceof Promise
    ? result.then((settled) => valueOf(payloadType, settled))
    : valueOf(payloadType, result);
}

function callParser(
  payloadType: string,
  parse: (value: unknown) => unknown,
  value: unknown,
): unknown {
  const refuse = (error: unknown): never => {
    if (error instanceof PayloadInvalidError) throw error;
    throw new PayloadInvalidError(payloadType, [messageOf(error)], { cause: error });
  };
  try {
    const parsed = parse(value);
    return parsed instanceof Promise ? parsed.catch(refuse) : parsed;
  } catch (error) {
    return refuse(error);
  }
}

function valueOf(payloadType: string, result: StandardResult<unknown>): unknown {
  if (result.issues === undefined) return result.value;
  throw new PayloadInvalidError(payloadType, result.issues.map(describe));
}

function describe({ message, path }: StandardIssue): string {
  if (path === undefined || path.length === 0) return message;
  const keys = path.map((part) => String(typeof part === "object" ? part.key : part));
  return `${keys.join(".")}: ${message}`;
}
