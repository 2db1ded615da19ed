import type { MessageDefinition } from "./define_message.ts";
import { chainOfMessage, type PipeMessage, type PipeMessageChange } from "./pipe_message.ts";

/** The other end, as a pipe sees it. */
export interface PipeConnection {
  /** Names it within this process: `1`, `2`, … in a broker, `channel/subscriber` around a messenger. */
  readonly id: string;
  /** Who is there, for people: the name in its certificate, or its address. */
  readonly peer: string;
}

/** Options of one `send`. */
export interface PipeSendOptions {
  /** Ends the waiting. What was handed to the network or the disk by then arrives all the same. */
  readonly signal?: AbortSignal;
}

/** What runs a pipe: a broker or a messenger. */
export interface PipeHost {
  /** Whether it is a {@linkcode MessageBroker} or a `Messenger`. */
  readonly kind: "broker" | "messenger";
  /** Who is connected now. */
  readonly connections: readonly PipeConnection[];
  /**
   * Makes a message for a pipe that has none at hand to call `with` on.
   *
   * @param type Name of its type.
   * @param value What it carries.
   * @param change Around a messenger, which needs a channel: where it goes.
   * @throws {InvalidMessageCodeError} When a broker does not know the type.
   */
  message(type: string, value: unknown, change?: Omit<PipeMessageChange, "type">): PipeMessage;
}

/**
 * Middleware that sees every message twice: on its way out of the program (`send`) and on its way in
 * (`handle`). With pipes A, B, C what is received goes A → B → C → handler, and what is sent goes
 * C → B → A → wire.
 *
 * A subclass overrides one of the two, or both, and calls `super` to pass the message on: as it is, or
 * another one made by `message.with(…)`. One that does not call `super` stops the message. Within
 * `handle`, `super.send(…)` answers through the pipes further out. The promise that `super` gives
 * settles when the rest is done, so that a pipe can measure, limit or catch it; what it rejects with
 * reaches whoever sent, or the host of the handler.
 *
 * One pipe may be in several brokers and messengers at a time, once in each. Needs no permission.
 *
 * @example A pipe that makes the words that come in upper case
 * ```ts
 * import { Pipe, type PipeConnection, type PipeMessage } from "@keyop/messenger/pipes";
 *
 * class Upper extends Pipe {
 *   override handle(connection: PipeConnection, message: PipeMessage): Promise<void> {
 *     const { word } = message.value as { word: string };
 *     return super.handle(connection, message.with({ word: word.toUpperCase() }));
 *   }
 * }
 * new Upper();
 * ```
 */
export abstract class Pipe {
  /** The types of its own messages, which a broker registers like those of its user. */
  get messages(): readonly MessageDefinition[] {
    return [];
  }

  /**
   * A message on its way in. Passes it on to the next pipe, or to the handler.
   *
   * @param connection Where it came from.
   * @param message What came.
   * @returns Settles when whatever comes after this pipe is done with it.
   */
  handle(connection: PipeConnection, message: PipeMessage): Promise<void> {
    return chainOfMessage(message).passIn(this, connection, message);
  }

  /**
   * A message on its way out. Passes it on to the pipe before this one, or to the wire.
   *
   * @param message What is sent.
   * @param connections To whom it may go; a broker's pattern chooses among those that are left.
   * @param options Options of the call.
   * @returns Settles when whatever comes after this pipe is done with it.
   */
  send(
    message: PipeMessage,
    connections: readonly PipeConnection[],
    options?: PipeSendOptions,
  ): Promise<void> {
    return chainOfMessage(message).passOut(this, message, connections, options);
  }

  /**
   * Called once by each broker or messenger that uses the pipe, before the first message.
   *
   * @param _host The broker or messenger.
   */
  attached(_host: PipeHost): void {}

  /**
   * Called when a connection is there, before its first message.
   *
   * @param _connection The connection.
   * @param _host Whose it is.
   */
  opened(_connection: PipeConnection, _host: PipeHost): void {}

  /**
   * Called when a connection is gone.
   *
   * @param _connection The connection.
   * @param _host Whose it was.
   */
  closed(_connection: PipeConnection, _host: PipeHost): void {}

  /**
   * Called when the broker or messenger has closed: time to stop timers.
   *
   * @param _host The broker or messenger.
   */
  detached(_host: PipeHost): void {}
}
