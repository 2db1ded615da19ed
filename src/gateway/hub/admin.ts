import type { HistoryFilter, HistoryPage, MembersPage } from "../broker/mod.ts";
import type { GatewayEvent } from "../event.ts";
import { checkConcrete, checkPublish, checkSubscription } from "../pattern/mod.ts";
import { Disconnect, DISCONNECTS, type Session } from "../session/mod.ts";
import type { Hub } from "./hub.ts";
import type { SurveyOptions, SurveyResult } from "./survey.ts";

/** Something that an administrator publishes. */
export interface AdminPublication {
  /** Id of the message at sessions; made up when empty. */
  readonly id: string;
  readonly event: GatewayEvent;
  /** Sessions that get it directly. */
  readonly sessions: readonly string[];
  /** Channels that it is published to. */
  readonly channels: readonly string[];
  /** Whether channels keep it. */
  readonly addHistory: boolean;
}

/** What became of it. */
export interface AdminPublished {
  /** Destinations that have it. Unknown sessions are passed over. */
  readonly delivered: number;
  /** What went wrong with channels. */
  readonly failures: readonly { readonly channel: string; readonly error: unknown }[];
}

const CODE_MIN = 3000;
const CODE_MAX = 4999;

/** What administrators may do: the admin API stands on it. */
export class HubAdmin {
  readonly #hub: Hub;
  readonly #notifyClient: boolean;

  /**
   * @param hub The hub.
   * @param notifyClient Whether a client is told of subscriptions that are made for it.
   */
  constructor(hub: Hub, notifyClient: boolean) {
    this.#hub = hub;
    this.#notifyClient = notifyClient;
  }

  /** Publishes to sessions and channels. Fails for none of them alone: the result says it. */
  async publish(publication: AdminPublication): Promise<AdminPublished> {
    const { id, event, sessions, channels, addHistory } = publication;
    let delivered = 0;
    for (const sessionId of new Set(sessions)) {
      const session = this.#hub.session(sessionId);
      if (session === undefined) continue;
      session.deliverDirectly(id || crypto.randomUUID(), event);
      delivered++;
    }
    const failures: { channel: string; error: unknown }[] = [];
    await Promise.all(channels.map(async (channel) => {
      try {
        checkPublish(channel);
        await this.#hub.broker.publish(channel, event, { transient: !addHistory });
        delivered++;
      } catch (error) {
        failures.push({ channel, error });
      }
    }));
    return { delivered, failures };
  }

  /**
   * Ends sessions.
   *
   * @param sessionIds Which.
   * @param code 3000 to 4999; 0 means 3000.
   * @param reason For people; empty is that of the code.
   * @returns Whether each was there.
   * @throws {RangeError} When the code is out of range.
   */
  disconnect(sessionIds: readonly string[], code: number, reason: string): Map<string, boolean> {
    const actual = code === 0 ? CODE_MIN : code;
    if (!Number.isInteger(actual) || actual < CODE_MIN || actual > CODE_MAX) {
      throw new RangeError(`Cannot disconnect with code ${code}: use ${CODE_MIN} to ${CODE_MAX}`);
    }
    const usual = Object.values(DISCONNECTS).find((known) => known.code === actual)?.reason;
    const disconnect = new Disconnect(actual, reason || usual || "disconnected");
    const results = new Map<string, boolean>();
    for (const sessionId of sessionIds) {
      const session = this.#hub.session(sessionId);
      session?.end(disconnect);
      results.set(sessionId, session !== undefined || results.get(sessionId) === true);
    }
    return results;
  }

  /** Ends all sessions of a user. @returns How many there were. */
  disconnectUser(userId: string, disconnect: Disconnect = DISCONNECTS.forceNoReconnect): number {
    const sessions = [...this.#hub.sessionsOf(userId)];
    for (const session of sessions) session.end(disconnect);
    return sessions.length;
  }

  /** Subscribes a session without asking anybody. @returns Whether each channel now is. */
  async subscribe(
    sessionId: string,
    channels: readonly string[],
  ): Promise<Map<string, boolean>> {
    const session = this.#hub.session(sessionId);
    const results = new Map<string, boolean>();
    for (const channel of channels) {
      results.set(channel, session !== undefined && await this.#subscribe(session, channel));
    }
    return results;
  }

  /** Ends subscriptions of a session. @returns Whether each channel now is not; false without one. */
  unsubscribe(sessionId: string, channels: readonly string[]): Map<string, boolean> {
    const session = this.#hub.session(sessionId);
    session?.subscriptions.remove(channels);
    return new Map(channels.map((channel) => [channel, session !== undefined]));
  }

  /**
   * Asks the subscribers of a channel.
   *
   * @throws {ChannelRefusedError} When the name is that of no channel.
   * @throws {TooManySurveysError} When too many are under way.
   */
  async survey(
    channel: string,
    event: GatewayEvent,
    options: SurveyOptions = {},
  ): Promise<SurveyResult[]> {
    checkConcrete(channel);
    const receivers = this.#hub.registry.receivers(channel);
    return await this.#hub.surveys.run(channel, receivers, event, options);
  }

  /** Channels that are known. */
  channels(): Promise<readonly string[]> {
    return this.#hub.broker.channels();
  }

  /** Who is on a channel. */
  presence(channel: string, limit: number): Promise<MembersPage> {
    return this.#hub.broker.members(channel, limit);
  }

  /** What was published to a channel. */
  history(channel: string, filter: HistoryFilter): Promise<HistoryPage> {
    return this.#hub.broker.history(channel, filter);
  }

  /** Forgets what was published to a channel. */
  removeHistory(channel: string): Promise<void> {
    return this.#hub.broker.removeHistory(channel);
  }

  async #subscribe(session: Session, channel: string): Promise<boolean> {
    try {
      checkSubscription(channel);
      await session.subscribeDirectly(channel, this.#notifyClient);
      return session.state === "connected";
    } catch {
      return false;
    }
  }
}
