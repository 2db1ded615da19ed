import {
  type Clock,
  type Logger,
  messageOf,
  silentLogger,
  systemClock,
} from "../../../base/mod.ts";
import type { GatewayEvent } from "../../event.ts";
import {
  checkConcrete,
  checkSubscription,
  isCompanion,
  isPattern,
  PatternIndex,
  withoutCompanion,
} from "../../pattern/mod.ts";
import {
  BEGINNING,
  type Broker,
  type BrokerEvents,
  type BrokerPublished,
  type BrokerPublishOptions,
  HISTORY_PAGE_MAX,
  type HistoryFilter,
  type HistoryPage,
  type Member,
  type MembersPage,
  type Publication,
  type StreamPosition,
} from "../broker.ts";
import { newEpoch } from "../epoch.ts";
import { BrokerUnavailableError, EventRefusedError } from "../errors.ts";
import { CHANNEL_SCANS, channelOfPubsub, keys } from "./keys.ts";
import { OffsetTracks } from "./offset_tracks.ts";
import { type RedisAddress, RedisLink } from "./redis_link.ts";
import { RedisPresence } from "./redis_presence.ts";
import { type MixedPage, RedisRecovery } from "./redis_recovery.ts";
import { RedisSubscriptions } from "./redis_subscriptions.ts";
import { type ScriptedRedis, withScripts } from "./scripts.ts";
import { decodePayload, encodePublication } from "./wire.ts";

const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;
/** A payload is longer than that in no sane use, and Redis copies it for every gateway. */
const PAYLOAD_LENGTH_MAX = 16 * MIB;
const PAGE_BYTES = 8 * MIB;
const SCAN_COUNT = 1_000;

/** Options of {@linkcode RedisBroker}. */
export interface RedisBrokerOptions extends RedisAddress {
  /** Publications that a channel's stream keeps. @default {10_000} */
  readonly streamMaxLength?: number;
  /** Whether it may keep a few more, which costs Redis less. @default {true} */
  readonly streamApproximate?: boolean;
  /**
   * Milliseconds after its last publication that a channel's stream is kept; 0 for ever.
   * @default {86_400_000}
   */
  readonly historyTtlMs?: number;
  /**
   * Milliseconds without a sign of life after which the members of a gateway leave; it gives one three
   * times as often. @default {90_000}
   */
  readonly leaseMs?: number;
  /** Where to log. @default nowhere */
  readonly logger?: Logger;
  /** Replaces the clock, for tests. */
  readonly clock?: Clock;
}

/**
 * Publications in Redis Streams, delivered by pub/sub: gateways that share a Redis are a cluster, and
 * nodes of the original take part in it. Needs Redis 6.2 or later, no cluster of it: one script writes
 * several keys.
 *
 * Requires `--allow-net` to the server and `--allow-env`.
 */
export class RedisBroker implements Broker {
  readonly name = "redis";
  readonly #maxLength: number;
  readonly #trim: "~" | "=";
  readonly #ttlMs: number;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** Carries commands. */
  readonly #link: RedisLink;
  readonly #client: ScriptedRedis;
  /** Carries subscriptions. */
  readonly #listening: RedisLink;
  readonly #subscriptions: RedisSubscriptions;
  readonly #recovery: RedisRecovery;
  readonly #presence: RedisPresence;
  readonly #tracks = new OffsetTracks();
  readonly #exact = new Set<string>();
  /** With Redis' time when each was subscribed to. */
  readonly #patterns = new PatternIndex<number>();
  #events: BrokerEvents | undefined;
  #closed = false;
  #restoring: Promise<void> = Promise.resolve();

  /**
   * Makes the broker; `start` connects.
   *
   * @param options Where Redis is, and what is kept there.
   * @throws {RangeError} When the address or a bound is none.
   */
  constructor(options: RedisBrokerOptions) {
    this.#maxLength = positive("streamMaxLength", options.streamMaxLength ?? 10_000);
    this.#trim = options.streamApproximate ?? true ? "~" : "=";
    this.#ttlMs = options.historyTtlMs === 0
      ? 0
      : positive("historyTtlMs", options.historyTtlMs ?? DAY_MS);
    const leaseMs = positive("leaseMs", options.leaseMs ?? 90_000);
    const clock = this.#clock = options.clock ?? systemClock;
    const logger = this.#logger = options.logger ?? silentLogger;
    this.#link = new RedisLink({
      ...options,
      use: "commands",
      clock,
      logger,
      onLost: () => {},
      onReconnect: () => this.#presence.restore().catch((error) => this.#warn("restore", error)),
    });
    this.#client = withScripts(this.#link.client);
    this.#listening = new RedisLink({
      ...options,
      use: "subscriptions",
      clock,
      logger,
      onLost: () => {
        this.#subscriptions.lost();
        this.#recovery.begin();
      },
      onReconnect: () => {
        this.#restoring = this.#restoring.then(() => this.#restore());
      },
    });
    this.#subscriptions = new RedisSubscriptions({
      link: this.#listening,
      onMessage: (pubsub, payload) => this.#receive(channelOfPubsub(pubsub), payload),
    });
    this.#recovery = new RedisRecovery({
      link: this.#link,
      client: this.#client,
      tracks: this.#tracks,
      patterns: this.#patterns,
      readHistory: (channel, filter) => this.#readHistory(channel, filter),
      deliver: (publication) => this.#deliver(publication),
      interrupted: (name, complete) => this.#tell((events) => events.interrupted?.(name, complete)),
      logger,
    });
    this.#presence = new RedisPresence({
      link: this.#link,
      client: this.#client,
      nodeId: `node-${crypto.randomUUID()}`,
      leaseMs,
      clock,
      logger,
      watched: () => [...this.#exact].map(withoutCompanion),
    });
  }

  get ready(): boolean {
    return this.#events !== undefined && !this.#closed && this.#link.isReady &&
      this.#listening.isReady;
  }

  async start(events: BrokerEvents): Promise<void> {
    try {
      await Promise.all([this.#link.open(), this.#listening.open()]);
      await this.#presence.start();
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#events = events;
  }

  async publish(
    channel: string,
    event: GatewayEvent,
    options: BrokerPublishOptions = {},
  ): Promise<BrokerPublished> {
    checkConcrete(channel);
    this.#mustBeOpen("publish");
    const id = crypto.randomUUID();
    const payload = encodePublication(channel, id, this.#clock.now(), event);
    if (payload.length > PAYLOAD_LENGTH_MAX) {
      throw new EventRefusedError(
        `Cannot publish ${event.data.length} bytes through Redis: the limit is about 12 MiB`,
      );
    }
    if (options.transient || isCompanion(channel)) {
      await this.#link.send("publish", () => this.#client.publish(keys.pubsub(channel), payload));
      return { id, position: BEGINNING };
    }
    const [offset, epoch] = await this.#link.send("publish", () =>
      this.#client.mlPublish(
        keys.stream(channel),
        keys.seq(channel),
        keys.epoch(channel),
        keys.pubsub(channel),
        payload.slice(0, -1),
        newEpoch(),
        this.#maxLength,
        this.#trim,
        this.#ttlMs,
      ));
    return { id, position: { offset, epoch } };
  }

  async subscribe(channelOrPattern: string): Promise<void> {
    checkSubscription(channelOrPattern);
    this.#mustBeOpen("subscribe");
    const isOfPattern = isPattern(channelOrPattern);
    if (isOfPattern ? this.#patterns.get(channelOrPattern) : this.#exact.has(channelOrPattern)) {
      return;
    }
    try {
      // Read before: what is published until Redis delivers shows as a hole, and is fetched.
      if (isOfPattern) this.#patterns.set(channelOrPattern, await this.#time());
      else {
        this.#exact.add(channelOrPattern);
        if (!isCompanion(channelOrPattern)) {
          this.#tracks.begin(channelOrPattern, await this.#readPosition(channelOrPattern, true));
        }
      }
      await this.#subscriptions.add(channelOrPattern);
    } catch (error) {
      this.#forget(channelOrPattern);
      throw error;
    }
  }

  async unsubscribe(channelOrPattern: string): Promise<void> {
    if (!this.#forget(channelOrPattern)) return;
    await this.#subscriptions.remove(channelOrPattern);
  }

  async history(channel: string, filter: HistoryFilter): Promise<HistoryPage> {
    checkConcrete(channel);
    this.#mustBeOpen("read history");
    const page = await this.#readHistory(channel, filter);
    const { limit } = filter;
    if (!page.more || limit === 0) return plainPage(page);
    // A reader goes on from the last publication, which must have a number for that: what nodes of
    // the original wrote behind it comes with the next page.
    const { publications } = page;
    const last = publications.findLastIndex(isNumbered);
    if (last >= 0) return plainPage({ ...page, publications: publications.slice(0, last + 1) });
    const longer = await this.#readHistory(channel, { ...filter, limit: HISTORY_PAGE_MAX });
    const next = longer.publications.find(isNumbered);
    return plainPage({
      ...longer,
      publications: [...publications.slice(0, -1), ...(next ? [next] : [])],
      gap: true,
      more: next !== undefined,
    });
  }

  async position(channel: string): Promise<StreamPosition> {
    checkConcrete(channel);
    this.#mustBeOpen("read a position");
    return await this.#readPosition(channel, this.#exact.has(channel));
  }

  async removeHistory(channel: string): Promise<void> {
    checkConcrete(channel);
    this.#mustBeOpen("remove history");
    await this.#link.send(
      "remove history",
      () => this.#client.del(keys.stream(channel), keys.seq(channel), keys.epoch(channel)),
    );
  }

  async join(channel: string, member: Member): Promise<void> {
    this.#mustBeOpen("join");
    await this.#presence.join(channel, member);
  }

  async leave(channel: string, member: Member): Promise<void> {
    if (!this.#closed) await this.#presence.leave(channel, member);
  }

  async members(channel: string, limit: number): Promise<MembersPage> {
    this.#mustBeOpen("read members");
    return await this.#presence.members(channel, limit);
  }

  async channels(limit = 10_000): Promise<readonly string[]> {
    this.#mustBeOpen("list channels");
    const names = new Set<string>();
    for (const prefix of CHANNEL_SCANS) {
      let cursor = "0";
      do {
        const at = cursor;
        const [next, found] = await this.#link.send(
          "list channels",
          () => this.#client.scan(at, "MATCH", `${prefix}*`, "COUNT", SCAN_COUNT),
        );
        for (const key of found) {
          if (names.size >= limit) return [...names];
          names.add(key.slice(prefix.length));
        }
        cursor = next;
      } while (cursor !== "0");
    }
    return [...names];
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#presence.close();
    this.#link.close();
    this.#listening.close();
    await this.#restoring;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** @returns Whether the name was subscribed to. */
  #forget(channelOrPattern: string): boolean {
    if (this.#patterns.delete(channelOrPattern)) {
      this.#tracks.prune((channel) => this.#isWanted(channel));
      return true;
    }
    if (!this.#exact.delete(channelOrPattern)) return false;
    this.#tracks.loosen(channelOrPattern, this.#isWanted(channelOrPattern));
    return true;
  }

  /** Redis' time in milliseconds since 1970. */
  async #time(): Promise<number> {
    const [seconds, microseconds] = await this.#link.send(
      "read the time",
      () => this.#client.time(),
    );
    return Number(seconds) * 1_000 + Math.floor(Number(microseconds) / 1_000);
  }

  async #readPosition(channel: string, begins: boolean): Promise<StreamPosition> {
    const [offset, epoch] = await this.#link.send("read a position", () =>
      this.#client.mlPosition(
        keys.seq(channel),
        keys.epoch(channel),
        begins ? newEpoch() : "",
        this.#ttlMs,
      ));
    return { offset, epoch };
  }

  async #readHistory(
    channel: string,
    { limit, reverse = false, since }: HistoryFilter,
  ): Promise<MixedPage> {
    const wanted = limit < 0 ? HISTORY_PAGE_MAX : Math.min(limit, HISTORY_PAGE_MAX);
    const [offset, epoch, gap, more, ...entries] = await this.#link.send(
      "read history",
      () =>
        this.#client.mlHistory(
          keys.stream(channel),
          keys.seq(channel),
          keys.epoch(channel),
          since?.offset ?? -1,
          since?.epoch ?? "",
          wanted,
          reverse ? 1 : 0,
          PAGE_BYTES,
        ),
    );
    const publications: { publication: Publication; isForeign: boolean }[] = [];
    for (let at = 0; at < entries.length; at += 2) {
      const streamId = entries[at]!;
      const payload = decodePayload(channel, entries[at + 1]!, {
        id: () => `ml-${streamId}`,
        timeMs: () => Number(streamId.split("-")[0]),
      });
      // The original keeps joins and leaves in the stream.
      if (payload?.kind === "publication") publications.push(payload);
    }
    return { publications, top: { offset, epoch }, gap: gap === 1, more: more === 1 };
  }

  #receive(channel: string, text: string): void {
    const payload = decodePayload(channel, text, {
      id: () => crypto.randomUUID(),
      timeMs: () => this.#clock.now(),
    });
    if (payload === undefined) {
      this.#logger.warn("left out a message in Redis that cannot be read", { channel });
      return;
    }
    if (payload.kind !== "publication") {
      this.#tell((events) => events.presence(channel, payload.kind, payload.member));
      return;
    }
    const { publication } = payload;
    if (!this.#isWanted(channel)) return;
    switch (this.#tracks.arrive(publication)) {
      case "deliver":
        this.#deliver(publication);
        break;
      case "hole":
        void this.#recovery.catchUp(channel);
        break;
    }
  }

  #isWanted(channel: string): boolean {
    return this.#exact.has(channel) || this.#patterns.match(channel).length > 0;
  }

  /** Listens again and fetches what was missed. */
  async #restore(): Promise<void> {
    if (this.#closed) return;
    try {
      this.#recovery.begin();
      await this.#subscriptions.restore();
      await this.#recovery.restore();
    } catch (error) {
      // When it is lost again meanwhile, the next connection begins anew.
      if (this.#closed || !this.#listening.isReady) return;
      this.#warn("listen again", error);
      this.#listening.client.disconnect(true);
    }
  }

  #deliver(publication: Publication): void {
    this.#tell((events) => events.publication(publication));
  }

  #mustBeOpen(what: string): void {
    if (this.#events !== undefined && !this.#closed) return;
    const why = this.#closed ? "it is closed" : "it is not started";
    throw new BrokerUnavailableError(`Cannot ${what} on the Redis broker: ${why}`);
  }

  #tell(call: (events: BrokerEvents) => void): void {
    if (this.#events === undefined || this.#closed) return;
    try {
      call(this.#events);
    } catch (error) {
      this.#logger.error("a listener of the broker failed", { error: messageOf(error) });
    }
  }

  #warn(what: string, error: unknown): void {
    this.#logger.warn(`could not ${what} in Redis`, { error: messageOf(error) });
  }
}

function plainPage({ publications, ...page }: MixedPage): HistoryPage {
  return { ...page, publications: publications.map(({ publication }) => publication) };
}

function isNumbered({ publication }: MixedPage["publications"][number]): boolean {
  return publication.offset > 0;
}

function positive(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new RangeError(`Cannot use ${value} as ${name}: give a whole number from 1 on`);
}
