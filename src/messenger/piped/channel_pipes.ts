import { type Logger, messageOf, withCorrelationId } from "../../base/mod.ts";
import {
  InvalidConfigError,
  type Pipe,
  PipeChain,
  type PipeConnection,
  type PipeHost,
  type PipeMessageChange,
  type PipeSendOptions,
} from "../../pipes/core.ts";
import { type Handler, type Message, PayloadRefusal, ReceivedMessage } from "../../storage/mod.ts";
import { inContext, type RecordMaker } from "../record_maker.ts";
import { ChannelMessage } from "./channel_message.ts";
import { IncomingMessage } from "./incoming_message.ts";
import { OutgoingSource } from "./message_source.ts";
import { SubscriberConnection } from "./subscriber_connection.ts";

/** What {@linkcode ChannelPipes} work with. */
export interface ChannelPipesOptions {
  /** The pipes; the first is nearest to the channels. */
  readonly pipes: readonly Pipe[];
  /** The instance's name. */
  readonly origin: string;
  /** Stands for the channels: what is sent goes there. */
  readonly outward: PipeConnection;
  readonly maker: RecordMaker;
  /** Checks a payload on its way in. */
  readonly decode: (channel: string, payloadType: string, payload: unknown) => unknown;
  /** Stores a record that nobody waits for in its turn. */
  readonly store: (channel: string, record: string, id: string) => Promise<unknown>;
  readonly logger: Logger;
}

/** On its way in a message is mostly one that was delivered, but a pipe may hand in one of its own. */
type AnyMessage = IncomingMessage | ChannelMessage;

/** Settled. The very promise tells that a handler was done at once, and nobody has to wait for it. */
const DONE = Promise.resolve();

/** The pipes around one messenger. */
export class ChannelPipes {
  /** The pipes in order. */
  readonly chain: PipeChain;
  readonly #options: ChannelPipesOptions;
  readonly #outward: readonly [PipeConnection];
  readonly #connections: Set<PipeConnection>;
  readonly #host: PipeHost;

  /**
   * Makes the chain and tells its pipes.
   *
   * @throws {InvalidConfigError} When one is no pipe, or is in it twice.
   */
  constructor(options: ChannelPipesOptions) {
    this.#options = options;
    this.#outward = [options.outward];
    const connections = this.#connections = new Set<PipeConnection>(this.#outward);
    this.chain = new PipeChain(options.pipes, {
      handle: (connection, message) => this.#deliver(connection, message as AnyMessage),
      send: (message, connections, options) =>
        this.#store(message as ChannelMessage, connections, options),
      outgoing: (message) => {
        if (!(message instanceof IncomingMessage)) return message;
        return message.outgoing(options.maker, options.origin);
      },
    });
    this.#host = {
      kind: "messenger",
      get connections() {
        return [...connections];
      },
      message: (type, value, change) => this.#message(type, value, change),
    };
    this.chain.attached(this.#host);
    this.#tell("opened", options.outward);
  }

  /** Sends a message through the pipes. */
  send(message: ChannelMessage, signal: AbortSignal | undefined): Promise<void> {
    return this.chain.send(message, this.#outward, signal === undefined ? undefined : { signal });
  }

  /**
   * Puts the pipes before a handler.
   *
   * @param channel The channel.
   * @param subscriberId Who follows it.
   * @param handler Gets what passes.
   * @returns What is to be called instead, and what is to be called at the end.
   */
  around(channel: string, subscriberId: string, handler: Handler): {
    readonly handler: Handler;
    readonly open: () => void;
    readonly close: () => void;
  } {
    const { chain } = this;
    const connection = new SubscriberConnection(channel, subscriberId, handler);
    return {
      handler: (message, context) => {
        const received = message as ReceivedMessage;
        connection.current = received;
        connection.context = context;
        const passing = chain.handle(
          connection,
          new IncomingMessage(chain, received, received.payload, undefined),
        );
        return passing === DONE ? undefined : passing;
      },
      open: () => {
        this.#connections.add(connection);
        this.#tell("opened", connection);
      },
      close: () => {
        if (this.#connections.delete(connection)) this.#tell("closed", connection);
      },
    };
  }

  /** Tells the pipes that it is over. */
  close(): void {
    for (const connection of this.#connections) this.#tell("closed", connection);
    this.#connections.clear();
    try {
      this.chain.detached(this.#host);
    } catch (error) {
      this.#warn("detached", error);
    }
  }

  /** What this throws, also of the handler's, the chain makes a rejection. */
  #deliver(connection: PipeConnection, message: AnyMessage): Promise<void> {
    const known = ownConnection(connection);
    let value: unknown;
    try {
      value = this.#options.decode(message.channel, message.type, message.value);
    } catch (error) {
      refuse(error);
    }
    if (value instanceof Promise) {
      return value.then((decoded) => call(known, message, decoded), refuse);
    }
    const result = call(known, message, value);
    return result === undefined ? DONE : Promise.resolve(result);
  }

  #store(
    message: ChannelMessage,
    connections: readonly PipeConnection[],
    options: PipeSendOptions | undefined,
  ): Promise<void> {
    if (connections.length === 0) return DONE;
    const { maker, store } = this.#options;
    const { channel, type, value, source } = message;
    try {
      options?.signal?.throwIfAborted();
      const { sending } = source;
      if (channel !== sending?.channel) maker.checkChannel(channel);
      maker.checkType(type);
      const record = maker.makeAsTold(channel, type, value, source.encodeOptions);
      const id = maker.lastId;
      const stored = sending === undefined
        ? store(channel, record, id)
        : sending.store(channel, record, id);
      return stored as Promise<void>;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #message(
    type: string,
    value: unknown,
    change: Omit<PipeMessageChange, "type"> = {},
  ): ChannelMessage {
    const { maker, origin } = this.#options;
    if (change.channel === undefined) {
      throw new InvalidConfigError("Cannot make a message around a messenger: give its channel");
    }
    const fresh = new OutgoingSource(maker, origin, inContext(undefined), undefined);
    const source = change.headers === undefined ? fresh : fresh.with(change.headers);
    return new ChannelMessage(this.chain, change.channel, type, value, source);
  }

  #tell(what: "opened" | "closed", connection: PipeConnection): void {
    try {
      this.chain[what](connection, this.#host);
    } catch (error) {
      this.#warn(what, error);
    }
  }

  #warn(what: string, error: unknown): void {
    this.#options.logger.error("a pipe failed where nobody waits for it", {
      called: what,
      error: messageOf(error),
    });
  }
}

function ownConnection(connection: PipeConnection): SubscriberConnection {
  if (connection instanceof SubscriberConnection) return connection;
  throw new InvalidConfigError(
    `Cannot deliver to ${connection.id}: pass on the connection that handle was called with`,
  );
}

function refuse(error: unknown): never {
  throw new PayloadRefusal(error);
}

function call(
  { handler, context, current }: SubscriberConnection,
  message: AnyMessage,
  payload: unknown,
): void | Promise<void> {
  let received = current!;
  if (message instanceof IncomingMessage) {
    received = message.received;
    if (message.changes === undefined) {
      const { record, position, attempt } = received;
      return handler(
        payload === received.payload
          ? received
          : new ReceivedMessage(record, payload, position, attempt),
        context!,
      );
    }
  }
  const shown = renamed(message, received, payload);
  if (shown.correlationId === received.correlationId) return handler(shown, context!);
  return withCorrelationId(shown.correlationId, () => handler(shown, context!));
}

/** The message that the handler gets when pipes have changed more than the payload. */
function renamed(message: AnyMessage, received: ReceivedMessage, payload: unknown): Message {
  const { record, position, attempt } = received;
  const { channel, type } = message;
  const { id = "", origin = "", correlationId = "", serviceName = "" } = message.headers;
  const { ts, route, text, payloadAt } = record;
  const names = { id, channel, origin, payloadType: type, correlationId, serviceName };
  const changed = { ...names, ts, route, payload: record.payload, text, payloadAt };
  return new ReceivedMessage(changed, payload, position, attempt);
}
