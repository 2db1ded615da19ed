import {
  type Clock,
  delay,
  isDeadLetterChannel,
  type Logger,
  messageOf,
  MessengerClosedError,
  PayloadInvalidError,
  StorageError,
} from "../base/mod.ts";
import {
  type DecodedRecord,
  decodeEnvelope,
  decodeEnvelopeText,
  EnvelopeError,
  fittingDeadLetter,
} from "../envelope/mod.ts";
import { CursorKeeper } from "./cursor_keeper.ts";
import { FairTurn } from "./fair_turn.ts";
import type { ChannelLog, Cursor, LogReader, Position, StoredRecord } from "./log.ts";
import { type Handler, type HandlerContext, ReceivedMessage, RetryLater } from "./message.ts";

/** How a subscriber delivers. */
export interface DeliveryOptions {
  /** How often a failing message is tried again before it is dead-lettered. */
  readonly maxRetries: number;
  /** Milliseconds before the first retry; they double with each. */
  readonly retryBackoffBaseMs: number;
  /** The longest wait in milliseconds between retries. */
  readonly retryBackoffMaxMs: number;
  /** Messages older than this many milliseconds are skipped; 0 for none. */
  readonly maxAgeMs: number;
  /** Milliseconds between cursor writes; 0 writes after every message. */
  readonly cursorFlushMs: number;
  /** Bytes of backlog beyond which a warning is logged; 0 for never. */
  readonly lagWarnBytes: number;
}

/** What a {@linkcode Subscriber} works with. */
export interface SubscriberOptions extends DeliveryOptions {
  readonly log: ChannelLog;
  readonly subscriberId: string;
  readonly handler: Handler;
  /** Where a subscriber without a cursor begins. */
  readonly from: "start" | "end" | Position;
  /** Whether `from: "end"` was asked for, rather than being the default. */
  readonly endAsked: boolean;
  /** Turns a payload into what its schema returns. */
  readonly decode: (payloadType: string, payload: unknown) => unknown;
  /** Stores a dead letter's payload (JSON text) and settles once it is in the log. */
  readonly deadLetter: (payload: string, record: DecodedRecord) => Promise<void>;
  /** Calls with the message's correlation id as the current one. */
  readonly inContext: <R>(correlationId: string, call: () => R) => R;
  readonly clock: Clock;
  readonly logger: Logger;
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
const LOGGED_DAMAGE = 10;

/** Follows one channel for one handler: in order, one message at a time, at least once. */
export class Subscriber implements AsyncDisposable {
  readonly #options: SubscriberOptions;
  #reader: LogReader;
  readonly #cursor: CursorKeeper;
  readonly #abort = new AbortController();
  readonly #context: HandlerContext;
  readonly #running: Promise<void>;
  #position: Position;
  #closing: Promise<void> | undefined;
  /** Whether the cursor was given away: what ends after that has come too late. */
  #released = false;
  readonly #turn: FairTurn;
  #lagging = false;
  #delivered = 0;
  #retries = 0;
  #deadLettered = 0;
  #damaged = 0;
  #expired = 0;

  private constructor(options: SubscriberOptions, cursor: Cursor, position: Position) {
    this.#options = options;
    this.#position = position;
    this.#reader = options.log.reader(position);
    this.#cursor = new CursorKeeper(cursor, options.cursorFlushMs, options.clock, options.logger);
    this.#context = { signal: this.#abort.signal, subscriberId: options.subscriberId };
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
    return {
      channel: this.#options.log.channel,
      subscriberId: this.#options.subscriberId,
      position: this.#position,
      lagBytes: this.#options.log.end - this.#position,
      delivered: this.#delivered,
      retries: this.#retries,
      deadLettered: this.#deadLettered,
      damaged: this.#damaged,
      expired: this.#expired,
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
    await this.#cursor.close();
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
        this.#log("error", "could not read: delivery pauses", { error: messageOf(error) });
        // What the last block held beyond the position is read again.
        this.#reader.close();
        this.#reader = this.#options.log.reader(this.#position);
        await this.#pause(this.#options.retryBackoffMaxMs);
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
      const pending = this.#deliver(record);
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

  /** Calls the handler. @returns Nothing when it is done, else whether it was before the end came. */
  #deliver(stored: StoredRecord): undefined | Promise<boolean> {
    let record: DecodedRecord;
    try {
      const { text } = stored;
      record = text === undefined ? decodeEnvelope(stored.bytes) : decodeEnvelopeText(text);
    } catch (error) {
      this.#skipDamaged(stored, error);
      return undefined;
    }
    const { maxAgeMs, clock, decode } = this.#options;
    if (maxAgeMs > 0 && clock.now() - Date.parse(record.ts) > maxAgeMs) {
      this.#expired++;
      return undefined;
    }
    let payload: unknown;
    try {
      payload = decode(record.payloadType, record.payload);
    } catch (error) {
      return this.#refuse(record, error);
    }
    if (payload instanceof Promise) {
      return payload.then(
        (value) => !this.#closed && (this.#call(record, value, stored.position) ?? true),
        (error) => this.#refuse(record, error),
      );
    }
    return this.#call(record, payload, stored.position);
  }

  #call(record: DecodedRecord, payload: unknown, position: Position): undefined | Promise<boolean> {
    try {
      const result = this.#invoke(new ReceivedMessage(record, payload, position, 1));
      if (result === undefined) {
        this.#delivered++;
        return undefined;
      }
      return Promise.resolve(result).then(
        () => {
          this.#delivered++;
          return true;
        },
        (error) => this.#retry(record, payload, position, error),
      );
    } catch (error) {
      return this.#retry(record, payload, position, error);
    }
  }

  #invoke(message: ReceivedMessage): void | Promise<void> {
    const { handler, inContext } = this.#options;
    if (message.correlationId === "") return handler(message, this.#context);
    return inContext(message.correlationId, () => handler(message, this.#context));
  }

  async #retry(
    record: DecodedRecord,
    payload: unknown,
    position: Position,
    failure: unknown,
  ): Promise<boolean> {
    const { maxRetries, retryBackoffBaseMs, retryBackoffMaxMs } = this.#options;
    let error = failure;
    let spent = 0;
    for (let attempt = 2; !this.#closed; attempt++) {
      const held = error instanceof RetryLater;
      if (!held && spent >= maxRetries) {
        return this.#giveUp(record, spent, messageOf(error));
      }
      const backoff = Math.min(retryBackoffBaseMs * 2 ** Math.min(spent, 30), retryBackoffMaxMs);
      if (!held) spent++;
      const waitMs = held ? (error as RetryLater).delayMs ?? backoff : backoff;
      this.#log("debug", "the handler failed: it is called again", {
        id: record.id,
        attempt,
        wait_ms: waitMs,
        error: messageOf(error),
      });
      if (!await this.#pause(waitMs)) return false;
      this.#retries++;
      try {
        await this.#invoke(new ReceivedMessage(record, payload, position, attempt));
        this.#delivered++;
        return true;
      } catch (caught) {
        error = caught;
      }
    }
    return false;
  }

  /** A payload that its schema refuses will not get better by being delivered again. */
  #refuse(record: DecodedRecord, error: unknown): Promise<boolean> {
    const reason = error instanceof PayloadInvalidError
      ? error.message
      : `the schema of "${record.payloadType}" failed: ${messageOf(error)}`;
    return this.#giveUp(record, 0, reason);
  }

  async #giveUp(record: DecodedRecord, retries: number, lastError: string): Promise<boolean> {
    const { clock, deadLetter, log, retryBackoffMaxMs } = this.#options;
    if (isDeadLetterChannel(log.channel)) {
      this.#log("error", "a dead letter could not be handled: skipped", {
        id: record.id,
        error: lastError,
      });
      return true;
    }
    const payload = fittingDeadLetter(record, retries, lastError, clock.now());
    while (!this.#closed) {
      try {
        await deadLetter(payload, record);
        this.#deadLettered++;
        this.#log("warn", "moved a message to the dead-letter channel", {
          id: record.id,
          retries,
          error: lastError,
        });
        return true;
      } catch (error) {
        this.#log("error", "could not store a dead letter: delivery waits", {
          id: record.id,
          error: messageOf(error),
        });
        await this.#pause(retryBackoffMaxMs);
      }
    }
    return false;
  }

  #skipDamaged(stored: StoredRecord, error: unknown): void {
    this.#damaged++;
    if (this.#damaged > LOGGED_DAMAGE && this.#damaged % 1_000 !== 0) return;
    const version = error instanceof EnvelopeError && error.fault === "version";
    this.#log(version ? "warn" : "error", "skipped a line that is no record", {
      position: stored.position,
      bytes: stored.bytes.length,
      reason: messageOf(error),
      skipped_so_far: this.#damaged,
    });
  }

  #warnOfLag(): void {
    const { lagWarnBytes, log } = this.#options;
    if (lagWarnBytes === 0) return;
    const lag = log.end - this.#position;
    if (lag > lagWarnBytes && !this.#lagging) {
      this.#lagging = true;
      this.#log("warn", "the subscriber is far behind", { lag_bytes: lag });
    } else if (lag < lagWarnBytes / 2) this.#lagging = false;
  }

  /** Waits. @returns False when the subscription was closed meanwhile. */
  async #pause(waitMs: number): Promise<boolean> {
    try {
      await delay(this.#options.clock, waitMs, this.#abort.signal);
      return true;
    } catch {
      return false;
    }
  }

  #log(
    level: "debug" | "warn" | "error",
    message: string,
    fields: Record<string, unknown>,
  ): void {
    const { log, subscriberId, logger } = this.#options;
    logger[level](message, { channel: log.channel, subscriber: subscriberId, ...fields });
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
