import { type Clock, consoleLogger, guardedLogger, type Logger, systemClock } from "../base/mod.ts";
import type { Connection } from "./connection.ts";
import type { MessageDefinition, TypedMessage } from "./define_message.ts";
import { ENCODING_NAMES, type EncodingName, isEncodingName, unknownEncoding } from "./encoding.ts";
import { type ConnectionClosedError, InvalidConfigError } from "./errors.ts";
import { type Pattern, publish } from "./patterns.ts";
import type { Pipe } from "./pipe.ts";

/** Options of a {@linkcode MessageBroker}. */
export interface BrokerOptions {
  /** The types of message, made with `defineMessage`. Both ends register the same. */
  readonly messages: readonly MessageDefinition[];
  /** What messages pass on their way; the first is nearest to the wire. @default none */
  readonly pipes?: readonly Pipe[];
  /**
   * Handles each message that came in and that no pipe has stopped. The messages of one connection come
   * in order, the next once the promise has settled. What it throws goes to `onError`.
   *
   * @default messages are dropped
   */
  readonly onMessage?: (
    connection: Connection,
    message: TypedMessage,
  ) => void | Promise<void>;
  /** Called when a connection is there, before its first message. */
  readonly onConnect?: (connection: Connection) => void;
  /** Called when a connection is gone, with why. */
  readonly onDisconnect?: (connection: Connection, why: ConnectionClosedError) => void;
  /**
   * Called with what a handler or a pipe threw, with a value that a schema refused, and with why a peer
   * was cut off. @default it is logged as a warning
   */
  readonly onError?: (error: unknown, connection: Connection) => void;
  /** Chooses among the connections, for each message that is sent. @default {publish} */
  readonly pattern?: Pattern;
  /** Encodings that are spoken, a client's preferred one first. @default all three, JSON first */
  readonly encodings?: readonly EncodingName[];
  /** Connections at a time; the next is answered 503. @default {100} */
  readonly maxConnections?: number;
  /** Longest message in bytes, with its code. @default {1_000_000} */
  readonly maxMessageSize?: number;
  /**
   * Milliseconds after which a peer is cut off that sends nothing, not even a heartbeat, or reads
   * nothing; also the time for connecting. A heartbeat goes out every third of it.
   *
   * @default {15_000}
   */
  readonly timeoutMs?: number;
  /** Messages that may wait to be sent to a peer; one more, and it is cut off. @default {1024} */
  readonly sendBufferSize?: number;
  /** Where to log. @default {consoleLogger()} */
  readonly logger?: Logger;
  /** Replaces the clock, for tests. */
  readonly clock?: Clock;
}

/** The options with every default. */
export interface ResolvedBrokerOptions extends
  Required<
    Pick<
      BrokerOptions,
      | "messages"
      | "pipes"
      | "pattern"
      | "encodings"
      | "maxConnections"
      | "maxMessageSize"
      | "timeoutMs"
      | "sendBufferSize"
      | "logger"
      | "clock"
    >
  >,
  Pick<BrokerOptions, "onMessage" | "onConnect" | "onDisconnect" | "onError"> {}

/** Node's timers take no more. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;
const CODE_BYTES_AND_ONE = 5;

/**
 * Fills in what is left out.
 *
 * @throws {InvalidConfigError} When a limit is out of its range.
 * @throws {InvalidEncodingError} When an encoding is none.
 */
export function resolveBrokerOptions(options: BrokerOptions): ResolvedBrokerOptions {
  const { encodings = ENCODING_NAMES, messages } = options;
  if (!Array.isArray(messages)) {
    throw new InvalidConfigError("Cannot make a broker without messages: give their types");
  }
  if (encodings.length === 0) {
    throw new InvalidConfigError("Cannot make a broker without encodings: give one at least");
  }
  for (const name of encodings) if (!isEncodingName(name)) throw unknownEncoding(name);
  const within = (name: keyof BrokerOptions, fallback: number, least: number, most: number) => {
    const value = (options[name] as number | undefined) ?? fallback;
    if (Number.isInteger(value) && value >= least && value <= most) return value;
    throw new InvalidConfigError(
      `Cannot use ${value} as ${name}: give a whole number from ${least} to ${most}`,
    );
  };
  return {
    ...options,
    pipes: options.pipes ?? [],
    pattern: options.pattern ?? publish,
    encodings: [...new Set(encodings)],
    maxConnections: within("maxConnections", 100, 1, 1_000_000),
    maxMessageSize: within("maxMessageSize", 1_000_000, CODE_BYTES_AND_ONE, 1_000_000_000),
    timeoutMs: within("timeoutMs", 15_000, 30, TIMEOUT_MS_MAX),
    sendBufferSize: within("sendBufferSize", 1024, 1, 1_000_000),
    logger: guardedLogger(options.logger ?? consoleLogger()),
    clock: options.clock ?? systemClock,
  };
}
