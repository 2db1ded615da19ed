import { messageOf, MessengerClosedError, StorageError } from "../base/mod.ts";
import { CursorKeeper } from "./cursor_keeper.ts";
import { Delivery, type DeliveryOptions } from "./delivery.ts";
import { FairTurn } from "./fair_turn.ts";
import type { ChannelLog, Cursor, LogReader, Position } from "./log.ts";

/** What a {@linkcode Subscriber} works with. */
export interface SubscriberOptions extends Omit<DeliveryOptions, "channel"> {
  readonly log: ChannelLog;
  /** Where a subscriber without a cursor begins. */
  readonly from: "start" | "end" | Position;
  /** Whether `from: "end"` was asked for, rather than being the default. */
  readonly endAsked: boolean;
  /** Milliseconds between cursor writes; 0 writes after every message. */
  readonly cursorFlushMs: number;
  /** Bytes of backlog beyond which a warning is logged; 0 for never. */
  readonly lagWarnBytes: number;
  /** Called when delivery has ended. */
  readonly closed?: (() => void) | undefined;
}

/** What a subscriber has done since it began. */
export interface SubscriberStats {
  /** The channel's name. */
  readonly channel: string;
  /** The subscriber's id. */
  readonly subscriberId: string;
  /** First position that has not been handled. */
  readonly position: Position;
  /** Bytes between the position and the channel's end. */
  readonly lagBytes: number;
  /** Messages that the handler took. */
  readonly delivered: number;
  /** Calls of the handler beyond the first of a message. */
  readonly retries: number;
  /** Messages that were moved to the dead-letter channel. */
  readonly deadLettered: number;
  /** Lines that are no record, and records of another version. */
  readonly damaged: number;
  /** Messages skipped for their age. */
  readonly expired: number;
}

const BLOCK_BYTES = 256 * 1024;
const CLOSE_PATIENCE_MS = 5_000;

/** Follows one channel for one handler: in order, one message at a time, at least once. */
export class Subscriber implements AsyncDisposable {
  readonly #options: SubscriberOptions;
  #reader: LogReader;
  readonly #cursor: CursorKeeper;
  readonly #abort = new AbortController();
  readonly #delivery: Delivery;
  readonly #running: Promise<void>;
  #position: Position;
  #closing: Promise<void> | undefined;
  /** Whether the cursor was given away: what ends after that has come too late. */
  #released = false;
  readonly #turn: FairTurn;
  #lagging = false;

  private constructor(options: SubscriberOptions, cursor: Cursor, position: Position) {
    this.#options = options;
    this.#position = position;
    this.#reader = options.log.reader(position);
    this.#cursor = new CursorKeeper(cursor, options.cursorFlushMs, options.clock, options.logger);
    this.#delivery = new Delivery({ ...options, channel: options.log.channel }, this.#abort.signal);
    this.#turn = new FairTurn(options.clock);
    this.#running = this.#run();
  }

  /**
   * Begins to deliver.
   *
   * @throws {StorageError} When the cursor lies past the end of the log, or cannot be kept.
   */
  static async start(options: SubscriberOptions): Promise<Subscriber> {
    const cursor = await options.log.cursor(options.subscriberId);
    try {
      const position = beginning(options, cursor.position);
      if (position !== cursor.position) await cursor.save(position);
      return new Subscriber(options, cursor, position);
    } catch (error) {
      cursor.close();
      throw error;
    }
  }

  /** First position that has not been handled. */
  get position(): Position {
    return this.#position;
  }

  /** What is known of the subscriber. */
  stats(): SubscriberStats {
    const { delivered, retries, deadLettered, damaged, expired } = this.#delivery;
    return {
      channel: this.#options.log.channel,
      subscriberId: this.#options.subscriberId,
      position: this.#position,
      lagBytes: this.#options.log.end - this.#position,
      delivered,
      retries,
      deadLettered,
      damaged,
      expired,
    };
  }

  /**
   * Ends delivery. Waits up to five seconds for a handler that is running; a message that it has
   * not finished by then comes again.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#abort.abort(new DOMException("The subscription is closed", "AbortError"));
    this.#cursor.endPause();
    const { promise, resolve } = Promise.withResolvers<void>();
    const patience = this.#options.clock.after(CLOSE_PATIENCE_MS, resolve);
    await Promise.race([this.#running, promise]);
    patience.cancel();
    this.#released = true;
    this.#reader.close();
    try {
      await this.#cursor.close();
    } finally {
      this.#options.closed?.();
    }
  }

  get #closed(): boolean {
    return this.#abort.signal.aborted;
  }

  async #run(): Promise<void> {
    while (!this.#closed) {
      try {
        await this.#deliverBlock();
      } catch (error) {
        if (this.#closed || error instanceof MessengerClosedError) return;
        this.#delivery.log("error", "could not read: delivery pauses", { error: messageOf(error) });
        // What the last block held beyond the position is read again.
        this.#reader.close();
        this.#reader = this.#options.log.reader(this.#position);
        await this.#delivery.pause(this.#options.retryBackoffMaxMs);
      }
    }
  }

  async #deliverBlock(): Promise<void> {
    const { log } = this.#options;
    let block = this.#reader.read(BLOCK_BYTES);
    if (block instanceof Promise) block = await block;
    this.#warnOfLag();
    for (const record of block.records) {
      if (this.#closed) return;
      const pending = this.#delivery.deliver(record);
      if (pending !== undefined && !await pending) return;
      if (this.#released) return;
      const saved = this.#moveTo(record.next);
      if (saved !== undefined) await saved;
      // Handlers that return at once would never let timers and sockets have their turn.
      if (this.#turn.isOver()) await this.#turn.pass();
    }
    if (this.#position < block.next) await this.#moveTo(block.next);
    if (block.records.length === 0) await this.#untilGrown(log);
  }

  async #untilGrown(log: ChannelLog): Promise<void> {
    try {
      await log.waitFor(this.#position, this.#abort.signal);
    } catch (error) {
      if (!this.#closed) throw error;
    }
  }

  #moveTo(position: Position): void | Promise<void> {
    this.#position = position;
    return this.#cursor.moveTo(position);
  }

  #warnOfLag(): void {
    const { lagWarnBytes, log } = this.#options;
    if (lagWarnBytes === 0) return;
    const lag = log.end - this.#position;
    if (lag > lagWarnBytes && !this.#lagging) {
      this.#lagging = true;
      this.#delivery.log("warn", "the subscriber is far behind", { lag_bytes: lag });
    } else if (lag < lagWarnBytes / 2) this.#lagging = false;
  }
}

function beginning(options: SubscriberOptions, kept: Position | undefined): Position {
  const { log, from, endAsked, subscriberId, logger } = options;
  if (kept !== undefined && kept <= log.end) return kept;
  if (kept !== undefined && !endAsked) {
    throw new StorageError(
      `Cannot subscribe "${subscriberId}" to "${log.channel}": its cursor stands at ${kept}, but the ` +
        `channel ends at ${log.end}. Was the channel restored from an older copy? ` +
        `Subscribe with from: "end" to go on from there`,
    );
  }
  if (kept !== undefined) {
    logger.warn("the cursor stood past the end: it begins anew at the end", {
      channel: log.channel,
      subscriber: subscriberId,
      cursor: kept,
      end: log.end,
    });
    return log.end;
  }
  if (from === "start") return log.start;
  if (from === "end") return log.end;
  if (from > log.end) {
    throw new StorageError(
      `Cannot subscribe "${subscriberId}" to "${log.channel}" from ${from}: it ends at ${log.end}`,
    );
  }
  return from;
}
