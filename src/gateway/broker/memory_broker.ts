import { type Clock, type Logger, messageOf, silentLogger, systemClock } from "../../base/mod.ts";
import type { GatewayEvent } from "../event.ts";
import { checkConcrete, checkSubscription, isPattern, PatternIndex } from "../pattern/mod.ts";
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
import { newEpoch } from "./epoch.ts";
import { BrokerUnavailableError } from "./errors.ts";
import { firstNames } from "./first_names.ts";
import { HistoryRing, isBeginning } from "./history_ring.ts";
import { Members } from "./members.ts";

const MIB = 1024 * 1024;
const DAY_MS = 86_400_000;
/** Channels that one publication looks at when there is too much. */
const SHRINK_STEPS = 8;

/** Options of {@linkcode MemoryBroker}. */
export interface MemoryBrokerOptions {
  /** Publications kept of a channel; 0 keeps none, and offsets still grow. @default {256} */
  readonly historySize?: number;
  /** Milliseconds that a publication is kept. @default {86_400_000}, a day */
  readonly historyTtlMs?: number;
  /**
   * Bytes kept of all channels, about; beyond it those published to longest ago lose theirs first.
   * @default {268_435_456}
   */
  readonly historyBytesMax?: number;
  /**
   * Channels remembered that nobody subscribes to; beyond it those published to longest ago are
   * forgotten. @default {100_000}
   */
  readonly channelsMax?: number;
  /** Where to log. @default nowhere */
  readonly logger?: Logger;
  /** Replaces the clock, for tests. */
  readonly clock?: Clock;
}

/**
 * Publications of one gateway, in its memory: quick, and gone with the process. The plainest broker,
 * and the model of what the others do.
 *
 * `publish` calls the listener before it settles.
 */
export class MemoryBroker implements Broker {
  readonly name = "memory";
  readonly #size: number;
  readonly #ttlMs: number;
  readonly #bytesMax: number;
  readonly #channelsMax: number;
  readonly #clock: Clock;
  readonly #logger: Logger;
  /** Least recently published first. */
  readonly #rings = new Map<string, HistoryRing>();
  readonly #members = new Members();
  readonly #subscribed = new Set<string>();
  readonly #patterns = new PatternIndex<true>();
  #bytes = 0;
  #events: BrokerEvents | undefined;
  #closed = false;
  #sweep: { cancel(): void } | undefined;

  /**
   * Makes the broker.
   *
   * @param options Its bounds.
   * @throws {RangeError} When a bound is no whole number from 0 on.
   */
  constructor(options: MemoryBrokerOptions = {}) {
    this.#size = whole("historySize", options.historySize ?? 256);
    this.#ttlMs = whole("historyTtlMs", options.historyTtlMs ?? DAY_MS);
    this.#bytesMax = whole("historyBytesMax", options.historyBytesMax ?? 256 * MIB);
    this.#channelsMax = whole("channelsMax", options.channelsMax ?? 100_000);
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
  }

  get ready(): boolean {
    return this.#events !== undefined && !this.#closed;
  }

  start(events: BrokerEvents): Promise<void> {
    this.#events = events;
    this.#scheduleSweep();
    return Promise.resolve();
  }

  publish(
    channel: string,
    event: GatewayEvent,
    options: BrokerPublishOptions = {},
  ): Promise<BrokerPublished> {
    return attempt(() => {
      checkConcrete(channel);
      const events = this.#listener("publish");
      const id = crypto.randomUUID();
      const timeMs = this.#clock.now();
      if (options.transient) {
        this.#tell(() => events.publication({ id, channel, offset: 0, epoch: "", timeMs, event }));
        return { id, position: BEGINNING };
      }
      const ring = this.#ring(channel);
      const publication: Publication = {
        id,
        channel,
        offset: ring.nextOffset,
        epoch: ring.epoch,
        timeMs,
        event,
      };
      this.#bytes -= ring.bytes;
      ring.push(publication);
      this.#bytes += ring.bytes;
      this.#shrink(channel);
      this.#tell(() => events.publication(publication));
      return { id, position: { offset: publication.offset, epoch: publication.epoch } };
    });
  }

  subscribe(channelOrPattern: string): Promise<void> {
    return attempt(() => {
      checkSubscription(channelOrPattern);
      this.#listener("subscribe");
      // Everything is told in any case; what is subscribed to is only not forgotten.
      if (isPattern(channelOrPattern)) this.#patterns.set(channelOrPattern, true);
      else this.#subscribed.add(channelOrPattern);
    });
  }

  unsubscribe(channelOrPattern: string): Promise<void> {
    if (!this.#subscribed.delete(channelOrPattern)) this.#patterns.delete(channelOrPattern);
    return Promise.resolve();
  }

  history(channel: string, filter: HistoryFilter): Promise<HistoryPage> {
    return attempt(() => {
      checkConcrete(channel);
      this.#listener("read history");
      const ring = this.#rings.get(channel);
      if (ring === undefined) {
        const gap = filter.since !== undefined && !isBeginning(filter.since);
        return { publications: [], top: BEGINNING, gap, more: false };
      }
      this.#expire(ring);
      return ring.read(filter);
    });
  }

  position(channel: string): Promise<StreamPosition> {
    return attempt(() => {
      checkConcrete(channel);
      this.#listener("read a position");
      // A subscriber that is told the epoch before the first publication can compare later.
      if (this.#subscribed.has(channel)) return this.#ring(channel).top;
      return this.#rings.get(channel)?.top ?? BEGINNING;
    });
  }

  removeHistory(channel: string): Promise<void> {
    return attempt(() => {
      checkConcrete(channel);
      this.#listener("remove history");
      this.#forget(channel);
    });
  }

  join(channel: string, member: Member): Promise<void> {
    return attempt(() => {
      const events = this.#listener("join");
      if (this.#members.add(channel, member)) {
        this.#tell(() => events.presence(channel, "join", member));
      }
    });
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
    return Promise.resolve(firstNames(limit, this.#rings.keys(), this.#members.channels()));
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#sweep?.cancel();
    this.#rings.clear();
    this.#bytes = 0;
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The ring of a channel, moved behind all others. */
  #ring(channel: string): HistoryRing {
    const ring = this.#rings.get(channel) ?? this.#newRing();
    this.#rings.delete(channel);
    this.#rings.set(channel, ring);
    return ring;
  }

  #newRing(): HistoryRing {
    return new HistoryRing(newEpoch(), this.#size, this.#clock.now());
  }

  #expire(ring: HistoryRing): void {
    this.#bytes -= ring.bytes;
    ring.expire(this.#clock.now() - this.#ttlMs);
    this.#bytes += ring.bytes;
  }

  #forget(channel: string): void {
    this.#bytes -= this.#rings.get(channel)?.bytes ?? 0;
    this.#rings.delete(channel);
  }

  /** Keeps to the bounds, sparing the channel that was just published to; a little at a time. */
  #shrink(spared: string): void {
    for (let steps = SHRINK_STEPS; steps > 0; steps--) {
      const tooMuch = this.#bytes - this.#bytesMax;
      if (tooMuch <= 0 && this.#rings.size <= this.#channelsMax) return;
      const [channel, ring] = this.#rings.entries().next().value!;
      if (channel !== spared && !this.#isHeld(channel)) {
        this.#forget(channel);
        continue;
      }
      this.#bytes -= ring.bytes;
      ring.shrink(channel === spared ? ring.bytes - tooMuch : 0);
      this.#bytes += ring.bytes;
      this.#rings.delete(channel);
      this.#rings.set(channel, ring);
    }
  }

  #isHeld(channel: string): boolean {
    return this.#subscribed.has(channel) || this.#patterns.match(channel).length > 0;
  }

  /** Forgets what is past its time, now and then. */
  #scheduleSweep(): void {
    const everyMs = Math.min(Math.max(this.#ttlMs / 4, 1_000), 3_600_000);
    this.#sweep = this.#clock.after(everyMs, () => {
      for (const [channel, ring] of this.#rings) {
        this.#expire(ring);
        const isOld = ring.touchedMs < this.#clock.now() - this.#ttlMs;
        if (isOld && !this.#isHeld(channel)) this.#forget(channel);
      }
      this.#scheduleSweep();
    }, { unref: true });
  }

  #listener(what: string): BrokerEvents {
    if (this.#events !== undefined && !this.#closed) return this.#events;
    const why = this.#closed ? "it is closed" : "it is not started";
    throw new BrokerUnavailableError(`Cannot ${what} on the memory broker: ${why}`);
  }

  #tell(call: () => void): void {
    try {
      call();
    } catch (error) {
      this.#logger.error("a listener of the broker failed", { error: messageOf(error) });
    }
  }
}

/** What a synchronous function gives or throws, as a promise. */
function attempt<T>(call: () => T): Promise<T> {
  try {
    return Promise.resolve(call());
  } catch (error) {
    return Promise.reject(error);
  }
}

function whole(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new RangeError(`Cannot use ${value} as ${name}: give a whole number from 0 on`);
}
