import type { ChannelLog, ChannelLogs } from "../storage/mod.ts";
import { recordId } from "./record_scan.ts";
import type { SeenIds } from "./ports.ts";

const WARM_BLOCK_BYTES = 256 * 1024;

/** Records of one channel that are stored together. Made by {@linkcode Intake.begin}. */
export class IntakeGroup {
  /** Where they go. */
  readonly log: ChannelLog;
  /** Settles with whether they are stored, once that is known. */
  readonly outcome: Promise<boolean>;
  /** Their lines. */
  readonly records: string[] = [];
  /** Their ids. */
  readonly ids: string[] = [];
  /** Whose it is. */
  readonly owner: object;
  readonly #known = new Set<string>();
  #indexed = 0;
  #settle!: (stored: boolean) => void;

  /**
   * Makes it.
   *
   * @param log Where they go.
   * @param owner Whose it is.
   */
  constructor(log: ChannelLog, owner: object) {
    this.log = log;
    this.owner = owner;
    this.outcome = new Promise((resolve) => this.#settle = resolve);
  }

  /** Whether a record with this id is among them. */
  has(id: string): boolean {
    // Asked only when a repetition meets a record that is not stored yet: worth a set only then.
    while (this.#indexed < this.ids.length) this.#known.add(this.ids[this.#indexed++]!);
    return this.#known.has(id);
  }

  /** Tells whoever waits what has become of them. */
  settle(stored: boolean): void {
    this.#settle(stored);
  }
}

/** Options of {@linkcode Intake}. */
export interface IntakeOptions {
  /** Every channel of this instance. */
  readonly logs: ChannelLogs;
  /** The memory of ids. */
  readonly seen: SeenIds;
  /** Bytes at the end of a channel whose ids are looked up before the first record is taken. */
  readonly warmBytes: number;
}

/**
 * Where all links of an instance bring what they receive. It knows which ids were seen, and which of
 * them are on their way to a log: an id that repeats while its record is not stored yet may be
 * acknowledged only once it is.
 */
export class Intake {
  readonly #options: IntakeOptions;
  readonly #groups = new Set<IntakeGroup>();
  readonly #logs = new Map<string, ChannelLog>();
  readonly #opening = new Map<string, Promise<ChannelLog>>();
  /**
   * Where channels ended when they were first looked at: what came later is no resending. For others
   * the end that they were opened with counts.
   */
  readonly #ends = new Map<string, number>();

  /**
   * Makes it.
   *
   * @param options Logs, and the memory of ids.
   */
  constructor(options: IntakeOptions) {
    this.#options = options;
  }

  /** The log of a channel that is ready to take records. */
  log(channel: string): ChannelLog | undefined {
    return this.#logs.get(channel);
  }

  /**
   * Notes where channels end now, for those that exist: what is in them may be sent again by a peer
   * that has missed our acknowledgement.
   *
   * @throws {StorageError} When one cannot be opened.
   */
  async note(channels: Iterable<string>): Promise<void> {
    const existing = new Set(this.#options.logs.names());
    for (const channel of channels) {
      if (!existing.has(channel) || this.#ends.has(channel)) continue;
      const log = await this.#options.logs.open(channel);
      if (!this.#ends.has(channel)) this.#ends.set(channel, log.end);
    }
  }

  /**
   * Makes a channel ready: opens it and looks up the ids at its end. Those are lost with the process,
   * while a peer sends again what we had not acknowledged.
   *
   * @throws {StorageError} When it cannot be opened or read.
   */
  open(channel: string): Promise<ChannelLog> {
    let opening = this.#opening.get(channel);
    if (opening === undefined) {
      opening = this.#open(channel).finally(() => this.#opening.delete(channel));
      this.#opening.set(channel, opening);
    }
    return opening;
  }

  /** Marks an id. @returns Whether it is new. */
  mark(id: string): boolean {
    return this.#options.seen.add(id);
  }

  /** The group that is storing a record of this id; undefined when it is stored or forgotten. */
  storing(id: string): IntakeGroup | undefined {
    for (const group of this.#groups) if (group.has(id)) return group;
    return undefined;
  }

  /** Begins a group. Ids that are marked for it go into its `ids` at once. */
  begin(log: ChannelLog, owner: object): IntakeGroup {
    const group = new IntakeGroup(log, owner);
    this.#groups.add(group);
    return group;
  }

  /**
   * Stores a group.
   *
   * @throws {StorageError} When that failed; its ids count as not seen again.
   */
  async commit(group: IntakeGroup): Promise<void> {
    try {
      await group.log.appendAll(group.records);
    } catch (error) {
      this.abandon(group);
      throw error;
    }
    this.#groups.delete(group);
    group.settle(true);
  }

  /** Gives a group up: its ids count as not seen. */
  abandon(group: IntakeGroup): void {
    for (const id of group.ids) this.#options.seen.delete(id);
    this.#groups.delete(group);
    group.settle(false);
  }

  async #open(channel: string): Promise<ChannelLog> {
    const log = this.#logs.get(channel) ?? await this.#options.logs.open(channel);
    if (!this.#logs.has(channel)) {
      await this.#warm(log);
      this.#logs.set(channel, log);
    }
    return log;
  }

  async #warm(log: ChannelLog): Promise<void> {
    const { end, recoveredEnd } = log;
    const noted = Math.min(this.#ends.get(log.channel) ?? recoveredEnd, end);
    // Positions are bytes in some logs and records in others.
    const { bytes } = log.stats();
    const bytesEach = Math.max(1, bytes / Math.max(1, end - log.start));
    const back = Math.ceil(this.#options.warmBytes / bytesEach);
    const reader = log.reader(Math.max(log.start, noted - back));
    try {
      while (reader.position < noted) {
        const before = reader.position;
        const { records, next } = await reader.read(WARM_BLOCK_BYTES);
        for (const record of records) {
          const id = recordId(record.bytes);
          if (id !== undefined) this.#options.seen.add(id);
        }
        if (next <= before) break;
      }
    } finally {
      reader.close();
    }
  }
}
