import {
  Backoff,
  type BackoffOptions,
  type Clock,
  delay,
  EphemeralClosedError,
  EphemeralConnectionLostError,
  HubRejectedError,
  type Logger,
  messageOf,
  MessengerError,
  quote,
  type Random,
  silentLogger,
  systemClock,
  systemRandom,
  validateChannelName,
} from "../base/mod.ts";
import { CloseCode, isRejection, retryAfter } from "./close_codes.ts";
import { EphemeralInbox, type RecordHandler } from "./ephemeral_inbox.ts";
import { EphemeralOutbox, type Outgoing } from "./ephemeral_outbox.ts";
import { GreetingError, receiveHandshake } from "./greeting.ts";
import { type FederationLimits, federationLimits, maxFrameBytes } from "./limits.ts";
import type { Frame, Link, LinkEnd } from "./link.ts";
import type { Credentials, TlsVersion } from "./ports.ts";
import { type Dial, dialWebSocket } from "./websocket_dial.ts";
import { encodeHandshake, type Handshake, parseAck, WireError } from "./wire.ts";

/** A connection that was up for so long counts as good, and the next wait is a short one. */
const LASTING_MS = 10_000;

const encoder = new TextEncoder();

/** Options of an {@linkcode EphemeralClient}. */
export interface EphemeralClientOptions {
  /** `host:port`. */
  readonly hubAddr: string;
  /** Common Name that the hub's certificate must have, in place of the dialled host. */
  readonly hubName?: string;
  /** Name of this instance; with certificates theirs counts. */
  readonly instanceName: string;
  /** Channels to ask for, beside those that are subscribed to before `connect`. */
  readonly subscribe?: readonly string[];
  /** Certificates; without them the connection is neither encrypted nor proven. */
  readonly credentials?: Credentials;
  /** Lowest version of TLS. @default {"1.3"} */
  readonly minVersion?: TlsVersion;
  /** Dial again after the connection broke. @default {true} */
  readonly autoReconnect?: boolean;
  /** Waits between attempts to connect again. */
  readonly backoff?: BackoffOptions;
  /** What differs from the defaults. */
  readonly limits?: Partial<FederationLimits>;
  /** Records that may be sent and not yet acknowledged; further ones wait. @default {256} */
  readonly writeQueueSize?: number;
  /** What tells the time. @default {systemClock} */
  readonly clock?: Clock;
  /** Where jitter comes from. @default {systemRandom} */
  readonly random?: Random;
  /** Where faults and changes of state are logged. @default {silentLogger} */
  readonly logger?: Logger;
  /** How to open a link. @default {dialWebSocket} */
  readonly dial?: Dial;
}

interface Connection {
  readonly link: Link;
  readonly outbox: EphemeralOutbox;
}

/**
 * Publishes to a hub and hears from it, and keeps nothing: what is published is stored once the hub
 * says so, what the hub stores while there is no connection is missed.
 */
export class EphemeralClient {
  readonly #options: EphemeralClientOptions;
  readonly #limits: FederationLimits;
  readonly #writeQueueSize: number;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #backoff: Backoff;
  readonly #closing = new AbortController();
  readonly #channels: Set<string>;
  readonly #handlers = new Map<string, Set<RecordHandler>>();
  readonly #waiting: Outgoing[] = [];
  #connecting: Promise<void> | undefined;
  #connection: Connection | undefined;
  /** Why nothing can be published any more. */
  #failure: MessengerError | undefined;
  /** The connection is gone, and not made again by itself. */
  #isLost = false;
  #isPumpDue = false;
  #reconnecting: Promise<void> | undefined;

  /**
   * Makes it; `connect` dials.
   *
   * @param options Which hub, and as whom.
   * @throws {RangeError} When a number is out of range.
   * @throws {InvalidChannelNameError} When a channel's name is none.
   */
  constructor(options: EphemeralClientOptions) {
    this.#options = options;
    this.#limits = federationLimits(options.limits);
    this.#writeQueueSize = options.writeQueueSize ?? 256;
    if (!Number.isSafeInteger(this.#writeQueueSize) || this.#writeQueueSize < 1) {
      throw new RangeError(
        `Cannot use ${this.#writeQueueSize} as writeQueueSize: it takes a whole number from 1`,
      );
    }
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#backoff = new Backoff(options.backoff ?? {}, options.random ?? systemRandom);
    this.#channels = new Set(options.subscribe);
    for (const channel of this.#channels) validateChannelName(channel);
  }

  /** Whether there is a connection now. */
  get isConnected(): boolean {
    return this.#connection !== undefined;
  }

  /**
   * Hands a channel's records to a handler from now on. A channel that was not asked for has to be
   * subscribed to before `connect`.
   *
   * @param channel The channel.
   * @param onRecord Takes the records, one after the other.
   * @returns Ends it.
   * @throws {InvalidChannelNameError} When the name is none.
   * @throws {MessengerError} With code `subscribe_after_connect`.
   */
  subscribe(channel: string, onRecord: RecordHandler): () => void {
    validateChannelName(channel);
    if (!this.#channels.has(channel)) {
      if (this.#connecting !== undefined) {
        throw new MessengerError(
          "subscribe_after_connect",
          `Cannot subscribe to ${quote(channel)}: the hub was not asked for it; subscribe before ` +
            `connecting, or name it in "subscribe"`,
        );
      }
      this.#channels.add(channel);
    }
    let handlers = this.#handlers.get(channel);
    if (handlers === undefined) this.#handlers.set(channel, handlers = new Set());
    // Each call is a subscription of its own, also of the same function.
    const handler: RecordHandler = (record) => onRecord(record);
    handlers.add(handler);
    return () => void handlers.delete(handler);
  }

  /**
   * Connects. Requires `--allow-net` for the hub's address.
   *
   * @param options A signal to give up.
   * @throws {MessengerError} With code `hub_unreachable`; connecting may be tried again.
   * @throws {HubRejectedError} When the hub does not want this client.
   * @throws {EphemeralClosedError} After `close`.
   */
  connect(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    this.#isLost = false;
    this.#connecting ??= this.#connect(options.signal).catch((error) => {
      this.#connecting = undefined;
      throw error;
    });
    return this.#connecting;
  }

  /**
   * Publishes a record. It waits for a connection, unless that is lost and is not made again.
   *
   * @param record The encoded record.
   * @param id The UUID in it.
   * @param options A signal to give up; the record may be stored nevertheless.
   * @returns Settles when the hub has stored it.
   * @throws {EphemeralConnectionLostError} When the connection broke before the hub said so.
   * @throws {HubRejectedError} When the hub does not want this client.
   * @throws {EphemeralClosedError} When this is closed before the hub said so.
   * @throws {MessengerError} With code `record_too_long`.
   */
  publish(
    record: string | Uint8Array,
    id: string,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    const { signal } = options;
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#isLost) return Promise.reject(this.#lostError());
    if (signal?.aborted) return Promise.reject(signal.reason);
    return new Promise((resolve, reject) => {
      const abort = () => {
        const index = this.#waiting.indexOf(outgoing);
        if (index >= 0) this.#waiting.splice(index, 1);
        reject(signal?.reason);
      };
      const outgoing: Outgoing = {
        record: typeof record === "string" ? encoder.encode(record) : record,
        id,
        resolve: () => {
          signal?.removeEventListener("abort", abort);
          resolve();
        },
        reject: (error) => {
          signal?.removeEventListener("abort", abort);
          reject(error);
        },
      };
      signal?.addEventListener("abort", abort, { once: true });
      this.#waiting.push(outgoing);
      this.#pumpSoon();
    });
  }

  /** Closes the connection. What the hub has not acknowledged fails with `EphemeralClosedError`. */
  async close(): Promise<void> {
    this.#fail(new EphemeralClosedError());
    this.#closing.abort(this.#failure);
    const connection = this.#connection;
    connection?.link.close(CloseCode.normal, "");
    await this.#connecting?.catch(() => {});
    await this.#reconnecting;
    await connection?.link.closed;
  }

  /** What is published in one turn goes into one frame. */
  #pumpSoon(): void {
    if (this.#isPumpDue) return;
    this.#isPumpDue = true;
    queueMicrotask(() => {
      this.#isPumpDue = false;
      this.#connection?.outbox.pump();
    });
  }

  async #connect(signal?: AbortSignal): Promise<void> {
    const { hubAddr } = this.#options;
    const signals = signal === undefined ? [this.#closing.signal] : [this.#closing.signal, signal];
    const either = AbortSignal.any(signals);
    const end = await this.#connectOnce(either);
    if (end === undefined) return;
    this.#closing.signal.throwIfAborted();
    signal?.throwIfAborted();
    if (isRejection(end.code)) throw this.#rejected(end);
    throw new MessengerError("hub_unreachable", `Cannot connect to hub ${hubAddr}: ${end.reason}`);
  }

  /** @returns Why there is no connection; nothing when there is one. */
  async #connectOnce(signal: AbortSignal): Promise<LinkEnd | undefined> {
    const { hubAddr, hubName, credentials, minVersion = "1.3", dial = dialWebSocket } =
      this.#options;
    let link: Link | undefined;
    const abort = () => link?.close(CloseCode.goingAway, "client is closing");
    signal.addEventListener("abort", abort);
    try {
      link = await dial({
        addr: hubAddr,
        name: hubName,
        credentials,
        minVersion,
        maxFrameBytes: maxFrameBytes(this.#limits),
        timeoutMs: this.#limits.handshakeTimeoutMs,
        clock: this.#clock,
        signal,
      });
      if (signal.aborted) abort();
      const hub = await this.#greet(link);
      if (signal.aborted) return { code: CloseCode.goingAway, reason: "client is closing" };
      this.#converse(link, hub);
      return undefined;
    } catch (error) {
      const code = error instanceof GreetingError ? error.closeCode : CloseCode.abnormal;
      return { code, reason: messageOf(error) };
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  async #greet(link: Link): Promise<Handshake> {
    link.send(encodeHandshake({
      instanceName: this.#options.instanceName,
      role: "client",
      subscribe: [...this.#channels],
      ephemeral: true,
      window: this.#limits.window,
      maxRecordBytes: this.#limits.maxRecordBytes,
    }));
    return await receiveHandshake(link, {
      role: "hub",
      clock: this.#clock,
      timeoutMs: this.#limits.handshakeTimeoutMs,
    });
  }

  #converse(link: Link, hub: Handshake): void {
    const limits = this.#limits;
    const outbox = new EphemeralOutbox({
      link,
      hub,
      limits,
      writeQueueSize: this.#writeQueueSize,
      clock: this.#clock,
      waiting: this.#waiting,
    });
    const inbox = new EphemeralInbox({
      link,
      limits,
      logger: this.#logger,
      handlers: (channel) => this.#handlers.get(channel) ?? [],
    });
    this.#connection = { link, outbox };
    const startedAt = this.#clock.monotonic();
    link.listen({
      frame: (frame: Frame) => {
        if (typeof frame !== "string") return inbox.frame(frame);
        try {
          outbox.acknowledge(parseAck(frame));
          this.#backoff.reset();
        } catch (error) {
          const code = error instanceof WireError ? error.closeCode : CloseCode.badProtocol;
          link.close(code, messageOf(error));
        }
      },
      writable: () => outbox.writable(),
    });
    link.resume();
    outbox.pump();
    this.#logger.info("connected to hub", { hub: this.#options.hubAddr });
    link.closed.then((end) => {
      this.#connection = undefined;
      inbox.close();
      outbox.close(this.#failure ?? this.#lostError());
      if (this.#clock.monotonic() - startedAt >= LASTING_MS) this.#backoff.reset();
      this.#lost(end);
    });
  }

  #lost(end: LinkEnd): void {
    if (this.#failure !== undefined) return;
    const { hubAddr, autoReconnect = true } = this.#options;
    const { code, reason } = end;
    this.#logger.warn("connection to hub is lost", { hub: hubAddr, code, reason });
    // 4400 in the middle of things is a fault of this connection, and not said of the client.
    if (code === CloseCode.notAllowed) this.#rejected(end);
    else if (autoReconnect) this.#reconnecting = this.#reconnect(end);
    else {
      this.#isLost = true;
      this.#connecting = undefined;
      for (const { reject } of this.#waiting.splice(0)) reject(this.#lostError());
    }
  }

  #lostError(): EphemeralConnectionLostError {
    return new EphemeralConnectionLostError(this.#options.hubAddr);
  }

  async #reconnect(last: LinkEnd): Promise<void> {
    const { signal } = this.#closing;
    let end: LinkEnd | undefined = last;
    let said = "";
    while (end !== undefined) {
      const isSlow = retryAfter(end.code) === "slow";
      try {
        await delay(
          this.#clock,
          isSlow ? this.#backoff.longest() : this.#backoff.next(),
          signal,
        );
      } catch {
        return;
      }
      end = await this.#connectOnce(signal);
      if (signal.aborted) return;
      if (end !== undefined && isRejection(end.code)) {
        this.#rejected(end);
        return;
      }
      if (end !== undefined && end.reason !== said) {
        said = end.reason;
        this.#logger.warn("cannot connect to hub, trying again", {
          hub: this.#options.hubAddr,
          reason: said,
        });
      }
    }
  }

  #rejected({ code, reason }: LinkEnd): MessengerError {
    const error = new HubRejectedError(this.#options.hubAddr, code, reason);
    this.#fail(error);
    return error;
  }

  /** Nothing can be published from now on; what waits or is under way fails. */
  #fail(error: MessengerError): void {
    this.#failure ??= error;
    this.#connection?.outbox.close(this.#failure);
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}
