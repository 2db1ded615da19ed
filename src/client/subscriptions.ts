import { type Deferred, deferred } from "./deferred.ts";
import { type GatewayClientError, GatewayReplyError, GatewayTimeoutError } from "./errors.ts";
import type { Metadata, ServerFrame, WireError, WireMessage, WireSubscription } from "./frames.ts";
import { type GatewayMessage, readMessage } from "./message.ts";
import { isPattern, matches } from "./pattern.ts";
import { type GapReason, readRecovery, sinceEntry, type StreamPosition } from "./positions.ts";

/** Bounds of the gateway on one frame, with room for what else is in it. */
const MAX_IN_FRAME = 100;
const MAX_METADATA_BYTES = 7_500;
const COMPANION = "/__presence";

/** What gets the messages of a channel. */
export interface Listener {
  message(message: GatewayMessage): void;
  recovered(): void;
  gap(reason: GapReason): void;
  /** There will be no more: the gateway refused. */
  refused(error: GatewayClientError): void;
}

/** How a channel is subscribed. */
export interface SubscriptionTerms {
  readonly ephemeral?: boolean | undefined;
  readonly token?: string | undefined;
  readonly since?: StreamPosition | undefined;
}

/** What subscriptions need of the client. */
export interface SubscriptionsHost {
  /** Sends a frame and returns its id; undefined when there is no connection. */
  send(
    kind: "subscribe" | "unsubscribe",
    body: readonly WireSubscription[],
    metadata: Metadata,
  ): string | undefined;
  /** Milliseconds for an answer. */
  readonly requestTimeoutMs: number;
  recovered(channel: string, position: StreamPosition | undefined): void;
  gap(channel: string, reason: GapReason): void;
  /** A message for this connection alone. */
  direct(message: GatewayMessage): void;
  error(error: unknown): void;
}

interface Entry {
  readonly channel: string;
  readonly pattern: boolean;
  readonly terms: SubscriptionTerms;
  readonly listeners: Set<Listener>;
  readonly ready: Deferred<void>;
  /** Up to where messages have arrived. */
  position: StreamPosition | undefined;
  /** Whether messages may have been missed since. */
  resumes: boolean;
  asked: boolean;
}

interface Batch {
  readonly entries: readonly Entry[];
  readonly timer: ReturnType<typeof setTimeout>;
}

/** What the client is subscribed to: kept over connections, with the position in each channel. */
export class Subscriptions {
  readonly #entries = new Map<string, Entry>();
  readonly #patterns = new Set<Entry>();
  readonly #batches = new Map<string, Batch>();
  readonly #host: SubscriptionsHost;

  /**
   * Makes it.
   *
   * @param host What it needs of the client.
   */
  constructor(host: SubscriptionsHost) {
    this.#host = host;
  }

  /** Up to where the messages of a channel have arrived; undefined for patterns and when not known. */
  position(channel: string): StreamPosition | undefined {
    return this.#entries.get(channel)?.position;
  }

  /** Whether the client is subscribed to exactly this. */
  has(channel: string): boolean {
    return this.#entries.has(channel);
  }

  /** Adds a listener. Settles once the gateway has agreed; rejects when it refuses. */
  add(channel: string, terms: SubscriptionTerms, listener: Listener): Promise<void> {
    let entry = this.#entries.get(channel);
    if (entry === undefined) {
      entry = {
        channel,
        pattern: isPattern(channel),
        terms,
        listeners: new Set(),
        ready: deferred(),
        position: terms.since,
        resumes: terms.since !== undefined,
        asked: false,
      };
      // Whoever subscribed is told as well when nobody waits for it.
      entry.ready.promise.catch(() => {});
      this.#entries.set(channel, entry);
      if (entry.pattern) this.#patterns.add(entry);
    }
    entry.listeners.add(listener);
    if (!entry.asked) this.#ask([entry]);
    return entry.ready.promise;
  }

  /** Takes a listener off; the last one ends the subscription. */
  remove(channel: string, listener: Listener): void {
    const entry = this.#entries.get(channel);
    if (!entry?.listeners.delete(listener) || entry.listeners.size > 0) return;
    this.#forget(entry);
    if (entry.asked) this.#host.send("unsubscribe", [{ channel }], {});
  }

  /** A connection is there: subscribes again, from where messages have arrived. */
  connected(): void {
    this.lost();
    this.#ask([...this.#entries.values()]);
  }

  /** The connection is gone. */
  lost(): void {
    for (const { timer } of this.#batches.values()) clearTimeout(timer);
    this.#batches.clear();
    for (const entry of this.#entries.values()) entry.asked = false;
  }

  /** Ends all of them. */
  close(error: GatewayClientError): void {
    this.lost();
    for (const entry of [...this.#entries.values()]) this.#refuse(entry, error);
  }

  /** Takes the gateway's agreement. */
  acknowledged(frame: ServerFrame & { readonly kind: "subscribe_ack" }): void {
    const entries = this.#settle(frame.id);
    const granted = new Set(frame.body.map(({ channel }) => channel));
    for (const entry of entries ?? []) {
      if (granted.has(entry.channel)) {
        this.#granted(entry, frame.metadata);
      } else {
        const message = `${entry.channel} was left out of the answer`;
        const error = { code: "PERMISSION_DENIED", type: "acl_error", message, metadata: {} };
        this.#refuse(entry, new GatewayReplyError(error));
      }
    }
  }

  /** Takes an error. Returns whether it answers a subscription. */
  refused(id: string, error: WireError): boolean {
    const entries = this.#settle(id);
    if (entries === undefined) return false;
    if (entries.length === 1) {
      this.#refuse(entries[0]!, new GatewayReplyError(error));
    } else {
      // One of them was refused, and all of them undone: ask one by one.
      for (const entry of entries) this.#ask([entry]);
    }
    return true;
  }

  /** Hands a message to those who listen. */
  deliver(wire: WireMessage): void {
    let message: GatewayMessage;
    try {
      message = readMessage(wire);
    } catch (error) {
      this.#host.error(error);
      return;
    }
    const { channel, offset } = message;
    if (channel === "") return this.#host.direct(message);
    const exact = this.#entries.get(channel);
    if (exact !== undefined) {
      if (offset > 0 && exact.position) exact.position = { ...exact.position, offset };
      this.#tell(exact, message);
    }
    for (const entry of this.#patterns) {
      if (matches(entry.channel, channel)) this.#tell(entry, message);
    }
  }

  #ask(entries: readonly Entry[]): void {
    let body: WireSubscription[] = [];
    let asked: Entry[] = [];
    let metadata: Record<string, string> = {};
    let bytes = 0;
    const flush = () => {
      if (body.length > 0) this.#send(asked, body, metadata);
      [body, asked, metadata, bytes] = [[], [], {}, 0];
    };
    for (const entry of entries) {
      const { channel, terms, position } = entry;
      const since = position && sinceEntry(channel, position);
      const more = since ? new TextEncoder().encode(since.join("")).length : 0;
      if (body.length === MAX_IN_FRAME || bytes + more > MAX_METADATA_BYTES) flush();
      body.push({
        channel,
        ...(terms.ephemeral ? { ephemeral: true } : {}),
        ...(terms.token === undefined ? {} : { token: terms.token }),
      });
      asked.push(entry);
      if (since) metadata[since[0]] = since[1];
      bytes += more;
    }
    flush();
  }

  #send(entries: readonly Entry[], body: readonly WireSubscription[], since: Metadata): void {
    const id = this.#host.send("subscribe", body, { "keyop-recover": "1", ...since });
    if (id === undefined) return;
    const limitMs = this.#host.requestTimeoutMs;
    const timer = setTimeout(() => {
      for (const entry of this.#settle(id) ?? []) {
        this.#refuse(entry, new GatewayTimeoutError(`subscribe to ${entry.channel}`, limitMs));
      }
    }, limitMs);
    for (const entry of entries) entry.asked = true;
    this.#batches.set(id, { entries, timer });
  }

  /** The entries that an answer is for, without those that were given up meanwhile. */
  #settle(id: string): readonly Entry[] | undefined {
    const batch = this.#batches.get(id);
    if (batch === undefined) return undefined;
    clearTimeout(batch.timer);
    this.#batches.delete(id);
    return batch.entries.filter((entry) => this.#entries.get(entry.channel) === entry);
  }

  #granted(entry: Entry, metadata: Metadata): void {
    const { channel, resumes } = entry;
    const { recovered, position } = readRecovery(metadata, channel);
    // What was missed is repeated next: until it has arrived, the old position holds.
    if (recovered !== true) entry.position = position;
    entry.resumes = true;
    entry.ready.resolve();
    // Companions have no history: whoever follows them reads presence again.
    if (!resumes || channel.endsWith(COMPANION)) return;
    if (recovered === true) {
      this.#host.recovered(channel, position);
      for (const listener of [...entry.listeners]) listener.recovered();
    } else {
      const reason = recovered ?? "unsupported";
      this.#host.gap(channel, reason);
      for (const listener of [...entry.listeners]) listener.gap(reason);
    }
  }

  #refuse(entry: Entry, error: GatewayClientError): void {
    this.#forget(entry);
    entry.ready.reject(error);
    for (const listener of [...entry.listeners]) listener.refused(error);
  }

  #forget(entry: Entry): void {
    this.#entries.delete(entry.channel);
    this.#patterns.delete(entry);
  }

  #tell(entry: Entry, message: GatewayMessage): void {
    for (const listener of [...entry.listeners]) {
      // One that an earlier listener has just taken off gets nothing more.
      if (entry.listeners.has(listener)) listener.message(message);
    }
  }
}
