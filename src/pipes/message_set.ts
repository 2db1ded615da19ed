import { quote } from "../base/mod.ts";
import { type MessageDefinition, plainDefinition } from "./define_message.ts";
import { DuplicateMessageCodeError, InvalidConfigError } from "./errors.ts";

/** Code of the heartbeat. */
export const HEARTBEAT_CODE = 1;

/** The types of message that a broker knows. */
export class MessageSet {
  readonly #byCode = new Map<number, MessageDefinition>();
  readonly #byName = new Map<string, MessageDefinition>();

  /**
   * @param definitions The types.
   * @throws {DuplicateMessageCodeError} When two have one code, or one has the heartbeat's.
   * @throws {InvalidConfigError} When two have one name, or one was not made by `defineMessage`.
   */
  constructor(definitions: readonly MessageDefinition[]) {
    for (const type of definitions) {
      const definition = plainDefinition(type);
      const { code, name } = definition ?? {};
      if (!Number.isInteger(code) || typeof name !== "string") {
        throw new InvalidConfigError(
          `Cannot use ${quote(String(definition))} as a message type: make it with defineMessage`,
        );
      }
      if (code === HEARTBEAT_CODE) throw new DuplicateMessageCodeError(code, ["heartbeat", name]);
      const other = this.#byCode.get(code);
      // A pipe may bring along a type that the program lists as well.
      if (other === definition) continue;
      if (other !== undefined) throw new DuplicateMessageCodeError(code, [other.name, name]);
      if (this.#byName.has(name)) {
        throw new InvalidConfigError(
          `Cannot register two message types of the name ${quote(name)}: give each its own`,
        );
      }
      this.#byCode.set(code, definition);
      this.#byName.set(name, definition);
    }
  }

  /** Whether the type was registered. */
  has(definition: MessageDefinition | undefined): boolean {
    return definition !== undefined && this.#byCode.get(definition.code) === definition;
  }

  /** The type of a code. */
  byCode(code: number): MessageDefinition | undefined {
    return this.#byCode.get(code);
  }

  /** The type of a name. */
  byName(name: string): MessageDefinition | undefined {
    return this.#byName.get(name);
  }

  /** Every type. */
  values(): Iterable<MessageDefinition> {
    return this.#byCode.values();
  }
}
