import { quote } from "../base/mod.ts";
import type { MessageDefinition, TypedMessage } from "./define_message.ts";
import { InvalidMessageCodeError } from "./errors.ts";
import type { MessageSet } from "./message_set.ts";
import type { PipeChain } from "./pipe_chain.ts";
import { PipeMessage, type PipeMessageChange } from "./pipe_message.ts";

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

/** A broker's message on its way through pipes. */
export class BrokerMessage extends PipeMessage implements TypedMessage {
  readonly channel = undefined;
  readonly #chain: PipeChain;
  readonly #messages: MessageSet;

  /**
   * @param chain The pipes.
   * @param messages The types that the broker knows.
   * @param definition Its type.
   * @param value What it carries.
   */
  constructor(
    chain: PipeChain,
    messages: MessageSet,
    readonly definition: MessageDefinition,
    readonly value: unknown,
  ) {
    super(chain);
    this.#chain = chain;
    this.#messages = messages;
  }

  /** Name of its type. */
  get type(): string {
    return this.definition.name;
  }

  /** A broker's messages have none. */
  get headers(): Readonly<Record<string, string>> {
    return NO_HEADERS;
  }

  /** The same message with another value. */
  with(value: unknown, change?: PipeMessageChange): BrokerMessage {
    const definition = change?.type === undefined
      ? this.definition
      : definitionOf(this.#messages, change.type);
    return new BrokerMessage(this.#chain, this.#messages, definition, value);
  }
}

/**
 * The type of a name.
 *
 * @throws {InvalidMessageCodeError} When there is none.
 */
export function definitionOf(messages: MessageSet, name: string): MessageDefinition {
  const definition = messages.byName(name);
  if (definition === undefined) throw new InvalidMessageCodeError(`Message type ${quote(name)}`);
  return definition;
}
