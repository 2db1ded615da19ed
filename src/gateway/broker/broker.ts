import type { GatewayEvent } from "../event.ts";

/** A place in a channel's history. */
export interface StreamPosition {
  /** Grows with each kept publication; 0 before the first. A safe integer. */
  readonly offset: number;
  /**
   * Names one life of the channel's history: new after it was lost or removed, so that offsets of
   * different lives are never compared. Empty when the channel was never published to; a position
   * with offset 0 and an empty epoch is the beginning of any history.
   */
  readonly epoch: string;
}

/** The beginning of any history. */
export const BEGINNING: StreamPosition = { offset: 0, epoch: "" };

/** A publication as it is delivered and kept. */
export interface Publication {
  /** The same for all receivers and in history; never empty. */
  readonly id: string;
  /** The concrete channel. */
  readonly channel: string;
  /** Its place in the channel's history; 0 when it is not kept or its publisher numbers nothing. */
  readonly offset: number;
  /** The epoch of `offset`; empty when that is 0. */
  readonly epoch: string;
  /** When it was published, in milliseconds since 1970. */
  readonly timeMs: number;
  /** What was published. */
  readonly event: GatewayEvent;
}

/** Options of `publish`. */
export interface BrokerPublishOptions {
  /** Deliver to those who listen now and keep nothing; the position has offset 0. @default {false} */
  readonly transient?: boolean;
}

/** A publication that the broker has taken. */
export interface BrokerPublished {
  /** Id of the publication. */
  readonly id: string;
  /** Its place; offset 0 when it is not kept. */
  readonly position: StreamPosition;
}

/** What to read of a history. */
export interface HistoryFilter {
  /** Exclusive start. @default the beginning, and with `reverse` the end */
  readonly since?: StreamPosition;
  /**
   * Publications wanted at most; 0 for the position alone, -1 for as many as one page takes. A page
   * takes {@linkcode HISTORY_PAGE_MAX}; a broker may cut one short before (`more` tells).
   */
  readonly limit: number;
  /** Newest first, going back. @default {false} */
  readonly reverse?: boolean;
}

/** Publications in one page of history at most. */
export const HISTORY_PAGE_MAX = 10_000;

/** Part of a history. */
export interface HistoryPage {
  /** Oldest first; newest first when read in reverse. */
  readonly publications: readonly Publication[];
  /** The end of the history now. */
  readonly top: StreamPosition;
  /**
   * Whether publications after `since` are gone: it is of another epoch, or what followed was
   * trimmed. The page then begins at the oldest that is kept.
   */
  readonly gap: boolean;
  /**
   * Whether more follow in this direction. Go on from the position of the last publication, which has
   * an offset then.
   */
  readonly more: boolean;
}

/** A connection that is present on a channel. */
export interface Member {
  readonly sessionId: string;
  readonly clientId: string;
  readonly userId: string;
  /** Milliseconds since 1970. */
  readonly connectedAtMs: number;
}

/** Who is on a channel. */
export interface MembersPage {
  /** Members in all. */
  readonly occupancy: number;
  /** Some of them when there are more than were asked for. */
  readonly members: readonly Member[];
}

/** What a broker tells. Called synchronously, in order; what a listener throws is logged, no more. */
export interface BrokerEvents {
  /**
   * A publication of a channel that somebody here subscribed to. Per channel and epoch in the order
   * of offsets, each once. There may be calls for channels that nobody subscribed to: ignore them.
   */
  publication(publication: Publication): void;
  /** A member came or went, on this gateway or another one. There may be calls nobody asked for. */
  presence(channel: string, action: "join" | "leave", member: Member): void;
  /**
   * The broker had lost sight of a channel or pattern. What it could fetch has been delivered before
   * this call; `complete` says whether that was all.
   */
  interrupted?(channelOrPattern: string, complete: boolean): void;
}

/**
 * Where publications go and come from. One broker serves one gateway; several gateways that share
 * what is behind their brokers form a cluster.
 *
 * Delivery is at most once to those who are subscribed; whoever wants all of it compares offsets and
 * asks for history: the order "subscribe, then read history, then release what came meanwhile and is
 * newer" loses nothing and doubles nothing, on every broker.
 *
 * A companion channel `<channel>/__presence` may be subscribed to like any other, and patterns that
 * end that way; a broker then tells of joins and leaves through `presence`. Nothing is ever kept of
 * one.
 */
export interface Broker extends AsyncDisposable {
  /** `memory`, `redis` or `messenger`. */
  readonly name: string;
  /** Whether it can serve now; false while what it stands on cannot be reached. */
  readonly ready: boolean;
  /**
   * Begins to deliver. Called once, before anything else.
   *
   * @throws {BrokerUnavailableError} When what it stands on cannot be reached.
   */
  start(events: BrokerEvents): Promise<void>;
  /**
   * Publishes. Settles once it is taken; the gateway's own subscribers may get it before that.
   *
   * @throws {ChannelRefusedError} When the channel cannot be published to.
   * @throws {EventRefusedError} When the event is too large for this broker.
   * @throws {BrokerUnavailableError} When it may not have been taken.
   */
  publish(
    channel: string,
    event: GatewayEvent,
    options?: BrokerPublishOptions,
  ): Promise<BrokerPublished>;
  /**
   * Begins to deliver a channel, or the channels of a pattern. Whatever is published after this has
   * settled is delivered. The caller counts its subscribers: it calls for the first alone.
   *
   * @throws {ChannelRefusedError} When this broker cannot have a channel of that name.
   * @throws {BrokerUnavailableError} When what it stands on cannot be reached.
   */
  subscribe(channelOrPattern: string): Promise<void>;
  /** Ends that. Called for the last subscriber; does nothing when there was none. */
  unsubscribe(channelOrPattern: string): Promise<void>;
  /**
   * Reads history. A channel that was never published to has an empty one.
   *
   * @throws {ChannelRefusedError} When this broker cannot have a channel of that name.
   * @throws {BrokerUnavailableError} When what it stands on cannot be reached.
   */
  history(channel: string, filter: HistoryFilter): Promise<HistoryPage>;
  /** The end of a channel's history. Fails as `history` does. */
  position(channel: string): Promise<StreamPosition>;
  /** Forgets what is kept; the channel's next epoch is another one. Fails as `history` does. */
  removeHistory(channel: string): Promise<void>;
  /** Makes a member present, and tells of it unless that session was present already. */
  join(channel: string, member: Member): Promise<void>;
  /** Ends that, and tells of it if the session was present. */
  leave(channel: string, member: Member): Promise<void>;
  /** Who is present, on all gateways of the cluster. */
  members(channel: string, limit: number): Promise<MembersPage>;
  /**
   * Channels that are known: kept history, or members. In no order.
   *
   * @param limit Names at most. @default {10_000}
   */
  channels(limit?: number): Promise<readonly string[]>;
  /** Ends everything; its members leave. Safe to call twice. */
  close(): Promise<void>;
}
