import { type Clock, delay, type Logger, messageOf } from "../../base/mod.ts";
import { type ChannelLog, FairTurn, type Position, type StoredRecord } from "../../storage/mod.ts";

const BLOCK_BYTES = 256 * 1024;
/** Milliseconds until a channel that could not be read is tried again. */
const RETRY_MS = 1_000;
/** Milliseconds without records after which a reader lets go of its file. */
const IDLE_MS = 1_000;

/** What a {@linkcode ChannelFollower} works with. */
export interface FollowerOptions {
  readonly log: ChannelLog;
  readonly from: Position;
  /** Takes each record; it must not throw. */
  readonly deliver: (record: StoredRecord) => void;
  /** Told when records were lost before they could be delivered. */
  readonly lost: () => void;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Delivers what is appended to a channel, without a cursor. */
export class ChannelFollower {
  readonly #options: FollowerOptions;
  readonly #end = new AbortController();
  readonly #running: Promise<void>;
  #position: Position;
  #waiting: { readonly position: Position; readonly resolve: () => void }[] = [];

  /** Begins to follow. */
  constructor(options: FollowerOptions) {
    this.#options = options;
    this.#position = options.from;
    this.#running = this.#run().finally(() => {
      this.#end.abort();
      this.#wake(Infinity);
    });
  }

  /** Settles when everything before a position has been delivered, or nothing is any more. */
  async reached(position: Position): Promise<void> {
    if (this.#position >= position || this.#end.signal.aborted) return;
    await new Promise<void>((resolve) => this.#waiting.push({ position, resolve }));
  }

  /** Ends it; nothing is delivered any more. */
  async stop(): Promise<void> {
    this.#end.abort();
    await this.#running;
  }

  #wake(position: Position): void {
    if (this.#waiting.length === 0) return;
    const reached = this.#waiting.filter((waiting) => waiting.position <= position);
    if (reached.length === 0) return;
    this.#waiting = this.#waiting.filter((waiting) => waiting.position > position);
    for (const { resolve } of reached) resolve();
  }

  async #run(): Promise<void> {
    const { clock, log, logger, lost } = this.#options;
    const { signal } = this.#end;
    while (!signal.aborted) {
      try {
        await this.#follow(signal);
      } catch (error) {
        if (signal.aborted || isClosed(error)) return;
        logger.error("could not follow a channel for the gateway; trying again", {
          channel: log.channel,
          position: this.#position,
          error: messageOf(error),
        });
        await delay(clock, RETRY_MS, signal, { unref: true }).catch(() => {});
        // A log that had to take back what it could not sync ends before what was read of it.
        if (this.#position > log.end) {
          this.#position = log.end;
          lost();
          this.#wake(Infinity);
        }
      }
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const { clock, deliver, log, lost } = this.#options;
    const turn = new FairTurn(clock);
    const reader = log.reader(this.#position);
    try {
      while (!signal.aborted) {
        const pending = reader.read(BLOCK_BYTES);
        const block = pending instanceof Promise ? await pending : pending;
        for (const record of block.records) {
          if (signal.aborted) return;
          if (record.position !== this.#position) lost();
          this.#position = record.next;
          deliver(record);
          if (turn.isOver()) await turn.pass();
        }
        this.#wake(this.#position);
        if (block.records.length === 0) {
          this.#position = block.next;
          this.#wake(block.next);
          // A channel that stays idle holds no file open.
          const idle = clock.after(IDLE_MS, () => reader.close(), { unref: true });
          await log.waitFor(block.next, signal).finally(() => idle.cancel());
        }
      }
    } finally {
      reader.close();
    }
  }
}

function isClosed(error: unknown): boolean {
  return (error as { code?: unknown }).code === "messenger_closed";
}
