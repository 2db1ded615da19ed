import { PayloadTypeAlreadyRegisteredError, quote } from "../base/mod.ts";
import { parsePayload } from "./parse_payload.ts";
import type { PayloadSchema } from "./standard_schema.ts";

const MAX_TYPE_LENGTH = 255;
const MAX_NOTED_TYPES = 1_000;

/** Knows payload types and how to check their values. */
export class PayloadRegistry {
  readonly #schemas = new Map<string, PayloadSchema | undefined>();
  readonly #unregistered = new Set<string>();

  /**
   * Makes a payload type known.
   *
   * @param payloadType Its name, 1 to 255 characters, such as `com.example.Reading`.
   * @param schema A Standard Schema, or a function that returns the value or throws. Without one any
   *   JSON is accepted.
   * @throws {PayloadTypeAlreadyRegisteredError} When it is known already.
   * @throws {RangeError} When the name or the schema is none.
   */
  register(payloadType: string, schema?: PayloadSchema): void {
    if (
      typeof payloadType !== "string" || payloadType === "" || payloadType.length > MAX_TYPE_LENGTH
    ) {
      throw new RangeError(
        `Cannot register payload type ${quote(String(payloadType))}: give 1 to 255 characters`,
      );
    }
    if (this.#schemas.has(payloadType)) throw new PayloadTypeAlreadyRegisteredError(payloadType);
    if (schema !== undefined && typeof schema !== "function" && !("~standard" in schema)) {
      throw new RangeError(
        `Cannot register payload type ${
          quote(payloadType)
        }: its schema is neither a Standard Schema nor a function`,
      );
    }
    this.#schemas.set(payloadType, schema);
  }

  /** Whether a payload type was registered. */
  has(payloadType: string): boolean {
    return this.#schemas.has(payloadType);
  }

  /**
   * Checks a value of a type. A type that is not registered takes any value.
   *
   * @returns What the schema returned; a promise only when the schema gives one.
   * @throws {PayloadInvalidError} When the schema refuses.
   */
  parse(payloadType: string, value: unknown): unknown {
    return parsePayload(payloadType, this.#schemas.get(payloadType), value);
  }

  /** Whether a type that is not registered is met for the first time. Remembers 1,000 of them. */
  noteUnregistered(payloadType: string): boolean {
    if (this.#schemas.has(payloadType) || this.#unregistered.has(payloadType)) return false;
    if (this.#unregistered.size >= MAX_NOTED_TYPES) return false;
    this.#unregistered.add(payloadType);
    return true;
  }
}
