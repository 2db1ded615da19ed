import type { PipeChain } from "./pipe_chain.ts";

/** What {@linkcode PipeMessage.with} may change beside the value. */
export interface PipeMessageChange {
  /** Name of the new value's type. @default the same type */
  readonly type?: string;
  /** Channel to publish to, around a messenger; a broker has none. @default the same channel */
  readonly channel?: string;
  /** Headers that replace those of the same name. A broker's messages have none. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Where a message keeps its chain. A `#private` field is slower, and this is read at every step. */
const CHAIN: unique symbol = Symbol("chain");

/**
 * What a pipe sees of a message: the same in a {@linkcode MessageBroker} and around a `Messenger`.
 *
 * | | in a broker | around a messenger |
 * |---|---|---|
 * | `type` | the name of the message's type | the payload type |
 * | `value` | the value that was sent | the payload |
 * | `channel` | undefined | the channel |
 * | `headers` | empty | what the envelope holds beside the payload |
 *
 * It does not change: `with` makes another one. On its way in a value has not been checked yet: its
 * schema sees it behind the last pipe, so that a pipe may decrypt it before.
 *
 * @typeParam T The value's type.
 */
export abstract class PipeMessage<T = unknown> {
  /** The chain that it travels along; for what runs pipes. @ignore */
  readonly [CHAIN]: PipeChain;

  /**
   * For what runs pipes; a pipe gets its messages, or makes them by `with` or `PipeHost.message`.
   *
   * @param chain The chain that it travels along.
   */
  constructor(chain: PipeChain) {
    this[CHAIN] = chain;
  }

  /** Name of the type: `Word`, `com.example.Reading`. */
  abstract readonly type: string;
  /** What is carried. Take it as it is and do not change it: others may hold it as well. */
  abstract readonly value: T;
  /** The channel, around a messenger; undefined in a broker. */
  abstract readonly channel: string | undefined;
  /**
   * What goes with the value. Around a messenger: `id`, `origin`, `correlationId`, `serviceName`, as
   * far as they are known. Empty in a broker.
   */
  abstract readonly headers: Readonly<Record<string, string>>;

  /**
   * The same message with another value.
   *
   * @param value The other value.
   * @param change What else is different.
   * @returns The new message; this one stays as it is.
   * @throws {InvalidMessageCodeError} When a broker does not know the other type.
   */
  abstract with(value: unknown, change?: PipeMessageChange): PipeMessage;
}

/** The chain that a message travels along. */
export function chainOfMessage(message: PipeMessage): PipeChain {
  return message[CHAIN];
}
