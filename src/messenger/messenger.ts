import {
  deadLetterChannelOf,
  isDeadLetterChannel,
  MessengerClosedError,
  validateChannelName,
  withCorrelationId,
} from "../base/mod.ts";
import { DEAD_LETTER_TYPE } from "../envelope/mod.ts";
import type { Pipe } from "../pipes/core.ts";
import type { PayloadSchema } from "../registry/mod.ts";
import {
  type ChannelLog,
  type Handler,
  type Message,
  type Position,
  Subscriber,
} from "../storage/mod.ts";
import { assemble, type Parts } from "./assemble.ts";
import { readChannel } from "./channel_reading.ts";
import { applyDefaults, type Config, loadConfig } from "./config/mod.ts";
import { iterateMessages } from "./messages.ts";
import { ChannelPipes, PipedPublisher } from "./piped/mod.ts";
import { Publisher, type Publishing } from "./publisher.ts";
import type { RawChannels } from "./raw_channels.ts";
import { Subscriptions } from "./subscriptions.ts";
import type {
  BatchMessage,
  ChannelInfo,
  MessengerOptions,
  Published,
  PublishOptions,
  ReadOptions,
  Stats,
  StoredMessage,
  SubscribeOptions,
  Subscription,
  TrimOptions,
} from "./types.ts";

const MIB = 1024 * 1024;
/** What a dead letter repeats of its record's sender is cut at this length. */
const MAX_REPEATED_LENGTH = 10_000;

let rawOf: (messenger: Messenger) => RawChannels;

/** The channels of a messenger below its messages. For the rooms of this package alone. */
export function rawChannels(messenger: Messenger): RawChannels {
  return rawOf(messenger);
}

/**
 * A message bus inside the program: durable channels in one data directory, durable subscribers, and
 * links to other instances.
 *
 * Requires `--allow-read` and `--allow-write` on the data directory; with federation also
 * `--allow-net` on the addresses, `--allow-read` on the certificate files and
 * `--allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE`; without a configured name
 * `--allow-sys=hostname`.
 *
 * @example Publish and subscribe in one process
 * ```ts
 * import { Messenger } from "@keyop/messenger";
 * import { assertEquals } from "@std/assert";
 *
 * const dataDir = await Deno.makeTempDir();
 * await using messenger = await Messenger.open({ name: "pi", storage: { dataDir } });
 *
 * const handled = Promise.withResolvers<unknown>();
 * await messenger.subscribe("readings", "display", (message) => {
 *   handled.resolve(message.payload);
 * });
 * await messenger.publish("readings", "com.example.Reading", { celsius: 21.5 });
 * assertEquals(await handled.promise, { celsius: 21.5 });
 * ```
 */
export class Messenger implements AsyncDisposable {
  readonly #parts: Parts;
  readonly #anyPayloadType: boolean;
  readonly #publisher: Publisher;
  /** The publisher, or the pipes before it. */
  readonly #front: Publishing;
  readonly #pipes: ChannelPipes | undefined;
  readonly #subscriptions: Subscriptions;
  readonly #closed = new AbortController();
  #closing: Promise<void> | undefined;

  static {
    rawOf = (messenger) => {
      const { clock, config, files, logger, logs, name } = messenger.#parts;
      return {
        instanceName: name,
        dataDir: config.storage.dataDir,
        files,
        clock,
        logs,
        logger,
        closed: messenger.#closed.signal,
        hasPipes: messenger.#pipes !== undefined,
        publishJson: (channel, payloadType, payload, options) =>
          messenger.#publisher.publishJson(channel, payloadType, payload, options),
      };
    };
  }

  private constructor(parts: Parts, { anyPayloadType = false, pipes = [] }: MessengerOptions) {
    this.#parts = parts;
    this.#anyPayloadType = anyPayloadType;
    const publisher = this.#publisher = new Publisher(parts);
    this.#pipes = pipes.length === 0 ? undefined : this.#laidAround(pipes);
    this.#front = this.#pipes === undefined
      ? publisher
      : new PipedPublisher(this.#pipes, parts.maker, parts.name, publisher);
    this.#subscriptions = new Subscriptions(
      parts.logs,
      (log, id, handler, options) => this.#start(log, id, handler, options),
    );
  }

  /**
   * Opens the data directory and begins to listen and dial as configured. Does not wait for hubs and
   * does not fail when one is down.
   *
   * @param config The configuration, or the path of a YAML file that holds it.
   * @param options Logger, data directory, pipes; clock, randomness and file system for tests.
   * @returns The messenger; close it, or hold it with `await using`.
   * @throws {ConfigError} With every problem of the configuration.
   * @throws {DataDirLockedError} When another process owns the data directory.
   * @throws {CertificateError} When a certificate, key or CA file cannot be used.
   * @throws {StorageError} When the data directory cannot be used.
   * @throws {HubListenError} When the hub cannot listen on its address.
   * @throws {InvalidConfigError} When a pipe is none, or is there twice.
   */
  static async open(config: Config | string, options: MessengerOptions = {}): Promise<Messenger> {
    const resolved = typeof config === "string" ? await loadConfig(config) : applyDefaults(config);
    const { dataDir = resolved.storage.dataDir } = options;
    const located = { ...resolved, storage: { ...resolved.storage, dataDir } };
    const configPath = typeof config === "string" ? config : undefined;
    const parts = await assemble(located, configPath, options);
    try {
      return new Messenger(parts, options);
    } catch (error) {
      // A pipe cannot be used.
      await parts.federation?.close();
      await parts.logs.close();
      throw error;
    }
  }

  /** The instance's name: it is the origin of what is published here. */
  get instanceName(): string {
    return this.#parts.name;
  }

  /** Where the hub listens, such as `127.0.0.1:41873`; empty when none runs. */
  get hubAddr(): string {
    return this.#parts.federation?.hubAddr ?? "";
  }

  /**
   * Makes a payload type known, so that its payloads are checked when published and when delivered.
   *
   * @param payloadType Its name, such as `com.example.Reading`.
   * @param schema Any Standard Schema (zod, valibot, arktype …) or a function that returns the value or
   *   throws. Without one any JSON is accepted.
   * @throws {PayloadTypeAlreadyRegisteredError} When it is known already.
   */
  registerPayloadType(payloadType: string, schema?: PayloadSchema): void {
    this.#parts.registry.register(payloadType, schema);
  }

  /**
   * Publishes one message. Settles once it is stored: written to the file under `periodic` and
   * `none`, synced to the disk under `always`. While the disk refuses writes it waits.
   *
   * The payload is taken as it is when this is called. Messages of one channel are stored in the order
   * of the calls, whether or not they are awaited: one whose schema is asynchronous holds those behind
   * it until the schema has answered.
   *
   * @param channel The channel; it is made when it is new.
   * @param payloadType What the payload is.
   * @param payload Any value that JSON can carry, up to 10 MiB encoded.
   * @param options Id, correlation id, service name, signal.
   * @returns The message's id and position.
   * @throws {InvalidChannelNameError} When the name is not 1 to 255 characters of `[a-zA-Z0-9._-]`.
   * @throws {ReservedChannelNameError} When the name ends in `.dead-letter`.
   * @throws {PayloadInvalidError} When the schema refuses the payload, or JSON cannot carry it.
   * @throws {RangeError} When the given id is no UUID.
   * @throws {PublishStoppedError} When a pipe has not passed it on; it is not stored.
   * @throws {MessengerClosedError} After `close`.
   * @throws {StorageError} When the sync failed; the message is not stored.
   */
  publish(
    channel: string,
    payloadType: string,
    payload: unknown,
    options?: PublishOptions,
  ): Promise<Published> {
    return this.#front.publish(channel, payloadType, payload, options);
  }

  /**
   * Publishes several messages in one group: they stand in the channel one after the other, and one
   * sync makes all of them durable.
   *
   * @param channel The channel; it is made when it is new.
   * @param messages The messages, in order.
   * @param options A signal that ends the waiting.
   * @returns Id and position of each.
   * @throws As `publish` does; then none is stored.
   */
  publishBatch(
    channel: string,
    messages: readonly BatchMessage[],
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<Published[]> {
    return this.#front.publishBatch(channel, messages, options.signal);
  }

  /**
   * Follows a channel: the handler gets its messages in order, one at a time, at least once. What the
   * handler throws makes the message come again, with growing waits; after the last retry it goes to
   * `{channel}.dead-letter`. The subscriber's place outlives the process.
   *
   * @param channel The channel; it is made when it is new.
   * @param subscriberId Names the subscriber's cursor; 1 to 255 characters of `[a-zA-Z0-9._-]`.
   * @param handler Gets each message.
   * @param options Where to begin, retries, signal.
   * @returns The subscription.
   * @throws {AlreadySubscribedError} When this subscriber runs already.
   * @throws {InvalidChannelNameError} When the channel's name is none.
   * @throws {InvalidSubscriberIdError} When the id is none.
   * @throws {RangeError} When an option is out of its range.
   * @throws {MessengerClosedError} After `close`.
   * @throws {StorageError} When the cursor cannot be used.
   */
  async subscribe<T = unknown>(
    channel: string,
    subscriberId: string,
    handler: Handler<T>,
    options: SubscribeOptions = {},
  ): Promise<Subscription> {
    const { subscription } = await this.#subscriptions.subscribe(
      channel,
      subscriberId,
      handler as Handler,
      options,
    );
    return subscription;
  }

  /**
   * The same as an iterable. A message is acknowledged when the next one is asked for; one that the
   * loop was left with comes again.
   *
   * @param channel The channel.
   * @param subscriberId Names the subscriber's cursor.
   * @param options As for `subscribe`. The signal ends the loop, also while it waits.
   * @returns The messages; leaving the loop ends the subscription, closing the messenger ends the loop.
   * @throws As `subscribe` does, when the first message is asked for.
   *
   * @example
   * ```ts
   * import { Messenger } from "@keyop/messenger";
   * import { assertEquals } from "@std/assert";
   *
   * const dataDir = await Deno.makeTempDir();
   * await using messenger = await Messenger.open({ name: "pi", storage: { dataDir } });
   * await messenger.publish("readings", "com.example.Reading", { celsius: 21.5 });
   * for await (const message of messenger.messages("readings", "display", { from: "start" })) {
   *   assertEquals(message.payload, { celsius: 21.5 });
   *   break;
   * }
   * ```
   */
  messages<T = unknown>(
    channel: string,
    subscriberId: string,
    options: SubscribeOptions = {},
  ): AsyncGenerator<Message<T>, void, void> {
    return iterateMessages<T>(
      (handler) =>
        this.#subscriptions.subscribe(channel, subscriberId, handler as Handler, options),
      options.signal,
    );
  }

  /**
   * Forgets a subscriber: ends it when it runs, as closing its subscription does, and removes its
   * cursor.
   *
   * @param channel The channel.
   * @param subscriberId The subscriber's id.
   * @throws {SubscriberNotFoundError} When there is none.
   */
  unsubscribe(channel: string, subscriberId: string): Promise<void> {
    return this.#subscriptions.unsubscribe(channel, subscriberId);
  }

  /**
   * Reads a channel without a cursor: nothing is acknowledged, nothing is kept. Records that cannot be
   * read are left out and logged.
   *
   * @param channel The channel. One that is not there has no messages; with `follow` it is made.
   * @param options Where to begin, whether to wait for more, a signal that ends the reading.
   * @returns The messages in order. Closing the messenger ends them.
   * @throws {InvalidChannelNameError} When the name is none, as the first message is asked for.
   * @throws {MessengerClosedError} After `close`.
   * @throws {StorageError} When the position lies past the channel's end, or cannot be read.
   *
   * @example Look at everything that a channel keeps
   * ```ts
   * import { Messenger } from "@keyop/messenger";
   * import { assertEquals } from "@std/assert";
   *
   * const dataDir = await Deno.makeTempDir();
   * await using messenger = await Messenger.open({ name: "pi", storage: { dataDir } });
   * await messenger.publish("readings", "com.example.Reading", { celsius: 21.5 });
   * const payloads = await Array.fromAsync(messenger.read("readings"), ({ payload }) => payload);
   * assertEquals(payloads, [{ celsius: 21.5 }]);
   * ```
   */
  async *read<T = unknown>(
    channel: string,
    options: ReadOptions = {},
  ): AsyncGenerator<StoredMessage<T>, void, void> {
    const log = await this.#logToRead(channel, options);
    if (log === undefined) return;
    const { clock, logger } = this.#parts;
    yield* readChannel({
      ...options,
      log,
      decode: (payloadType, payload) => this.#decode(channel, payloadType, payload),
      closed: this.#closed.signal,
      clock,
      logger,
    }) as AsyncGenerator<StoredMessage<T>, void, void>;
  }

  /** Names of all channels that there are, in alphabetical order. */
  channels(): readonly string[] {
    return this.#parts.logs.names();
  }

  /**
   * Tells of every channel that comes to exist from now on.
   *
   * @param listener Gets the channel's name.
   * @returns Ends the telling.
   */
  onChannel(listener: (channel: string) => void): () => void {
    return this.#parts.logs.onCreate(listener);
  }

  /**
   * Where a channel begins and ends.
   *
   * @param channel The channel.
   * @returns Its positions; undefined when there is no such channel.
   * @throws {InvalidChannelNameError} When the name is none.
   * @throws {MessengerClosedError} After `close`.
   */
  async channelInfo(channel: string): Promise<ChannelInfo | undefined> {
    const log = await this.#existing(channel);
    return log === undefined ? undefined : { channel, start: log.start, end: log.end };
  }

  /**
   * Gives up a channel's messages before a position, whoever has not read them. Files go as a whole:
   * up to a few MiB of what is given up stay until more is published. Meant for channels that would
   * grow for ever since nobody keeps a cursor on them.
   *
   * @param channel The channel; nothing happens when there is none.
   * @param before The first position to keep.
   * @param options Whether the file that is being written goes as well.
   * @throws {InvalidChannelNameError} When the name is none.
   * @throws {MessengerClosedError} After `close`.
   * @throws {StorageError} When the position lies past the end, or the files could not be deleted.
   */
  async trim(channel: string, before: Position, options: TrimOptions = {}): Promise<void> {
    await (await this.#existing(channel))?.trim(before, options.sealNow);
  }

  /** What the messenger knows of itself: channels, subscribers, links. */
  stats(): Stats {
    const { federation, logs, name } = this.#parts;
    return {
      instanceName: name,
      channels: logs.names().flatMap((channel) => logs.get(channel)?.stats() ?? []),
      subscribers: this.#subscriptions.stats(),
      ...federation?.stats(),
    };
  }

  /**
   * Ends subscriptions and links, writes out what is pending and frees the data directory. Waits up
   * to five seconds for a handler that runs.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** Closes the messenger. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#closed.abort();
    const { federation, logs } = this.#parts;
    await Promise.all([this.#publisher.close(), this.#subscriptions.close()]);
    this.#pipes?.close();
    try {
      await federation?.close();
    } finally {
      await logs.close();
    }
  }

  #laidAround(pipes: readonly Pipe[]): ChannelPipes {
    const { logger, maker, name } = this.#parts;
    return new ChannelPipes({
      pipes,
      origin: name,
      outward: { id: "channels", peer: name },
      maker,
      decode: (channel, payloadType, payload) => this.#decode(channel, payloadType, payload),
      store: (channel, record, id) => this.#publisher.storeAnyway(channel, record, id),
      logger,
    });
  }

  async #start(
    log: ChannelLog,
    subscriberId: string,
    handler: Handler,
    options: SubscribeOptions,
  ): Promise<Subscriber> {
    const { clock, config, logger } = this.#parts;
    const { subscribers, storage } = config;
    // A dead letter is no message of the program: nothing has sent it through the pipes.
    const piped = isDeadLetterChannel(log.channel)
      ? undefined
      : this.#pipes?.around(log.channel, subscriberId, handler);
    piped?.open();
    const starting = Subscriber.start({
      log,
      subscriberId,
      handler: piped?.handler ?? handler,
      from: options.from ?? "end",
      endAsked: options.from === "end",
      maxRetries: options.maxRetries ?? subscribers.maxRetries,
      retryBackoffBaseMs: options.retryBackoffMs ?? subscribers.retryBackoffBaseMs,
      retryBackoffMaxMs: Math.max(
        subscribers.retryBackoffMaxMs,
        options.retryBackoffMs ?? 0,
      ),
      maxAgeMs: options.maxAgeMs ?? 0,
      cursorFlushMs: storage.offsetFlushIntervalMs,
      lagWarnBytes: storage.maxSubscriberLagMb * MIB,
      // Pipes come before the schema: they may have to decrypt.
      decode: piped === undefined
        ? (payloadType, payload) => this.#decode(log.channel, payloadType, payload)
        : (_payloadType, payload) => payload,
      deadLetter: (payload, record) => this.#storeDeadLetter(payload, record),
      inContext: withCorrelationId,
      closed: piped?.close,
      clock,
      logger,
    });
    if (piped !== undefined) starting.catch(piped.close);
    return await starting;
  }

  async #logToRead(channel: string, options: ReadOptions): Promise<ChannelLog | undefined> {
    return options.follow ? await this.#parts.logs.open(channel) : await this.#existing(channel);
  }

  async #existing(channel: string): Promise<ChannelLog | undefined> {
    const { logs } = this.#parts;
    if (this.#closed.signal.aborted) throw new MessengerClosedError("read");
    const known = logs.get(channel);
    if (known !== undefined) return known;
    validateChannelName(channel);
    return logs.names().includes(channel) ? await logs.open(channel) : undefined;
  }

  #decode(channel: string, payloadType: string, payload: unknown): unknown {
    const { registry } = this.#parts;
    if (registry.has(payloadType)) return registry.parse(payloadType, payload);
    this.#warnOfUnregistered(channel, payloadType);
    return payload;
  }

  #warnOfUnregistered(channel: string, payloadType: string): void {
    const { logger, registry } = this.#parts;
    if (this.#anyPayloadType) return;
    if (isDeadLetterChannel(channel) || !registry.noteUnregistered(payloadType)) return;
    logger.warn("delivered a payload of a type that is not registered, as plain JSON", {
      channel,
      payload_type: payloadType,
    });
  }

  async #storeDeadLetter(
    payload: string,
    record: { channel: string; correlationId: string; serviceName: string },
  ): Promise<void> {
    const { deadLetters, logs, seen } = this.#parts;
    const channel = deadLetterChannelOf(record.channel);
    const log = await logs.open(channel);
    const line = deadLetters.encode(channel, DEAD_LETTER_TYPE, payload, {
      correlationId: record.correlationId.slice(0, MAX_REPEATED_LENGTH),
      serviceName: record.serviceName.slice(0, MAX_REPEATED_LENGTH),
    });
    seen?.add(deadLetters.lastId);
    await log.append(line, () => undefined);
  }
}
