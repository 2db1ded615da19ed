import type { AuditEvent } from "../../src/audit/mod.ts";
import { type Clock, type LogLevel, systemClock } from "../../src/base/mod.ts";
import { decodeEnvelope, EnvelopeEncoder } from "../../src/envelope/mod.ts";
import {
  type AllowedPeer,
  type Dial,
  type FederationContext,
  federationContext,
  type FederationLimits,
  Hub,
  HubClient,
  type HubOptions,
  type HubTarget,
  type Link,
  type MemoryLinkOptions,
  type MemoryLinkPair,
  memoryLinkPair,
} from "../../src/federation/mod.ts";
import { type ChannelLog, type ChannelLogs, MemoryChannelLogs } from "../../src/storage/mod.ts";
import { RecordingLogger } from "./recording_logger.ts";
import { until } from "./until.ts";

/** A memory of ids without a bound. */
export class SetOfIds {
  readonly #ids = new Set<string>();
  has(id: string): boolean {
    return this.#ids.has(id);
  }
  add(id: string): boolean {
    if (this.#ids.has(id)) return false;
    this.#ids.add(id);
    return true;
  }
  delete(id: string): void {
    this.#ids.delete(id);
  }
}

/** Options of {@linkcode Instance}. */
export interface InstanceOptions {
  readonly logs?: ChannelLogs;
  readonly clock?: Clock;
  readonly limits?: Partial<FederationLimits>;
}

/** An instance without a messenger: logs in memory, and what federation needs around them. */
export class Instance {
  readonly name: string;
  readonly logs: ChannelLogs;
  readonly seen = new SetOfIds();
  readonly events: AuditEvent[] = [];
  readonly logger = new RecordingLogger();
  readonly context: FederationContext;
  readonly #encoder: EnvelopeEncoder;

  constructor(name: string, options: InstanceOptions = {}) {
    const { logs = new MemoryChannelLogs(), clock = systemClock } = options;
    this.name = name;
    this.logs = logs;
    this.#encoder = new EnvelopeEncoder(name);
    this.context = federationContext({
      instanceName: name,
      logs,
      seen: this.seen,
      clock,
      logger: this.logger,
      audit: { record: (event) => void this.events.push(event) },
      ...(options.limits !== undefined && { limits: options.limits }),
    });
  }

  /** A record of this instance that nobody has stored yet. */
  record(channel: string, payload: unknown): { id: string; text: string } {
    const text = this.#encoder.encode(channel, "test", JSON.stringify(payload));
    return { id: this.#encoder.lastId, text };
  }

  /** Publishes, as a messenger does: the id is marked, the record appended. */
  async publish(channel: string, payload: unknown): Promise<string> {
    const { id, text } = this.record(channel, payload);
    this.seen.add(id);
    const log = await this.logs.open(channel);
    await log.append(text, () => {});
    return id;
  }

  /** Publishes several records in one group. */
  async publishAll(channel: string, payloads: readonly unknown[]): Promise<void> {
    const texts = payloads.map((payload) => {
      const { id, text } = this.record(channel, payload);
      this.seen.add(id);
      return text;
    });
    await (await this.logs.open(channel)).appendAll(texts);
  }

  /** Payloads of what a channel holds. */
  payloads(channel: string): unknown[] {
    return readAll(this.logs.get(channel)).map((bytes) => decodeEnvelope(bytes).payload);
  }

  /** Routes of what a channel holds. */
  routes(channel: string): string[] {
    return readAll(this.logs.get(channel)).map((bytes) => decodeEnvelope(bytes).route.join(">"));
  }

  /** Number of records in a channel. */
  count(channel: string): number {
    return readAll(this.logs.get(channel)).length;
  }

  /** Audit events of one name. */
  audited(event: string): AuditEvent[] {
    return this.events.filter((one) => one.event === event);
  }
}

/** Messages that an instance has logged at one level. */
export function messages({ logger }: Instance, level: LogLevel): string[] {
  return logger.lines.filter((line) => line.level === level).map(({ message }) => message);
}

/** Every record of a log in memory. */
export function readAll(log: ChannelLog | undefined): Uint8Array[] {
  if (log === undefined) return [];
  const block = log.reader(log.start).read(Number.MAX_SAFE_INTEGER);
  if ("then" in block) throw new Error("This log is not in memory");
  return block.records.map(({ bytes }) => bytes);
}

/** A hub that listens nowhere: links are given to it. */
export function makeHub(
  instance: Instance,
  allowedPeers: readonly AllowedPeer[],
  options: Partial<HubOptions> = {},
): Hub {
  return new Hub({
    context: instance.context,
    listenAddr: "127.0.0.1:0",
    allowedPeers,
    ...options,
  });
}

/** A peer that may do everything. */
export function anyPeer(name: string): AllowedPeer {
  return { name, subscribe: [], publish: [] };
}

/** Opens links in memory to a hub in the same process. */
export class MemoryDialer {
  readonly pairs: MemoryLinkPair[] = [];
  /** How the next link is made. */
  options: MemoryLinkOptions = {};
  readonly #clientName: string;
  readonly #hubName: string;
  readonly #accept: (link: Link) => void;

  constructor(clientName: string, hubName: string, accept: (link: Link) => void) {
    this.#clientName = clientName;
    this.#hubName = hubName;
    this.#accept = accept;
  }

  /** The link that was made last. */
  get last(): MemoryLinkPair | undefined {
    return this.pairs[this.pairs.length - 1];
  }

  readonly dial: Dial = () => {
    const pair = memoryLinkPair({
      first: { name: this.#clientName, address: "memory" },
      second: { name: this.#hubName, address: "memory" },
      ...this.options,
    });
    this.pairs.push(pair);
    this.#accept(pair.second);
    return Promise.resolve(pair.first);
  };
}

/** A client of a hub in the same process. */
export function makeClient(
  instance: Instance,
  hub: { readonly hub: { accept(link: Link): void }; readonly name: string },
  target: Partial<HubTarget> = {},
): { client: HubClient; dialer: MemoryDialer } {
  const dialer = new MemoryDialer(instance.name, hub.name, (link) => hub.hub.accept(link));
  const client = new HubClient({
    context: instance.context,
    hub: { addr: `${hub.name}:1`, subscribe: [], publish: [], ...target },
    backoff: { baseMs: 1, maxMs: 5 },
    dial: dialer.dial,
  });
  return { client, dialer };
}

/** Waits until a channel holds so many records. */
export async function untilCount(
  instance: Instance,
  channel: string,
  count: number,
): Promise<void> {
  await until(
    `${count} records in ${channel} of ${instance.name}`,
    () => instance.count(channel) >= count,
  );
}
