import { quote } from "../base/mod.ts";
import { parsePayload, type PayloadSchema } from "../registry/mod.ts";
import type { EncodingName } from "./encoding.ts";
import { isEncodingName, unknownEncoding } from "./encoding.ts";
import { InvalidConfigError } from "./errors.ts";

const CODE_MAX = 0xffff_ffff;
const NAME_LENGTH_MAX = 255;

/** What a type of message is, without the type of its value. */
export interface MessageDefinition {
  /** Its number on the wire, the same at both ends. */
  readonly code: number;
  /** Its name. */
  readonly name: string;
  /** The encoding that its messages have on any connection; undefined for the connection's. */
  readonly encoding: EncodingName | undefined;
  /** What checks its values. */
  readonly schema: PayloadSchema | undefined;
}

/**
 * A type of message. Called with a value, it makes a message.
 *
 * @typeParam T The type of the values.
 */
export interface MessageType<T = unknown> extends MessageDefinition {
  /** The same without the call: what its messages have as their `definition`. */
  readonly definition: MessageDefinition;
  /** Makes a message. It is checked when it is sent. */
  (value: T): TypedMessage<T>;
  /** Whether a message is of this type; tells the compiler the type of its value. */
  is<M extends { readonly type: string; readonly value: unknown }>(
    message: M,
  ): message is M & { readonly value: T };
}

/**
 * A message that a broker sends or has received.
 *
 * @typeParam T The type of its value.
 */
export interface TypedMessage<T = unknown> {
  /** Its type. */
  readonly definition: MessageDefinition;
  /** Name of its type. */
  readonly type: string;
  /** What it carries. */
  readonly value: T;
}

/**
 * Options of {@linkcode defineMessage}.
 *
 * @typeParam T The type of the values.
 */
export interface MessageOptions<T = unknown> {
  /** Number on the wire, the same at both ends: 0 to 4,294,967,295. 1 is the heartbeat's. */
  readonly code: number;
  /** Name of 1 to 255 characters, unique in a broker. */
  readonly name: string;
  /**
   * What checks the values that are sent and received: a Standard Schema (zod, valibot, arktype …) or a
   * function that returns the value or throws. @default any value
   */
  readonly schema?: PayloadSchema<T>;
  /** An encoding for this type on any connection. @default the connection's */
  readonly encoding?: EncodingName;
}

/**
 * Defines a type of message. Both ends define the same types.
 *
 * @typeParam T The type of the values; taken from the schema when there is one.
 * @param options Code, name, and what checks the values.
 * @returns The type: call it with a value to make a message.
 * @throws {InvalidConfigError} When the code is no uint32, or the name or the schema is none.
 * @throws {InvalidEncodingError} When there is no such encoding.
 *
 * @example
 * ```ts
 * import { defineMessage } from "@keyop/messenger/pipes";
 * import { assertEquals } from "@std/assert";
 *
 * const Word = defineMessage<{ word: string }>({ code: 10, name: "Word" });
 * const hello = Word({ word: "Hello" });
 * assertEquals([hello.type, hello.value.word, Word.is(hello)], ["Word", "Hello", true]);
 * ```
 */
export function defineMessage<T = unknown>(options: MessageOptions<T>): MessageType<T> {
  const { code, name, schema, encoding } = options;
  if (typeof name !== "string" || name === "" || name.length > NAME_LENGTH_MAX) {
    throw new InvalidConfigError(
      `Cannot define message ${quote(String(name))}: its name takes 1 to 255 characters`,
    );
  }
  if (!Number.isInteger(code) || code < 0 || code > CODE_MAX) {
    throw new InvalidConfigError(
      `Cannot define message ${
        quote(name)
      } with code ${code}: give a whole number from 0 to ${CODE_MAX}`,
    );
  }
  if (schema !== undefined && typeof schema !== "function" && !("~standard" in schema)) {
    throw new InvalidConfigError(
      `Cannot define message ${
        quote(name)
      }: its schema is neither a Standard Schema nor a function`,
    );
  }
  if (encoding !== undefined && !isEncodingName(encoding)) throw unknownEncoding(encoding);
  // A plain object: what is read from a function is found far more slowly.
  const definition: MessageDefinition = Object.freeze({ code, name, encoding, schema });
  const make = (value: T): TypedMessage<T> => new DefinedMessage(definition, value);
  return Object.defineProperties(make, {
    code: { value: code, enumerable: true },
    name: { value: name, enumerable: true },
    schema: { value: schema, enumerable: true },
    encoding: { value: encoding, enumerable: true },
    definition: { value: definition },
    is: { value: (message: { readonly type: string }) => message.type === name },
  }) as MessageType<T>;
}

/** The plain definition of a type, whether it is given as that or as the function. */
export function plainDefinition(type: MessageDefinition): MessageDefinition {
  return (type as Partial<MessageType> | undefined)?.definition ?? type;
}

/** A message of a defined type. */
export class DefinedMessage<T> implements TypedMessage<T> {
  /**
   * @param definition Its type.
   * @param value What it carries.
   */
  constructor(readonly definition: MessageDefinition, readonly value: T) {}

  /** Name of its type. */
  get type(): string {
    return this.definition.name;
  }
}

/**
 * Checks a value.
 *
 * @returns What the schema made of it; a promise only when the schema gives one.
 * @throws {PayloadInvalidError} When the schema refuses.
 */
export function checkValue({ name, schema }: MessageDefinition, value: unknown): unknown {
  return schema === undefined ? value : parsePayload(name, schema, value);
}
