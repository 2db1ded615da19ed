import {
  type ChannelLog,
  type ChannelLogs,
  MemoryChannelLog,
  type Position,
  type RecordData,
} from "../../src/storage/mod.ts";

/** A log in memory whose appends wait until they are let through, or fail. */
class HeldLog extends MemoryChannelLog {
  readonly #logs: HeldLogs;

  constructor(channel: string, logs: HeldLogs) {
    super(channel);
    this.#logs = logs;
  }

  override async appendAll(records: readonly RecordData[]): Promise<readonly Position[]> {
    await this.#logs.gate(this.channel, records.length);
    return await super.appendAll(records);
  }
}

interface HeldAppend {
  readonly channel: string;
  readonly records: number;
  readonly pass: () => void;
  readonly fail: (error: Error) => void;
}

/** Logs in memory that hold their appends, to see what happens meanwhile. */
export class HeldLogs implements ChannelLogs {
  readonly #logs = new Map<string, HeldLog>();
  readonly #listeners = new Set<(channel: string) => void>();
  /** Appends that wait, oldest first. */
  readonly held: HeldAppend[] = [];
  /** Whether appends wait. */
  isHolding = false;

  /** Called by each append. */
  gate(channel: string, records: number): Promise<void> {
    if (!this.isHolding) return Promise.resolve();
    return new Promise((pass, fail) => this.held.push({ channel, records, pass, fail }));
  }

  /** Lets everything through from now on. */
  release(): void {
    this.isHolding = false;
    for (const { pass } of this.held.splice(0)) pass();
  }

  get(channel: string): ChannelLog | undefined {
    return this.#logs.get(channel);
  }

  open(channel: string): Promise<ChannelLog> {
    let log = this.#logs.get(channel);
    if (log === undefined) {
      this.#logs.set(channel, log = new HeldLog(channel, this));
      for (const listener of this.#listeners) listener(channel);
    }
    return Promise.resolve(log);
  }

  names(): readonly string[] {
    return [...this.#logs.keys()];
  }

  onCreate(listener: (channel: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}
