import type { RedisLink } from "./redis_link.ts";
import { keys, pubsubPattern } from "./keys.ts";
import { isPattern, withoutCompanion } from "../../pattern/mod.ts";

/** Names in one command when all are subscribed to again. */
const CHUNK = 500;

/** One subscription of Redis: to a pub/sub channel, or to a pattern of them. */
interface Source {
  readonly kind: "channel" | "pattern";
  /** What it is in Redis. */
  readonly name: string;
}

/** What {@linkcode RedisSubscriptions} works with. */
export interface RedisSubscriptionsOptions {
  readonly link: RedisLink;
  /** Takes the payload of each message once, with the channel of the gateway that it is for. */
  readonly onMessage: (pubsub: string, payload: string) => void;
}

/**
 * The subscriptions of one gateway in Redis: as few as possible, counted, and each message given once
 * however many of them it came through.
 */
export class RedisSubscriptions {
  readonly #options: RedisSubscriptionsOptions;
  /** How many names of the gateway need a source. */
  readonly #counts = new Map<string, { readonly source: Source; count: number }>();
  readonly #active = new Set<string>();
  /** Changes of one source happen one after the other. */
  readonly #turns = new Map<string, Promise<unknown>>();
  /** The message that came last, and the sources that it came through. */
  #last = { pubsub: "", payload: "", through: new Set<string>() };

  /** @param options The connection, which is used for nothing else. */
  constructor(options: RedisSubscriptionsOptions) {
    this.#options = options;
    const { client } = options.link;
    client.on("message", (pubsub: string, payload: string) => this.#take("", pubsub, payload));
    client.on(
      "pmessage",
      (pattern: string, pubsub: string, payload: string) => this.#take(pattern, pubsub, payload),
    );
  }

  /** Adds what a name needs. @throws {BrokerUnavailableError} When it cannot be had. */
  async add(name: string): Promise<void> {
    const source = sourceOf(name);
    const key = keyOf(source);
    const counted = this.#counts.get(key);
    if (counted !== undefined) counted.count++;
    else this.#counts.set(key, { source, count: 1 });
    try {
      await this.#settle(key, source);
    } catch (error) {
      this.#uncount(key);
      throw error;
    }
  }

  /** Takes away what nobody needs but that name. */
  async remove(name: string): Promise<void> {
    const source = sourceOf(name);
    const key = keyOf(source);
    this.#uncount(key);
    // Without a connection there is nothing to end.
    await this.#settle(key, source).catch(() => {});
  }

  /** Nothing is subscribed to any more: the connection was lost. */
  lost(): void {
    this.#active.clear();
  }

  /** Subscribes to all that is needed, on a new connection. */
  async restore(): Promise<void> {
    const sources = Array.from(this.#counts.values(), ({ source }) => source);
    for (const kind of ["channel", "pattern"] as const) {
      const names = sources.filter((source) => source.kind === kind).map(({ name }) => name);
      for (let at = 0; at < names.length; at += CHUNK) {
        const chunk = names.slice(at, at + CHUNK);
        await this.#subscribe(kind, chunk);
        for (const name of chunk) this.#active.add(keyOf({ kind, name }));
      }
    }
  }

  /** Makes a source be what it should be. */
  #settle(key: string, source: Source): Promise<void> {
    const before = this.#turns.get(key) ?? Promise.resolve();
    const turn = before.catch(() => {}).then(async () => {
      const isNeeded = this.#counts.has(key);
      if (isNeeded === this.#active.has(key)) return;
      if (isNeeded) {
        await this.#subscribe(source.kind, [source.name]);
        this.#active.add(key);
      } else {
        this.#active.delete(key);
        const { client } = this.#options.link;
        if (source.kind === "channel") await client.unsubscribe(source.name);
        else await client.punsubscribe(source.name);
      }
    });
    const ended = turn.catch(() => {}).finally(() => {
      if (this.#turns.get(key) === ended) this.#turns.delete(key);
    });
    this.#turns.set(key, ended);
    return turn;
  }

  async #subscribe(kind: Source["kind"], names: readonly string[]): Promise<void> {
    const { link } = this.#options;
    await link.send(
      "subscribe",
      () => kind === "channel" ? link.client.subscribe(...names) : link.client.psubscribe(...names),
    );
  }

  #uncount(key: string): void {
    const counted = this.#counts.get(key);
    if (counted !== undefined && --counted.count === 0) this.#counts.delete(key);
  }

  /**
   * Redis gives a message once for each subscription that it fits, one behind the other. The same text
   * through a source that this one has not come through yet is the same message.
   */
  #take(source: string, pubsub: string, payload: string): void {
    const last = this.#last;
    if (last.pubsub === pubsub && last.payload === payload && !last.through.has(source)) {
      last.through.add(source);
      return;
    }
    this.#last = { pubsub, payload, through: new Set([source]) };
    this.#options.onMessage(pubsub, payload);
  }
}

function sourceOf(name: string): Source {
  return isPattern(name)
    ? { kind: "pattern", name: pubsubPattern(name) }
    : { kind: "channel", name: keys.pubsub(withoutCompanion(name)) };
}

function keyOf({ kind, name }: Source): string {
  return `${kind} ${name}`;
}
