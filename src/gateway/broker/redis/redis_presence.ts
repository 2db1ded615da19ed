import { type Clock, type Logger, messageOf, type Timer } from "../../../base/mod.ts";
import type { Member, MembersPage } from "../broker.ts";
import { Members } from "../members.ts";
import { keys } from "./keys.ts";
import type { RedisLink } from "./redis_link.ts";
import type { ScriptedRedis } from "./scripts.ts";
import { encodePresence, memberOfJson, memberToJson } from "./wire.ts";

/** Members are kept so long after their channel was last seen to by any node. */
const KEEP_MS = 600_000;
/** Commands that are sent before one waits for the answers. */
const BATCH = 500;
const UNSENT_MAX = 100_000;
/** Channels that one look for members of dead nodes goes over. */
const SWEPT = 100;

/** What a {@linkcode RedisPresence} works with. */
export interface RedisPresenceOptions {
  readonly link: RedisLink;
  readonly client: ScriptedRedis;
  readonly nodeId: string;
  /** Milliseconds without a sign of life after which a node's members leave. */
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Channels whose joins and leaves somebody here listens to. */
  readonly watched: () => Iterable<string>;
}

/**
 * Members of all gateways, in Redis. Each node shows every third part of its lease that it is alive;
 * whoever looks at a channel makes the members of dead nodes leave.
 */
export class RedisPresence {
  readonly #options: RedisPresenceOptions;
  /** Those of this gateway. */
  readonly #own = new Members();
  /** Those whose leaving Redis has not heard of. */
  readonly #unsent: [channel: string, member: Member][] = [];
  #timer: Timer | undefined;
  #isClosed = false;
  #renewing: Promise<void> = Promise.resolve();
  #swept = "";

  /** @param options Where members are, and for how long. */
  constructor(options: RedisPresenceOptions) {
    this.#options = options;
  }

  /** Shows that this node is alive, from now on. */
  async start(): Promise<void> {
    await this.#showLife();
    this.#arm();
  }

  async join(channel: string, member: Member): Promise<void> {
    this.#own.add(channel, member);
    const { link } = this.#options;
    await link.send("join", () => this.#sendJoin(channel, member));
  }

  async leave(channel: string, member: Member): Promise<void> {
    const left = this.#own.remove(channel, member.sessionId) ?? member;
    const { link } = this.#options;
    try {
      await link.send("leave", () => this.#sendLeave(channel, left));
    } catch (error) {
      // This node goes on showing life: nobody else would make the member leave.
      if (this.#unsent.length < UNSENT_MAX) this.#unsent.push([channel, left]);
      throw error;
    }
  }

  async members(channel: string, limit: number): Promise<MembersPage> {
    const { client, link } = this.#options;
    const [occupancy, ...texts] = await link.send("read members", () =>
      client.mlMembers(
        keys.presence(channel),
        Math.max(0, limit),
        channel,
        keys.pubsub(channel),
        keys.node(""),
      ));
    const members = texts.flatMap((text) => memberOfJson(JSON.parse(text)) ?? []);
    return { occupancy, members };
  }

  /** Makes this gateway's members present again, in a Redis that may have forgotten them. */
  async restore(): Promise<void> {
    await this.#showLife();
    for (const [channel, member] of this.#unsent.splice(0)) {
      const isBack = this.#own.has(channel, member.sessionId);
      if (!isBack) await this.leave(channel, member);
    }
    const sent: Promise<unknown>[] = [];
    for (const [channel, member] of this.#own.all()) {
      sent.push(this.#sendJoin(channel, member));
      if (sent.length === BATCH) await Promise.all(sent.splice(0));
    }
    await Promise.all(sent);
  }

  /** Makes this gateway's members leave, as far as Redis can be reached. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#timer?.cancel();
    await this.#renewing;
    const { client, link, nodeId } = this.#options;
    if (!link.isReady) return;
    const sent = Array.from(
      this.#own.all(),
      ([channel, member]) => this.#sendLeave(channel, member),
    );
    await Promise.allSettled([...sent, client.del(keys.node(nodeId))]);
  }

  #arm(): void {
    const { clock, leaseMs } = this.#options;
    this.#timer = clock.after(leaseMs / 3, () => {
      this.#renewing = this.#renew().finally(() => {
        if (!this.#isClosed) this.#arm();
      });
    }, { unref: true });
  }

  async #renew(): Promise<void> {
    const { client, link, logger } = this.#options;
    if (!link.isReady) return;
    try {
      await this.#showLife();
      const sent: Promise<unknown>[] = [];
      for (const channel of this.#own.channels()) {
        sent.push(client.pexpire(keys.presence(channel), KEEP_MS));
        if (sent.length === BATCH) await Promise.all(sent.splice(0));
      }
      await Promise.all(sent);
      for (const channel of this.#nextSwept()) await this.members(channel, 0);
    } catch (error) {
      logger.warn("could not renew who is present in Redis", { error: messageOf(error) });
    }
  }

  async #showLife(): Promise<void> {
    const { client, leaseMs, link, nodeId } = this.#options;
    await link.send("show life", () => client.set(keys.node(nodeId), "1", "PX", leaseMs));
  }

  /** The watched channels behind those that were swept last, going round. */
  #nextSwept(): string[] {
    const names = [...new Set(this.#options.watched())].sort();
    const from = names.findIndex((name) => name > this.#swept);
    const rounded = from < 0 ? names : [...names.slice(from), ...names.slice(0, from)];
    const next = rounded.slice(0, SWEPT);
    this.#swept = next.at(-1) ?? "";
    return next;
  }

  #sendJoin(channel: string, member: Member): Promise<number> {
    const { client, nodeId } = this.#options;
    return client.mlJoin(
      keys.presence(channel),
      member.sessionId,
      `${nodeId} ${JSON.stringify(memberToJson(member))}`,
      keys.pubsub(channel),
      encodePresence("join", channel, member),
      KEEP_MS,
    );
  }

  #sendLeave(channel: string, member: Member): Promise<number> {
    return this.#options.client.mlLeave(
      keys.presence(channel),
      member.sessionId,
      keys.pubsub(channel),
      encodePresence("leave", channel, member),
    );
  }
}
