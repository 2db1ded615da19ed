import {
  isValidName,
  type Logger,
  messageOf,
  type MessengerError,
  silentLogger,
  type Timer,
} from "../../base/mod.ts";
import { SeenIds } from "../../dedup/mod.ts";
import { type Messenger, type RawChannels, rawChannels } from "../../messenger/mod.ts";
import type { ChannelLog, StoredRecord } from "../../storage/mod.ts";
import type { GatewayEvent } from "../event.ts";
import {
  ChannelRefusedError,
  checkConcrete,
  checkSubscription,
  isCompanion,
  isPattern,
  PatternIndex,
  patternMatches,
} from "../pattern/mod.ts";
import {
  BEGINNING,
  type Broker,
  type BrokerEvents,
  type BrokerPublished,
  type BrokerPublishOptions,
  type HistoryFilter,
  type HistoryPage,
  type Member,
  type MembersPage,
  type Publication,
  type StreamPosition,
} from "./broker.ts";
import { ChannelEpochs } from "./channel_epochs.ts";
import { ChannelFollower } from "./channel_follower.ts";
import { BrokerUnavailableError, EventRefusedError } from "./errors.ts";
import { firstNames } from "./first_names.ts";
import { isBeginning } from "./history_ring.ts";
import { readHistory } from "./log_history.ts";
import { Members } from "./members.ts";
import { contentOf, draftOf } from "./record_codec.ts";

const NOTE_INTERVAL_MS = 1_000;
const NOTED_CHANNELS = 200;
const RECENT_IDS = 10_000;

/** Options of {@linkcode MessengerBroker}. */
export interface MessengerBrokerOptions {
  /**
   * Channels that the messenger may have for clients to make another one by publishing to it.
   * @default {10_000}
   */
  readonly channelsMax?: number;
  /** Where to log. @default nowhere */
  readonly logger?: Logger;
}

/**
 * The channels of a messenger: what a client publishes is a record of the channel's log, and every
 * record of it, whoever wrote it and whichever instance it came from, is a publication. An offset is
 * where the record ends in the log. Nothing is lost by a restart.
 *
 * Transient publications and members are this gateway's alone: they never touch the log and reach no
 * other instance.
 *
 * The messenger is the caller's: closing the broker does not close it. One with pipes is refused, since
 * records do not pass them here. Requires what the messenger
 * requires; epochs are kept in `gateway/` of its data directory.
 */
export class MessengerBroker implements Broker {
  readonly name = "messenger";
  readonly #raw: RawChannels;
  readonly #channelsMax: number;
  readonly #logger: Logger;
  readonly #epochs: ChannelEpochs;
  readonly #members = new Members();
  readonly #recent = new SeenIds(RECENT_IDS);
  /** Every channel that there is. */
  readonly #names = new Set<string>();
  readonly #exact = new Set<string>();
  readonly #patterns = new PatternIndex<true>();
  readonly #followers = new Map<string, ChannelFollower>();
  /** Channels whose logs are being opened for a follower. */
  readonly #opening = new Map<string, Promise<void>>();
  #events: BrokerEvents | undefined;
  #stopListening: (() => void) | undefined;
  #noting: Timer | undefined;
  #closed = false;

  /**
   * Makes the broker.
   *
   * @param messenger An open messenger, which outlives the broker.
   * @param options Its bounds.
   */
  constructor(messenger: Messenger, options: MessengerBrokerOptions = {}) {
    this.#raw = rawChannels(messenger);
    this.#channelsMax = options.channelsMax ?? 10_000;
    this.#logger = options.logger ?? silentLogger;
    const { dataDir, files } = this.#raw;
    this.#epochs = new ChannelEpochs({ dataDir, files, logger: this.#logger });
  }

  get ready(): boolean {
    return this.#events !== undefined && !this.#closed && !this.#raw.closed.aborted;
  }

  // deno-lint-ignore require-await -- what it throws becomes the promise's rejection
  async start(events: BrokerEvents): Promise<void> {
    if (this.#raw.hasPipes) {
      throw new BrokerUnavailableError(
        "Cannot serve the channels of a messenger that has pipes: its records are read and " +
          "written as they stand; open it without pipes",
      );
    }
    this.#events = events;
    const { logs } = this.#raw;
    this.#stopListening = logs.onCreate((channel) => {
      this.#names.add(channel);
      // Whatever is in a channel that did not exist came after the subscription.
      if (!this.#isWanted(channel)) return;
      this.#follow(channel, "start").catch((error) => {
        this.#logger.error("could not follow a new channel", { channel, error: messageOf(error) });
      });
    });
    for (const name of logs.names()) this.#names.add(name);
    this.#note();
  }

  async publish(
    channel: string,
    event: GatewayEvent,
    options: BrokerPublishOptions = {},
  ): Promise<BrokerPublished> {
    checkConcrete(channel);
    const events = this.#listener("publish");
    if (options.transient || isCompanion(channel)) {
      // It does not overtake what was published before it.
      await this.#caughtUp(channel);
      const id = crypto.randomUUID();
      const timeMs = this.#raw.clock.now();
      this.#tell(() => events.publication({ id, channel, offset: 0, epoch: "", timeMs, event }));
      return { id, position: BEGINNING };
    }
    if (!this.#names.has(channel) && this.#names.size >= this.#channelsMax) {
      throw new ChannelRefusedError(
        channel,
        `it is new, and there are ${this.#channelsMax} channels already; use one of them`,
      );
    }
    mustBeName(channel);
    const draft = draftOf(channel, event, (id) => this.#recent.has(id));
    if (draft.id !== undefined) this.#recent.add(draft.id);
    try {
      const { id, next } = await this.#raw.publishJson(channel, draft.payloadType, draft, {
        id: draft.id,
        correlationId: "",
        serviceName: draft.serviceName,
      });
      const { epoch } = this.#epochs.of(this.#raw.logs.get(channel)!);
      return { id, position: { offset: next, epoch } };
    } catch (error) {
      throw refusal(channel, error);
    }
  }

  async subscribe(channelOrPattern: string): Promise<void> {
    checkSubscription(channelOrPattern);
    this.#listener("subscribe");
    if (isPattern(channelOrPattern)) {
      this.#patterns.set(channelOrPattern, true);
      const matching = [...this.#names].filter((name) => patternMatches(channelOrPattern, name));
      await Promise.all(matching.map((name) => this.#follow(name, "end")));
      return;
    }
    if (!isCompanion(channelOrPattern)) mustBeName(channelOrPattern);
    this.#exact.add(channelOrPattern);
    if (this.#names.has(channelOrPattern)) await this.#follow(channelOrPattern, "end");
  }

  async unsubscribe(channelOrPattern: string): Promise<void> {
    const isKnown = this.#exact.delete(channelOrPattern) || this.#patterns.delete(channelOrPattern);
    if (!isKnown) return;
    const channels = isPattern(channelOrPattern)
      ? [...this.#followers.keys()].filter((name) => patternMatches(channelOrPattern, name))
      : [channelOrPattern];
    await Promise.all(channels.map((channel) => this.#stopUnlessWanted(channel)));
  }

  async history(channel: string, filter: HistoryFilter): Promise<HistoryPage> {
    checkConcrete(channel);
    const log = await this.#existing(channel, "read history");
    if (log === undefined) {
      const gap = filter.since !== undefined && !isBeginning(filter.since);
      return { publications: [], top: BEGINNING, gap, more: false };
    }
    const life = this.#epochs.of(log);
    const top = { offset: log.end, epoch: life.epoch };
    try {
      const page = await readHistory({
        log,
        life,
        decode: (record) => this.#decode(log, record, life.epoch),
        clock: this.#raw.clock,
      }, filter);
      return { ...page, top };
    } catch (error) {
      throw refusal(channel, error);
    }
  }

  async position(channel: string): Promise<StreamPosition> {
    checkConcrete(channel);
    const log = await this.#existing(channel, "read a position");
    if (log === undefined) return BEGINNING;
    return { offset: log.end, epoch: this.#epochs.of(log).epoch };
  }

  async removeHistory(channel: string): Promise<void> {
    checkConcrete(channel);
    const log = await this.#existing(channel, "remove history");
    if (log === undefined) return;
    await this.#caughtUp(channel);
    // The records are the messenger's, whose own subscribers may not have read them yet.
    this.#epochs.renew(log);
  }

  // deno-lint-ignore require-await -- what it throws becomes the promise's rejection
  async join(channel: string, member: Member): Promise<void> {
    const events = this.#listener("join");
    if (!this.#members.add(channel, member)) return;
    this.#tell(() => events.presence(channel, "join", member));
  }

  leave(channel: string, member: Member): Promise<void> {
    const left = this.#members.remove(channel, member.sessionId);
    const events = this.#events;
    if (left && events) this.#tell(() => events.presence(channel, "leave", left));
    return Promise.resolve();
  }

  members(channel: string, limit: number): Promise<MembersPage> {
    return Promise.resolve(this.#members.page(channel, limit));
  }

  channels(limit = 10_000): Promise<readonly string[]> {
    return Promise.resolve(firstNames(limit, this.#names, this.#members.channels()));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#noting?.cancel();
    this.#stopListening?.();
    const followers = [...this.#followers.values()];
    this.#followers.clear();
    await Promise.all(followers.map((follower) => follower.stop()));
    this.#epochs.note(Infinity);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Settles when what the channel holds now has been delivered. */
  async #caughtUp(channel: string): Promise<void> {
    const log = this.#raw.logs.get(channel);
    if (log !== undefined) await this.#followers.get(channel)?.reached(log.end);
  }

  #isWanted(channel: string): boolean {
    return !this.#closed &&
      (this.#exact.has(channel) || this.#patterns.match(channel).length > 0);
  }

  /** Settles when what is appended from then on is delivered. */
  #follow(channel: string, from: "start" | "end"): Promise<void> {
    if (this.#followers.has(channel)) return Promise.resolve();
    let opening = this.#opening.get(channel);
    if (opening === undefined) {
      opening = this.#beginFollowing(channel, from).finally(() => this.#opening.delete(channel));
      this.#opening.set(channel, opening);
    }
    return opening;
  }

  async #beginFollowing(channel: string, from: "start" | "end"): Promise<void> {
    const log = await this.#raw.logs.open(channel).catch((error) => {
      throw refusal(channel, error);
    });
    if (!this.#isWanted(channel)) return;
    const follower = new ChannelFollower({
      log,
      from: from === "start" ? log.start : log.end,
      deliver: (record) => this.#deliver(log, record),
      lost: () => this.#tell(() => this.#events?.interrupted?.(channel, false)),
      clock: this.#raw.clock,
      logger: this.#logger,
    });
    this.#followers.set(channel, follower);
  }

  async #stopUnlessWanted(channel: string): Promise<void> {
    const follower = this.#followers.get(channel);
    if (follower === undefined || this.#isWanted(channel)) return;
    this.#followers.delete(channel);
    await follower.stop();
  }

  #deliver(log: ChannelLog, record: StoredRecord): void {
    const { epoch, floor } = this.#epochs.of(log);
    // What was removed meanwhile has no place in the channel's new life.
    if (record.position < floor) return;
    const publication = this.#decode(log, record, epoch);
    if (publication !== undefined) this.#tell(() => this.#events?.publication(publication));
  }

  #decode(log: ChannelLog, record: StoredRecord, epoch: string): Publication | undefined {
    const { channel } = log;
    try {
      const { id, timeMs, event } = contentOf(record, this.#raw.instanceName);
      return { id, channel, offset: record.next, epoch, timeMs, event };
    } catch (error) {
      this.#logger.warn("left out a record that cannot be read", {
        channel,
        position: record.position,
        reason: messageOf(error),
      });
      return undefined;
    }
  }

  async #existing(channel: string, what: string): Promise<ChannelLog | undefined> {
    this.#listener(what);
    mustBeName(channel);
    if (!this.#names.has(channel)) return undefined;
    try {
      return this.#raw.logs.get(channel) ?? await this.#raw.logs.open(channel);
    } catch (error) {
      throw refusal(channel, error);
    }
  }

  #note(): void {
    this.#noting = this.#raw.clock.after(NOTE_INTERVAL_MS, () => {
      if (this.#raw.closed.aborted) return;
      this.#epochs.note(NOTED_CHANNELS);
      this.#note();
    }, { unref: true });
  }

  #listener(what: string): BrokerEvents {
    if (this.#events !== undefined && this.ready) return this.#events;
    const why = this.#closed
      ? "it is closed"
      : this.#events === undefined
      ? "it is not started"
      : "its messenger is closed";
    throw new BrokerUnavailableError(`Cannot ${what} on the messenger broker: ${why}`);
  }

  #tell(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#logger.error("a listener of the broker failed", { error: messageOf(error) });
    }
  }
}

/** Throws unless a messenger can have a channel of that name. */
function mustBeName(channel: string): void {
  if (isValidName(channel)) return;
  throw new ChannelRefusedError(
    channel,
    `this gateway's channels have 1 to 255 characters of a-z, A-Z, 0-9, ".", "_" and "-"`,
  );
}

/** An error of the messenger in the words of the broker. */
function refusal(channel: string, error: unknown): unknown {
  const { code } = error as Partial<MessengerError>;
  switch (code) {
    case "invalid_channel_name":
    case "reserved_channel_name":
      return new ChannelRefusedError(channel, messageOf(error), { cause: error });
    case "payload_invalid":
      return new EventRefusedError(messageOf(error), { cause: error });
    case "messenger_closed":
    case "storage_failed":
      return new BrokerUnavailableError(messageOf(error), { cause: error });
    default:
      return error;
  }
}
