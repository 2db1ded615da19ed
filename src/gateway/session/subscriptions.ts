import { messageOf } from "../../base/mod.ts";
import type { Member } from "../broker/mod.ts";
import { checkSubscription, isCompanion, isPattern, patternMatches } from "../pattern/mod.ts";
import { DisconnectError, DISCONNECTS } from "./disconnect.ts";
import type { SessionHost } from "./host.ts";
import type { Hook } from "./ports.ts";
import {
  planRecovery,
  type RecoverPlan,
  recoverRequests,
  recoveryMetadata,
  wantsRecovery,
} from "./recovery.ts";
import type { Session } from "./session.ts";
import { badRequest, RequestError, wireError } from "./wire_error.ts";

/** A subscription that a client asks for. */
export interface SubscriptionRequest {
  readonly channel: string;
  readonly ephemeral: boolean;
  readonly token: string;
}

interface Subscription {
  readonly channel: string;
  ephemeral: boolean;
  /** Kept for a later check. */
  token: string;
  isPresent: boolean;
}

/** Subscriptions that are allowed and delivered by the broker, to be taken up in one go. */
export interface Prepared {
  readonly requests: readonly SubscriptionRequest[];
  /** Those of them that the broker was asked for. */
  readonly acquired: readonly string[];
  readonly plans: readonly RecoverPlan[];
  /** What the acknowledgement adds to the request's metadata. */
  readonly metadata: Readonly<Record<string, string>>;
}

const NO_SUBSCRIPTIONS: ReadonlyMap<string, Subscription> = new Map();

/** What one session is subscribed to. */
export class Subscriptions {
  readonly #session: Session;
  readonly #host: SessionHost;
  #all: Map<string, Subscription> | undefined;
  #patterns = 0;

  constructor(session: Session, host: SessionHost) {
    this.#session = session;
    this.#host = host;
  }

  /** Channels and patterns, with their flags. */
  list(): { channel: string; ephemeral: boolean }[] {
    return [...this.#map.values()].map(({ channel, ephemeral }) => ({ channel, ephemeral }));
  }

  /** Whether there is a subscription of exactly that name. */
  has(name: string): boolean {
    return this.#map.has(name);
  }

  /** Whether a channel is subscribed to, by its name or by a pattern. */
  covers(channel: string): boolean {
    const all = this.#map;
    if (all.has(channel)) return true;
    if (this.#patterns === 0) return false;
    for (const name of all.keys()) {
      if (isPattern(name) && patternMatches(name, channel)) return true;
    }
    return false;
  }

  /**
   * Checks what is asked for and readies the broker. Nothing is delivered yet, and nothing remains
   * when it fails.
   *
   * @param asked What is asked for.
   * @param metadata Of the frame that asks.
   * @param isTrusted Whether nobody is asked for leave.
   * @throws {RequestError} When something is refused and the connection stays.
   * @throws {DisconnectError} When the connection ends over it.
   */
  async prepare(
    asked: readonly SubscriptionRequest[],
    metadata: Readonly<Record<string, string>>,
    isTrusted = false,
  ): Promise<Prepared> {
    const requests = this.#check(asked);
    if (!isTrusted) await Promise.all(requests.map((request) => this.#allow(request)));
    const names = requests.map(({ channel }) => channel);
    const acquired = await this.#acquire(names.filter((name) => !this.has(name)));
    try {
      const plans = wantsRecovery(metadata) ? await this.#plan(metadata, names) : [];
      return { requests, acquired, plans, metadata: recoveryMetadata(plans) };
    } catch (error) {
      for (const name of acquired) this.#host.release(name);
      throw error;
    }
  }

  /** Gives up what was prepared. */
  abandon({ acquired }: Prepared): void {
    for (const name of acquired) this.#host.release(name);
  }

  /**
   * Takes up what was prepared. The acknowledgement has to be queued in the same turn, before
   * anything can be delivered.
   */
  commit({ requests, acquired, plans }: Prepared): void {
    const all = this.#all ??= new Map();
    const unused = new Set(acquired);
    for (const plan of plans) this.#session.replays.add(plan);
    for (const { channel, ephemeral, token } of requests) {
      const known = all.get(channel);
      if (known !== undefined) {
        known.ephemeral = ephemeral;
        known.token = token;
        continue;
      }
      unused.delete(channel);
      all.set(channel, { channel, ephemeral, token, isPresent: false });
      if (isPattern(channel)) this.#patterns++;
      this.#session.scopes.count("subscriptions", 1);
      this.#host.register(channel, this.#session);
    }
    for (const name of unused) this.#host.release(name);
  }

  /** What follows the acknowledgement: members come, backends are told, replays run. */
  afterCommit({ requests, plans }: Prepared): void {
    for (const { channel } of requests) {
      const subscription = this.#map.get(channel);
      if (subscription === undefined) continue;
      this.#updatePresence(subscription);
      this.#notify(channel, "subscribe", "OnSubscribed");
    }
    if (plans.length > 0) this.#session.replays.run();
  }

  /** Ends subscriptions. @returns Those that there were. */
  remove(names: readonly string[]): string[] {
    const removed: string[] = [];
    for (const name of names) {
      const subscription = this.#all?.get(name);
      if (subscription === undefined) continue;
      this.#all!.delete(name);
      this.#end(subscription);
      removed.push(name);
      this.#notify(name, "unsubscribe", "OnUnsubscribed");
    }
    if (removed.length > 0) this.#session.cancelReplays((channel) => this.covers(channel));
    return removed;
  }

  /** Ends all, as the session does. */
  clear(): void {
    const all = this.#map;
    this.#all = undefined;
    for (const subscription of all.values()) this.#end(subscription);
  }

  /** Checks again whether subscriptions are allowed. @returns Those that were ended. */
  async refresh(names: readonly string[]): Promise<string[]> {
    const held = [...new Set(names)].flatMap((name) => this.#map.get(name) ?? []);
    const refused = await Promise.all(held.map(async (subscription) => {
      try {
        await this.#allow(subscription);
        return [];
      } catch {
        return [subscription.channel];
      }
    }));
    return this.remove(refused.flat());
  }

  get #map(): ReadonlyMap<string, Subscription> {
    return this.#all ?? NO_SUBSCRIPTIONS;
  }

  /** Each name once, the last of equal ones. */
  #check(asked: readonly SubscriptionRequest[]): SubscriptionRequest[] {
    const { limits } = this.#host;
    if (asked.length > limits.subscriptionsPerFrame) {
      const most = limits.subscriptionsPerFrame;
      throw new RequestError(badRequest(`one frame names at most ${most} subscriptions`));
    }
    const requests = new Map<string, SubscriptionRequest>();
    for (const { channel, ephemeral, token } of asked) {
      checkSubscription(channel);
      requests.set(channel, { channel, ephemeral, token });
    }
    const added = [...requests.keys()].filter((name) => !this.has(name)).length;
    if (!this.#session.scopes.hasRoom("subscriptions", added)) {
      throw new DisconnectError(DISCONNECTS.channelLimit);
    }
    return [...requests.values()];
  }

  async #allow({ channel, token }: SubscriptionRequest): Promise<void> {
    const session = this.#session;
    const { authorizer, backends } = this.#host;
    if (!authorizer.may(session.user, "subscribe", channel)) throw this.#refusal(channel);
    const backend = backends.find(channel, "subscribe", "SubscribeAcl");
    if (backend === undefined) return;
    try {
      await backend.subscribeAcl({ channel, token }, session.caller, session.signal);
    } catch (error) {
      throw this.#refusal(channel, error);
    }
  }

  #refusal(channel: string, cause?: unknown): Error {
    this.#host.logger.info("subscription refused", {
      session: this.#session.id,
      channel,
      ...(cause === undefined ? {} : { error: messageOf(cause) }),
    });
    const text = "the subscription is not allowed";
    if (this.#host.settings.aclFailure === "error") {
      return new RequestError(wireError("PERMISSION_DENIED", text), { cause });
    }
    const refused = new RequestError(wireError("ACL_ERROR", text), { cause });
    return new DisconnectError(DISCONNECTS.invalidToken, { cause: refused });
  }

  async #acquire(names: readonly string[]): Promise<string[]> {
    const acquiring = names.map((name) => this.#host.acquire(name));
    const results = await Promise.allSettled(acquiring);
    const failed = results.find((result) => result.status === "rejected");
    if (failed === undefined) return [...names];
    for (const name of names) this.#host.release(name);
    throw failed.reason;
  }

  #plan(metadata: Readonly<Record<string, string>>, names: string[]): Promise<RecoverPlan[]> {
    const fresh = names.filter((name) => !isCompanion(name));
    const { authorizer, broker, limits } = this.#host;
    const { user } = this.#session;
    return Promise.all(
      recoverRequests(metadata, fresh).map((request) => {
        // A position is only a claim: who may not read history gets none of it this way.
        const limit = authorizer.may(user, "history", request.channel) ? limits.replay : -1;
        return planRecovery(broker, request, limit);
      }),
    );
  }

  #end(subscription: Subscription): void {
    const { channel } = subscription;
    if (isPattern(channel)) this.#patterns--;
    this.#session.scopes.count("subscriptions", -1);
    this.#host.unregister(channel, this.#session);
    this.#host.release(channel);
    if (subscription.isPresent) this.#host.leave(channel, this.#session, this.#member);
  }

  #updatePresence(subscription: Subscription): void {
    const { channel, ephemeral, isPresent } = subscription;
    if (!this.#host.settings.presence || isPattern(channel) || isCompanion(channel)) return;
    if (isPresent !== ephemeral) return;
    subscription.isPresent = !ephemeral;
    if (ephemeral) this.#host.leave(channel, this.#session, this.#member);
    else this.#host.join(channel, this.#session, this.#member);
  }

  get #member(): Member {
    const { id, clientId, user, connectedAtMs } = this.#session;
    return { sessionId: id, clientId, userId: user.id, connectedAtMs };
  }

  #notify(channel: string, method: string, hook: Hook & ("OnSubscribed" | "OnUnsubscribed")): void {
    const backend = this.#host.backends.find(channel, method, hook);
    if (backend === undefined) return;
    const { caller } = this.#session;
    const notice = { sessionId: caller.sessionId, channel, username: this.#session.username };
    const signal = new AbortController().signal;
    const call = hook === "OnSubscribed"
      ? backend.onSubscribed(notice, caller, signal)
      : backend.onUnsubscribed(notice, caller, signal);
    call.catch((error) =>
      this.#host.logger.warn("backend was not told", {
        backend: backend.name,
        hook,
        error: messageOf(error),
      })
    );
  }
}
