import { messageOf, type Timer } from "../base/mod.ts";
import type { MessageSocket } from "./message_socket.ts";
import {
  BEATS_PER_TIMEOUT,
  BrokerConnection,
  type ConnectionContext,
} from "./broker_connection.ts";
import { BrokerMessage, definitionOf } from "./broker_message.ts";
import {
  type BrokerOptions,
  resolveBrokerOptions,
  type ResolvedBrokerOptions,
} from "./broker_options.ts";
import { CloseCode } from "./close_codes.ts";
import { Codec } from "./codec.ts";
import { deliver } from "./deliver.ts";
import { DONE, settled } from "./done.ts";
import type { ConnectOptions, Endpoint, ServeInfo, ServeOptions } from "./endpoint.ts";
import type { Connection } from "./connection.ts";
import {
  checkValue,
  DefinedMessage,
  type MessageDefinition,
  type TypedMessage,
} from "./define_message.ts";
import type { EncodingName } from "./encoding.ts";
import {
  type ConnectionClosedError,
  InvalidConfigError,
  InvalidMessageCodeError,
  NoConnectionsError,
} from "./errors.ts";
import { MessageSet } from "./message_set.ts";
import { PipeChain } from "./pipe_chain.ts";
import type { PipeConnection, PipeHost, PipeSendOptions } from "./pipe.ts";

/** What a broker tells of itself. */
export interface BrokerStats {
  /** Open connections. */
  readonly connections: number;
  /** Messages sent, one for each connection that a message went to; without heartbeats. */
  readonly sent: number;
  /** Messages received, without heartbeats. */
  readonly received: number;
  /** Bytes of the messages sent, with their codes. */
  readonly bytesSent: number;
  /** Bytes received, with codes, and with heartbeats. */
  readonly bytesReceived: number;
}

/**
 * Manages connections that carry registered types of message: as a server many, as a client one.
 *
 * On the wire a message is one binary WebSocket message: its code as four bytes, big-endian, and its
 * value in the connection's encoding. What is received goes through the pipes to `onMessage`; what is
 * sent goes through the pipes the other way, then to those connections that the pattern chooses.
 *
 * Requires `--allow-net` for the addresses, and
 * `--allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE` for `serve` and `connect`; `handler` needs
 * nothing beyond what its `Deno.serve` needs.
 *
 * @example A server that answers, and its client
 * ```ts
 * import { defineMessage, MessageBroker } from "@keyop/messenger/pipes";
 * import { assertEquals } from "@std/assert";
 *
 * const Word = defineMessage<{ word: string }>({ code: 10, name: "Word" });
 *
 * await using server = new MessageBroker({
 *   messages: [Word],
 *   onMessage: (connection, message) => {
 *     if (Word.is(message)) return connection.send(Word({ word: message.value.word + " World" }));
 *   },
 * });
 * const { url } = await server.serve({ port: 0 });
 *
 * const answer = Promise.withResolvers<unknown>();
 * await using client = new MessageBroker({
 *   messages: [Word],
 *   onMessage: (_connection, message) => answer.resolve(message.value),
 * });
 * await client.connect(url);
 * await client.send(Word({ word: "Hello" }));
 * assertEquals(await answer.promise, { word: "Hello World" });
 * ```
 */
export class MessageBroker implements AsyncDisposable {
  readonly #options: ResolvedBrokerOptions;
  readonly #messages: MessageSet;
  readonly #chain: PipeChain;
  readonly #host: PipeHost;
  readonly #counts = { sent: 0, received: 0, bytesSent: 0, bytesReceived: 0 };
  /** Replaced, never changed, so that whoever holds it can go through it. */
  #open: readonly BrokerConnection[] = [];
  /** Connections of any state. */
  #held = 0;
  #nextId = 1;
  #context: ConnectionContext | undefined;
  #loading: Promise<ConnectionContext> | undefined;
  #endpoint: Endpoint | undefined;
  #role: "server" | "client" | undefined;
  #beating: Timer | undefined;
  #closing: Promise<void> | undefined;
  readonly #closings = new Set<Promise<unknown>>();

  /**
   * Makes a broker that is not connected yet: call `serve`, `connect`, or give its `handler` to
   * `Deno.serve`.
   *
   * @param options Types of message, pipes, what to do with messages, limits.
   * @throws {DuplicateMessageCodeError} When two types have one code, or one has the heartbeat's.
   * @throws {InvalidConfigError} When an option cannot be used.
   * @throws {InvalidEncodingError} When there is no such encoding.
   */
  constructor(options: BrokerOptions) {
    this.#options = resolveBrokerOptions(options);
    const { messages, pipes } = this.#options;
    this.#chain = new PipeChain(pipes, {
      handle: (connection, message) =>
        settled(() => this.#handleLast(connection as BrokerConnection, message as BrokerMessage)),
      send: (message, connections, sending) =>
        settled(() => this.#deliver(message as BrokerMessage, connections, sending)),
    });
    this.#messages = new MessageSet([...messages, ...pipes.flatMap((pipe) => pipe.messages)]);
    this.#host = this.#makeHost();
    this.#chain.attached(this.#host);
  }

  /** How many connections are open. */
  get length(): number {
    return this.#open.length;
  }

  /** The open connections, the oldest first. */
  get connections(): readonly Connection[] {
    return this.#open;
  }

  /** What was sent and received so far. */
  stats(): BrokerStats {
    return { connections: this.#open.length, ...this.#counts };
  }

  /**
   * Listens for clients. Requires `--allow-net` for the address.
   *
   * @param options Where, and with which certificates.
   * @returns Where it listens, with the port that it got.
   * @throws {InvalidConfigError} When it cannot listen there, is a client, or is closed.
   */
  async serve(options: ServeOptions): Promise<ServeInfo> {
    this.#take("server", "serve");
    if (this.#endpoint !== undefined) {
      throw new InvalidConfigError("Cannot serve: this broker listens already");
    }
    const [context, { listen }] = await Promise.all([this.#start(), import("./listen.ts")]);
    const { maxConnections, maxMessageSize, timeoutMs, clock, logger, encodings } = this.#options;
    const endpoint = await listen(options, {
      encodings,
      maxMessageSize,
      timeoutMs,
      clock,
      logger,
      maxConnections,
      isFull: () => this.#held >= maxConnections,
      accept: (socket, encoding) => this.#accept(socket, encoding, context),
    });
    if (this.#closing !== undefined) {
      await endpoint.close();
      this.#take("server", "serve");
    }
    this.#endpoint = endpoint;
    return endpoint.info;
  }

  /**
   * Takes connections for an existing `Deno.serve`: `Deno.serve(broker.handler)`. It cannot ask for
   * certificates; a message that is longer than `maxMessageSize` is in memory before it is refused, and
   * what such a peer does not read stays there until the runtime gives its connection up.
   *
   * @param request The request; one that asks for no WebSocket is answered 426.
   * @param info What `Deno.serve` tells of the connection.
   * @returns The response: an upgrade, 406 without a common encoding, or 503 at `maxConnections`.
   */
  readonly handler = async (
    request: Request,
    info?: { readonly remoteAddr: Deno.Addr },
  ): Promise<Response> => {
    this.#take("server", "serve");
    const [context, { upgrade }] = await Promise.all([this.#start(), import("./upgrade.ts")]);
    const { clock, encodings } = this.#options;
    return upgrade(request, info?.remoteAddr, {
      clock,
      encodings,
      reserve: () => this.#reserve(),
      accept: (socket, encoding) => this.#accept(socket, encoding, context),
    });
  };

  /**
   * Connects to a server. Requires `--allow-net` for its address. A broker has one such connection at a
   * time; once it is closed, it may connect again.
   *
   * @param url `ws://host:port/path`, or `wss:` over TLS.
   * @param options Encoding, certificates, a signal that gives up.
   * @returns The connection.
   * @throws {InvalidEncodingError} When the server speaks none of the encodings (its answer is 406).
   * @throws {ConnectFailedError} When there is no connection for any other reason.
   * @throws {InvalidConfigError} When the URL is none, or the broker is connected, serves, or is closed.
   */
  async connect(url: string | URL, options: ConnectOptions = {}): Promise<Connection> {
    this.#take("client", "connect");
    if (this.#held > 0) throw new InvalidConfigError("Cannot connect: this broker is connected");
    const release = this.#reserve()!;
    try {
      const [context, { dial }] = await Promise.all([this.#start(), import("./dial.ts")]);
      const { encodings, maxMessageSize, timeoutMs, clock } = this.#options;
      const { socket, encoding } = await dial(url, options, {
        encodings,
        maxMessageSize,
        timeoutMs,
        clock,
      });
      release();
      if (this.#closing !== undefined) {
        socket.terminate();
        this.#take("client", "connect");
      }
      return this.#add(socket, { direction: "dialled", encoding }, context);
    } finally {
      release();
    }
  }

  /**
   * Sends a message through the pipes to the connections that the pattern chooses. It is encoded once
   * for each encoding among them.
   *
   * @param message The message.
   * @param connections Among which the pattern chooses. @default all that are open
   * @param options A signal that ends the waiting.
   * @returns Settles once there is room for another message with all of them: await it before you send
   *   the next. A peer that reads nothing is waited for one second, and not again until it does.
   * @throws {NoConnectionsError} When nobody is connected.
   * @throws {InvalidMessageCodeError} When its type is not registered.
   * @throws {PayloadInvalidError} When its schema refuses the value, an encoding cannot carry it, or it
   *   is longer than `maxMessageSize`.
   * @throws {ConnectionClosedError} When each connection that was chosen is closed, or is cut off because
   *   its peer does not read.
   */
  send(
    message: TypedMessage,
    connections: readonly Connection[] = this.#open,
    options?: PipeSendOptions,
  ): Promise<void> {
    return settled(() => {
      options?.signal?.throwIfAborted();
      const definition = this.#registered(message);
      if (connections.length === 0) throw new NoConnectionsError();
      const send = (value: unknown): Promise<void> =>
        this.#chain.length === 0
          ? this.#deliver(new DefinedMessage(definition, value), connections, options)
          : this.#chain.send(this.#wrap(definition, value), connections, options);
      const checked = checkValue(definition, message.value);
      return checked instanceof Promise ? checked.then(send) : send(checked);
    });
  }

  /** Settles once the network has taken everything that was sent, or the connection is closed. */
  async flush(): Promise<void> {
    await Promise.all(this.#open.map((connection) => connection.flush()));
  }

  /**
   * Ends every connection and stops listening. What was sent before still goes out; a peer that does not
   * answer is cut off after two seconds.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** The same as `close`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #close(): Promise<void> {
    const isServer = this.#role === "server";
    for (const connection of this.#open) {
      connection.endWith(isServer ? CloseCode.goingAway : CloseCode.normal, "the broker closes");
    }
    await this.#endpoint?.close();
    await Promise.all(this.#closings);
    this.#beating?.cancel();
    this.#chain.detached(this.#host);
  }

  #take(role: "server" | "client", what: string): void {
    if (this.#closing !== undefined) {
      throw new InvalidConfigError(`Cannot ${what}: the broker is closed`);
    }
    if (this.#role !== undefined && this.#role !== role) {
      throw new InvalidConfigError(`Cannot ${what}: this broker is a ${this.#role} already`);
    }
    this.#role = role;
  }

  /** Takes the place of a connection, if there is one, and gives what gives it back. */
  #reserve(): (() => void) | undefined {
    if (this.#closing !== undefined || this.#held >= this.#options.maxConnections) return undefined;
    this.#held++;
    let isHeld = true;
    return () => {
      if (isHeld) this.#held--;
      isHeld = false;
    };
  }

  #start(): Promise<ConnectionContext> {
    return this.#loading ??= this.#load();
  }

  async #load(): Promise<ConnectionContext> {
    const { encodings, maxMessageSize, clock, timeoutMs, sendBufferSize } = this.#options;
    const names = new Set<EncodingName>(encodings);
    for (const { encoding } of this.#messages.values()) if (encoding) names.add(encoding);
    return this.#context = {
      codec: await Codec.load(names, maxMessageSize),
      messages: this.#messages,
      clock,
      maxMessageSize,
      timeoutMs,
      sendBufferSize,
      counts: this.#counts,
      handle: (connection, definition, value) => this.#handle(connection, definition, value),
      sendTo: (connection, message, options) => this.#sendTo(connection, message, options),
      leaving: (connection) => this.#open = this.#open.filter((other) => other !== connection),
      gone: (connection) => this.#release(connection),
      ended: (connection, error) => this.#ended(connection, error),
      violated: (connection, error) => this.#failed(error, connection),
    };
  }

  #makeHost(): PipeHost {
    const connections = () => this.#open;
    return {
      kind: "broker",
      get connections() {
        return connections();
      },
      message: (type, value) => this.#wrap(definitionOf(this.#messages, type), value),
    };
  }

  #wrap(definition: MessageDefinition, value: unknown): BrokerMessage {
    return new BrokerMessage(this.#chain, this.#messages, definition, value);
  }

  #registered(message: TypedMessage): MessageDefinition {
    const definition: MessageDefinition | undefined = message?.definition;
    if (definition !== undefined && this.#messages.has(definition)) return definition;
    throw new InvalidMessageCodeError(
      `Message type ${JSON.stringify(message?.type ?? null)}`,
      definition?.code,
    );
  }

  #accept(socket: MessageSocket, encoding: EncodingName, context: ConnectionContext): void {
    if (this.#closing === undefined) {
      this.#add(socket, { direction: "accepted", encoding }, context);
    } else socket.terminate();
  }

  #add(
    socket: MessageSocket,
    options: Pick<Connection, "direction" | "encoding">,
    context: ConnectionContext,
  ): BrokerConnection {
    const connection = new BrokerConnection(String(this.#nextId++), socket, options, context);
    this.#held++;
    this.#open = [...this.#open, connection];
    this.#closings.add(connection.closed);
    this.#beating ??= this.#beatLater();
    this.#guard(connection, () => {
      this.#chain.opened(connection, this.#host);
      this.#options.onConnect?.(connection);
    });
    connection.start();
    return connection;
  }

  #release(connection: BrokerConnection): void {
    this.#held--;
    this.#closings.delete(connection.closed);
    if (this.#held > 0) return;
    this.#beating?.cancel();
    this.#beating = undefined;
  }

  #ended(connection: BrokerConnection, error: ConnectionClosedError): void {
    this.#guard(connection, () => this.#options.onDisconnect?.(connection, error));
    this.#guard(connection, () => this.#chain.closed(connection, this.#host));
  }

  #beatLater(): Timer {
    const { clock, timeoutMs } = this.#options;
    return clock.after(timeoutMs / BEATS_PER_TIMEOUT, () => {
      this.#beating = this.#beatLater();
      for (const connection of this.#open) connection.beat();
    });
  }

  /** A message has come in. */
  #handle(
    connection: BrokerConnection,
    definition: MessageDefinition,
    value: unknown,
  ): Promise<void> | undefined {
    try {
      const handling = this.#chain.length === 0
        ? this.#handleLast(connection, new DefinedMessage(definition, value))
        : this.#chain.handle(connection, this.#wrap(definition, value));
      if (handling === undefined || handling === DONE) return undefined;
      return handling.catch((error) => this.#failed(error, connection));
    } catch (error) {
      this.#failed(error, connection);
      return undefined;
    }
  }

  /** A message has come through the pipes. */
  #handleLast(connection: BrokerConnection, message: TypedMessage): Promise<void> | undefined {
    const { onMessage } = this.#options;
    if (onMessage === undefined) return undefined;
    const { definition, value } = message;
    const checked = checkValue(definition, value);
    if (checked instanceof Promise) {
      return checked.then((settled) =>
        onMessage(connection, new DefinedMessage(definition, settled))
      );
    }
    const handed = checked === value ? message : new DefinedMessage(definition, checked);
    const handling = onMessage(connection, handed);
    return handling instanceof Promise ? handling : undefined;
  }

  /** A message comes out of the pipes. */
  #deliver(
    message: TypedMessage,
    connections: readonly PipeConnection[],
    options: PipeSendOptions | undefined,
  ): Promise<void> {
    // Pipes may have left nobody: then nobody gets it.
    if (connections.length === 0) return DONE;
    const chosen = this.#options.pattern(connections as readonly Connection[]);
    return deliver(message, chosen, this.#context!, options);
  }

  /** Past the pipes. */
  #sendTo(
    connection: BrokerConnection,
    message: TypedMessage,
    options: PipeSendOptions | undefined,
  ): Promise<void> {
    return settled(() => {
      options?.signal?.throwIfAborted();
      const definition = this.#registered(message);
      const send = (value: unknown) =>
        deliver({ definition, value }, [connection], this.#context!, options);
      const checked = checkValue(definition, message.value);
      return checked instanceof Promise ? checked.then(send) : send(checked);
    });
  }

  #guard(connection: Connection, run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#failed(error, connection);
    }
  }

  #failed(error: unknown, connection: Connection): void {
    const { logger, onError } = this.#options;
    const log = (what: unknown) =>
      logger.warn("broker", { peer: connection.peer, error: messageOf(what) });
    if (onError === undefined) return log(error);
    try {
      onError(error, connection);
    } catch (thrown) {
      log(thrown);
    }
  }
}
