import {
  type Clock,
  consoleLogger,
  EphemeralClosedError,
  guardedLogger,
  isDeadLetterChannel,
  type Logger,
  messageOf,
  type Random,
  systemClock,
  systemRandom,
  validateChannelName,
  withCorrelationId,
  withoutContext,
} from "../base/mod.ts";
import { type DecodedRecord, EnvelopeEncoder } from "../envelope/mod.ts";
import type { EphemeralClient } from "../federation/mod.ts";
import { PayloadRegistry, type PayloadSchema } from "../registry/mod.ts";
import { type Handler, ReceivedMessage } from "../storage/mod.ts";
import { type Credentials, loadCredentials } from "../tls/mod.ts";
import type { EphemeralConfig, EphemeralOptions, EphemeralPublished } from "./ephemeral_types.ts";
import { ChannelPipes, type MadeRecord, type Outlet, PipedPublisher } from "./piped/mod.ts";
import { PublishOrder } from "./publish_order.ts";
import { RecordMaker } from "./record_maker.ts";
import { SharedAttempt } from "./shared_attempt.ts";
import { aborted } from "./signals.ts";
import type { PublishOptions } from "./types.ts";

/** Stands for every channel: there is one connection to keep the order on. */
const ALL = "";

interface EarlySubscription {
  readonly channel: string;
  readonly onRecord: (record: DecodedRecord) => Promise<void>;
  /** Ends it once a client knows of it. */
  end: (() => void) | undefined;
}

/**
 * Publishes straight to a hub and keeps nothing on its own disk: for sensors without storage and for
 * tools. A settled `publish` means that the hub has stored the message. It hears only what the hub
 * stores while it is connected.
 *
 * Requires `--allow-net` on the hub's address, `--allow-read` on the certificate files and
 * `--allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE`.
 *
 * @example Publish to a hub
 * ```ts ignore
 * import { EphemeralMessenger } from "@keyop/messenger";
 *
 * await using sensor = new EphemeralMessenger({
 *   hubAddr: "hub.local:7740",
 *   instanceName: "sensor-1",
 *   tls: { cert: "sensor-1.crt", key: "sensor-1.key", ca: "ca.crt" },
 * });
 * await sensor.connect();
 * await sensor.publish("readings", "com.example.Reading", { celsius: 21.5 });
 * ```
 */
export class EphemeralMessenger implements AsyncDisposable {
  readonly #config: EphemeralConfig;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #logger: Logger;
  readonly #registry = new PayloadRegistry();
  readonly #maker: RecordMaker;
  readonly #order = new PublishOrder();
  /** Those who subscribed before there was a client to tell. */
  readonly #early = new Set<EarlySubscription>();
  readonly #closing = new AbortController();
  readonly #pipes: ChannelPipes | undefined;
  readonly #piped: PipedPublisher<EphemeralPublished> | undefined;
  #client: EphemeralClient | undefined;
  /** The client from its first connection on: it knows by itself what to do without one. */
  #connectedOnce: EphemeralClient | undefined;
  #connecting: SharedAttempt<EphemeralClient> | undefined;

  /**
   * Makes it; nothing is dialled yet.
   *
   * @param config Which hub, and as whom.
   * @param options Logger and pipes; clock and randomness for tests.
   * @throws {InvalidConfigError} When a pipe is none, or is there twice.
   */
  constructor(config: EphemeralConfig, options: EphemeralOptions = {}) {
    this.#config = config;
    this.#clock = options.clock ?? systemClock;
    this.#random = options.random ?? systemRandom;
    this.#logger = guardedLogger(options.logger ?? consoleLogger());
    this.#maker = new RecordMaker(
      new EnvelopeEncoder(config.instanceName, this.#clock, this.#random),
      this.#registry,
    );
    const { pipes = [] } = options;
    if (pipes.length === 0) return;
    const outlet = this.#outlet();
    this.#pipes = new ChannelPipes({
      pipes,
      origin: config.instanceName,
      outward: { id: "channels", peer: config.hubAddr },
      maker: this.#maker,
      decode: (_channel, payloadType, payload) => this.#registry.parse(payloadType, payload),
      store: (channel, record, id) => outlet.storeAnyway(channel, record, id),
      logger: this.#logger,
    });
    this.#piped = new PipedPublisher(this.#pipes, this.#maker, config.instanceName, outlet);
  }

  /** The instance's name. */
  get instanceName(): string {
    return this.#config.instanceName;
  }

  /** Whether there is a connection now. */
  get connected(): boolean {
    return this.#client?.isConnected ?? false;
  }

  /**
   * Makes a payload type known, so that its payloads are checked.
   *
   * @param payloadType Its name.
   * @param schema Any Standard Schema, or a function that returns the value or throws.
   * @throws {PayloadTypeAlreadyRegisteredError} When it is known already.
   */
  registerPayloadType(payloadType: string, schema?: PayloadSchema): void {
    this.#registry.register(payloadType, schema);
  }

  /**
   * Hears a channel while connected. Call it before `connect`, or name the channel in `subscribe`.
   * What the handler throws is logged; the message does not come again.
   *
   * @param channel The channel.
   * @param handler Gets each message, one at a time. `position` is 0: there is no log here.
   * @returns Ends the hearing.
   * @throws {InvalidChannelNameError} When the name is none.
   */
  subscribe<T = unknown>(channel: string, handler: Handler<T>): () => void {
    this.#mustBeOpen();
    validateChannelName(channel);
    const around = isDeadLetterChannel(channel)
      ? undefined
      : this.#pipes?.around(channel, this.instanceName, handler as Handler);
    const deliver = around === undefined
      ? (record: DecodedRecord) => this.#deliver(record, handler as Handler)
      : (record: DecodedRecord) => this.#hand(record, () => record.payload, around.handler);
    around?.open();
    const end = this.#hear(channel, deliver);
    return () => {
      end();
      around?.close();
    };
  }

  /**
   * Connects to the hub.
   *
   * @param options A signal to give up; others who wait for the connection go on.
   * @throws {CertificateError} When a certificate, key or CA file cannot be used.
   * @throws {HubRejectedError} When the hub does not want this client.
   * @throws {MessengerError} With code `hub_unreachable`; connecting may be tried again.
   * @throws {EphemeralClosedError} After `close`.
   */
  async connect(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    await this.#connect(options.signal);
  }

  /**
   * Publishes one message. Settles once the hub has stored it, or dropped it because its policy does
   * not let this client publish to the channel: the hub does not tell which. Connects when nobody has
   * yet; while the connection is broken it waits for the next one.
   *
   * The payload is taken as it is when this is called, and messages are sent in the order of the
   * calls, whether or not they are awaited.
   *
   * @param channel The channel.
   * @param payloadType What the payload is.
   * @param payload Any value that JSON can carry.
   * @param options Id, correlation id, service name, signal.
   * @returns The message's id.
   * @throws {EphemeralConnectionLostError} When the connection broke before the hub acknowledged: the
   *   message may or may not have been stored. Publish it again with the same `id` to be safe. Or it
   *   is broken, and `autoReconnect` is false: `connect` again.
   * @throws {PayloadInvalidError} When the schema refuses the payload, or JSON cannot carry it.
   * @throws {MessengerError} With code `hub_unreachable` when it has never been connected and cannot
   *   be now, or `record_too_long` when the hub takes none that long.
   * @throws {HubRejectedError} When the hub does not want this client.
   * @throws {PublishStoppedError} When a pipe has not passed it on; the hub does not get it.
   * @throws {EphemeralClosedError} After `close`.
   */
  publish(
    channel: string,
    payloadType: string,
    payload: unknown,
    options?: PublishOptions,
  ): Promise<EphemeralPublished> {
    if (this.#piped !== undefined) {
      return this.#piped.publish(channel, payloadType, payload, options);
    }
    const signal = options?.signal;
    try {
      this.#mustBeOpen();
      this.#maker.checkChannel(channel);
      aborted(signal);
      const checking = this.#maker.check(payloadType, payload);
      // What cannot be encoded is refused before the schema has answered, which then nobody awaits.
      checking?.catch(() => {});
      const record = this.#maker.make(channel, payloadType, payload, options);
      const id = this.#maker.lastId;
      const send = (client: EphemeralClient) => publishMade(client, record, id, signal);
      const client = this.#connectedOnce;
      if (client !== undefined && checking === undefined && !this.#order.mustWait(ALL)) {
        return send(client);
      }
      const ready = Promise.resolve(checking).then(() =>
        this.#connectedOnce ?? this.#connect(signal)
      );
      return this.#order.inTurn(ALL, ready, signal, send);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Closes the connection. What the hub has not acknowledged fails with `EphemeralClosedError`. */
  async close(): Promise<void> {
    this.#closing.abort(new EphemeralClosedError());
    const closing = this.#order.close(new EphemeralClosedError());
    await this.#client?.close();
    await this.#connecting?.ended;
    await closing;
    this.#pipes?.close();
  }

  /** Closes the messenger. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Where records go that have passed the pipes. */
  #outlet(): Outlet<EphemeralPublished> {
    const inTurn = (making: Promise<MadeRecord>, signal: AbortSignal | undefined) => {
      const ready = making.then(async (made) => ({
        made,
        client: this.#connectedOnce ?? await this.#connect(signal),
      }));
      return this.#order.inTurn(
        ALL,
        ready,
        signal,
        ({ client, made }) => publishMade(client, made.record, made.id, signal),
      );
    };
    return {
      mustBeOpen: () => this.#mustBeOpen(),
      storeNow: (_channel, record, id, signal) => {
        const client = this.#connectedOnce;
        if (client === undefined || this.#order.mustWait(ALL)) return undefined;
        return publishMade(client, record, id, signal);
      },
      storeInTurn: (_channel, making, signal) => inTurn(making, signal),
      storeAnyway: async (_channel, record, id) => {
        const client = this.#connectedOnce ?? await this.#connect(undefined);
        return await publishMade(client, record, id, undefined);
      },
    };
  }

  #hear(channel: string, onRecord: EarlySubscription["onRecord"]): () => void {
    if (this.#client !== undefined) return this.#client.subscribe(channel, onRecord);
    const early: EarlySubscription = { channel, onRecord, end: undefined };
    this.#early.add(early);
    return () => {
      this.#early.delete(early);
      early.end?.();
    };
  }

  async #connect(signal: AbortSignal | undefined): Promise<EphemeralClient> {
    this.#mustBeOpen();
    aborted(signal);
    if (this.#client?.isConnected) return this.#client;
    if (this.#connecting === undefined || this.#connecting.isOver) {
      const before = this.#connecting?.ended;
      this.#connecting = new SharedAttempt(async (givenUp) => {
        await before;
        const client = this.#client ??= await this.#makeClient();
        this.#mustBeOpen();
        await client.connect({ signal: givenUp });
        return this.#connectedOnce = client;
      });
    }
    return await this.#connecting.join(signal);
  }

  async #makeClient(): Promise<EphemeralClient> {
    const { tls, hubName, subscribe, maxBatchBytes, writeQueueSize, autoReconnect } = this.#config;
    const { reconnectBaseMs, reconnectMaxMs, reconnectJitter } = this.#config;
    const credentials: Credentials | undefined = tls === undefined
      ? undefined
      : await loadCredentials(tls, { clock: this.#clock });
    // Loaded only when needed: WebSockets ask for permissions that a local messenger does without.
    const { EphemeralClient } = await import("../federation/mod.ts");
    this.#mustBeOpen();
    const client = new EphemeralClient({
      hubAddr: this.#config.hubAddr,
      instanceName: this.#config.instanceName,
      clock: this.#clock,
      random: this.#random,
      logger: this.#logger,
      ...given({ hubName, subscribe, credentials, minVersion: tls?.minVersion }),
      ...given({ autoReconnect, writeQueueSize }),
      backoff: given({ baseMs: reconnectBaseMs, maxMs: reconnectMaxMs, jitter: reconnectJitter }),
      limits: given({ maxBatchBytes }),
    });
    for (const early of this.#early) early.end = client.subscribe(early.channel, early.onRecord);
    this.#early.clear();
    return client;
  }

  async #deliver(record: DecodedRecord, handler: Handler): Promise<void> {
    const decode = () => this.#registry.parse(record.payloadType, record.payload);
    await this.#hand(record, decode, handler);
  }

  async #hand(record: DecodedRecord, decode: () => unknown, handler: Handler): Promise<void> {
    try {
      const payload = await decode();
      const message = new ReceivedMessage(record, payload, 0, 1);
      const context = { signal: this.#closing.signal, subscriberId: this.instanceName };
      // The connection has the context of whoever made it.
      await withoutContext(() =>
        withCorrelationId(record.correlationId, () => handler(message, context))
      );
    } catch (error) {
      this.#logger.error("a message could not be handled; it does not come again", {
        channel: record.channel,
        id: record.id,
        error: messageOf(error),
      });
    }
  }

  #mustBeOpen(): void {
    if (this.#closing.signal.aborted) throw new EphemeralClosedError();
  }
}

async function publishMade(
  client: EphemeralClient,
  record: string,
  id: string,
  signal: AbortSignal | undefined,
): Promise<EphemeralPublished> {
  await client.publish(record, id, given({ signal }));
  return { id };
}

/** The members that are not undefined. */
function given<T extends object>(members: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(
    Object.entries(members).filter(([, value]) => value !== undefined),
  ) as { [K in keyof T]?: Exclude<T[K], undefined> };
}
