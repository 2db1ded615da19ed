import { Buffer } from "node:buffer";
import { type Clock, MessengerClosedError } from "../base/mod.ts";
import type { SeenIds } from "../dedup/mod.ts";
import type { EncodeOptions } from "../envelope/mod.ts";
import type { ChannelLog, ChannelLogs } from "../storage/mod.ts";
import type { GroupOutlet, MadeRecord } from "./piped/mod.ts";
import { PublishOrder } from "./publish_order.ts";
import type { RawPublished } from "./raw_channels.ts";
import type { RecordMaker } from "./record_maker.ts";
import { aborted } from "./signals.ts";
import type { BatchMessage, Published, PublishOptions } from "./types.ts";

/** What a {@linkcode Publisher} works with. */
export interface PublisherOptions {
  readonly logs: ChannelLogs;
  readonly maker: RecordMaker;
  /** Ids that have passed through here; undefined when nothing can come back. */
  readonly seen: SeenIds | undefined;
  readonly clock: Clock;
}

/** Takes what the program publishes, straight or through pipes. */
export interface Publishing {
  /** Publishes one message; see `Messenger.publish`. */
  publish(
    channel: string,
    payloadType: string,
    payload: unknown,
    options?: PublishOptions,
  ): Promise<Published>;
  /** Publishes several messages in one group; see `Messenger.publishBatch`. */
  publishBatch(
    channel: string,
    messages: readonly BatchMessage[],
    signal: AbortSignal | undefined,
  ): Promise<Published[]>;
}

/**
 * Takes what the program publishes to the logs. A message is what it was when it was published, and
 * messages of one channel are stored in the order in which they were published, whoever waits for
 * what.
 */
export class Publisher implements Publishing, GroupOutlet<Published> {
  readonly #options: PublisherOptions;
  readonly #order = new PublishOrder();
  #isClosed = false;
  #isDrained = false;

  /** @param options Where records go, and who makes them. */
  constructor(options: PublisherOptions) {
    this.#options = options;
  }

  /** Publishes one message; see `Messenger.publish`. */
  publish(
    channel: string,
    payloadType: string,
    payload: unknown,
    options?: PublishOptions,
  ): Promise<Published> {
    const { logs, maker } = this.#options;
    try {
      this.mustBeOpen();
      maker.checkChannel(channel);
      aborted(options?.signal);
      const checking = maker.check(payloadType, payload);
      // What cannot be encoded is refused before the schema has answered, which then nobody awaits.
      checking?.catch(() => {});
      const record = maker.make(channel, payloadType, payload, options);
      const id = maker.lastId;
      const log = logs.get(channel);
      if (
        log !== undefined && checking === undefined && options?.signal === undefined &&
        !this.#order.mustWait(channel)
      ) return this.#append(log, record, id);
      return this.#appendInTurn(
        channel,
        checking,
        options?.signal,
        (opened) => this.#append(opened, record, id),
      );
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #append(log: ChannelLog, record: string, id: string): Promise<Published> {
    this.#mark(id);
    return log.append(record, (position) => ({ id, position }));
  }

  /** Publishes a payload that is JSON text already; see `RawChannels.publishJson`. */
  publishJson(
    channel: string,
    payloadType: string,
    payload: { readonly json: string; readonly value: unknown },
    options?: EncodeOptions,
  ): Promise<RawPublished> {
    const { logs, maker } = this.#options;
    try {
      this.mustBeOpen();
      maker.checkChannel(channel);
      const checking = maker.check(payloadType, payload.value);
      checking?.catch(() => {});
      const record = maker.makeOfJson(channel, payloadType, payload.json, options);
      const id = maker.lastId;
      const bytes = Buffer.byteLength(record) + 1;
      const append = (log: ChannelLog) => {
        this.#mark(id);
        return log.append(record, (position) => ({ id, position, next: position + bytes }));
      };
      const log = logs.get(channel);
      if (log !== undefined && checking === undefined && !this.#order.mustWait(channel)) {
        return append(log);
      }
      return this.#appendInTurn(channel, checking, undefined, append);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  async #appendAll(
    log: ChannelLog,
    records: readonly string[],
    ids: readonly string[],
  ): Promise<Published[]> {
    for (const id of ids) this.#mark(id);
    const positions = await log.appendAll(records);
    return ids.map((id, index) => ({ id, position: positions[index]! }));
  }

  /** Publishes several messages in one group; see `Messenger.publishBatch`. */
  publishBatch(
    channel: string,
    messages: readonly BatchMessage[],
    signal: AbortSignal | undefined,
  ): Promise<Published[]> {
    const { maker } = this.#options;
    const checks: Promise<void>[] = [];
    const checking = () => Promise.all(checks);
    try {
      this.mustBeOpen();
      maker.checkChannel(channel);
      aborted(signal);
      for (const { payloadType, payload } of messages) {
        const check = maker.check(payloadType, payload);
        if (check !== undefined) checks.push(check);
      }
      const ids: string[] = [];
      const records = messages.map((message) => {
        const record = maker.make(channel, message.payloadType, message.payload, message);
        ids.push(maker.lastId);
        return record;
      });
      if (records.length === 0) return Promise.resolve([]);
      return this.#appendInTurn(
        channel,
        checking(),
        signal,
        (log) => this.#appendAll(log, records, ids),
      );
    } catch (error) {
      checking().catch(() => {});
      return Promise.reject(error);
    }
  }

  storeNow(
    channel: string,
    record: string,
    id: string,
    signal: AbortSignal | undefined,
  ): Promise<Published> | undefined {
    const log = this.#options.logs.get(channel);
    if (log === undefined || signal !== undefined || this.#order.mustWait(channel)) {
      return undefined;
    }
    return this.#append(log, record, id);
  }

  storeInTurn(
    channel: string,
    making: Promise<MadeRecord>,
    signal: AbortSignal | undefined,
  ): Promise<Published> {
    return this.#appendMade(
      channel,
      making,
      signal,
      (log, { record, id }) => this.#append(log, record, id),
    );
  }

  async storeAnyway(channel: string, record: string, id: string): Promise<Published> {
    const { logs } = this.#options;
    if (this.#isDrained) throw new MessengerClosedError("publish");
    return await this.#append(logs.get(channel) ?? await logs.open(channel), record, id);
  }

  storeAllInTurn(
    channel: string,
    making: Promise<readonly MadeRecord[]>,
    signal: AbortSignal | undefined,
  ): Promise<Published[]> {
    return this.#appendMade(channel, making, signal, (log, made) =>
      this.#appendAll(
        log,
        made.map(({ record }) => record),
        made.map(({ id }) => id),
      ));
  }

  /** Takes nothing more; settles when what was published before is with the logs, or given up. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#order.drain(this.#options.clock);
    this.#isDrained = true;
    await this.#order.close(new MessengerClosedError("publish"));
  }

  #appendInTurn<T>(
    channel: string,
    checking: Promise<unknown> | void,
    signal: AbortSignal | undefined,
    append: (log: ChannelLog) => Promise<T>,
  ): Promise<T> {
    const ready = Promise.resolve(checking).then(() => this.#options.logs.open(channel));
    return this.#order.inTurn(channel, ready, signal, append);
  }

  #appendMade<M, T>(
    channel: string,
    making: Promise<M>,
    signal: AbortSignal | undefined,
    append: (log: ChannelLog, made: M) => Promise<T>,
  ): Promise<T> {
    const { logs } = this.#options;
    const ready = making.then(async (made) => ({ made, log: await logs.open(channel) }));
    return this.#order.inTurn(channel, ready, signal, ({ log, made }) => append(log, made));
  }

  #mark(id: string): void {
    this.#options.seen?.add(id);
  }

  mustBeOpen(): void {
    if (this.#isClosed) throw new MessengerClosedError("publish");
  }
}
