import {
  type Clock,
  delay,
  isDeadLetterChannel,
  type Logger,
  messageOf,
  PayloadInvalidError,
} from "../base/mod.ts";
import {
  type DecodedRecord,
  decodeEnvelope,
  decodeEnvelopeText,
  EnvelopeError,
  fittingDeadLetter,
} from "../envelope/mod.ts";
import type { Position, StoredRecord } from "./log.ts";
import {
  type Handler,
  type HandlerContext,
  PayloadRefusal,
  ReceivedMessage,
  RetryLater,
} from "./message.ts";

/** How messages are handed to a handler. */
export interface DeliveryOptions {
  /** The channel's name. */
  readonly channel: string;
  readonly subscriberId: string;
  readonly handler: Handler;
  /** How often a failing message is tried again before it is dead-lettered. */
  readonly maxRetries: number;
  /** Milliseconds before the first retry; they double with each. */
  readonly retryBackoffBaseMs: number;
  /** The longest wait in milliseconds between retries. */
  readonly retryBackoffMaxMs: number;
  /** Messages older than this many milliseconds are skipped; 0 for none. */
  readonly maxAgeMs: number;
  /** Turns a payload into what its schema returns. */
  readonly decode: (payloadType: string, payload: unknown) => unknown;
  /** Stores a dead letter's payload (JSON text) and settles once it is in the log. */
  readonly deadLetter: (payload: string, record: DecodedRecord) => Promise<void>;
  /** Calls with the message's correlation id as the current one. */
  readonly inContext: <R>(correlationId: string, call: () => R) => R;
  readonly clock: Clock;
  readonly logger: Logger;
}

const LOGGED_DAMAGE = 10;

/**
 * Takes one record at a time to a handler: decoded, tried again when the handler fails, and moved to
 * the dead letters when it keeps failing.
 */
export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #signal: AbortSignal;
  readonly #context: HandlerContext;

  /** Messages that the handler took. */
  delivered = 0;
  /** Calls of the handler beyond the first of a message. */
  retries = 0;
  /** Messages that were moved to the dead-letter channel. */
  deadLettered = 0;
  /** Lines that are no record, and records of another version. */
  damaged = 0;
  /** Messages skipped for their age. */
  expired = 0;

  /**
   * @param options The handler, and how to call it.
   * @param signal Ends it: a message that is not handled by then stays so.
   */
  constructor(options: DeliveryOptions, signal: AbortSignal) {
    this.#options = options;
    this.#signal = signal;
    this.#context = { signal, subscriberId: options.subscriberId };
  }

  /** Calls the handler. @returns Nothing when it is done, else whether it was before the end came. */
  deliver(stored: StoredRecord): undefined | Promise<boolean> {
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
      this.expired++;
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
        (value) => !this.#signal.aborted && (this.#call(record, value, stored.position) ?? true),
        (error) => this.#refuse(record, error),
      );
    }
    return this.#call(record, payload, stored.position);
  }

  #call(record: DecodedRecord, payload: unknown, position: Position): undefined | Promise<boolean> {
    try {
      const result = this.#invoke(new ReceivedMessage(record, payload, position, 1));
      if (result === undefined) {
        this.delivered++;
        return undefined;
      }
      return Promise.resolve(result).then(
        () => {
          this.delivered++;
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
    for (let attempt = 2; !this.#signal.aborted; attempt++) {
      if (error instanceof PayloadRefusal) return this.#refuse(record, error.cause, spent);
      const held = error instanceof RetryLater;
      if (!held && spent >= maxRetries) {
        return this.#giveUp(record, spent, messageOf(error));
      }
      const backoff = Math.min(retryBackoffBaseMs * 2 ** Math.min(spent, 30), retryBackoffMaxMs);
      if (!held) spent++;
      const waitMs = held ? (error as RetryLater).delayMs ?? backoff : backoff;
      this.log("debug", "the handler failed: it is called again", {
        id: record.id,
        attempt,
        wait_ms: waitMs,
        error: messageOf(error),
      });
      if (!await this.pause(waitMs)) return false;
      this.retries++;
      try {
        await this.#invoke(new ReceivedMessage(record, payload, position, attempt));
        this.delivered++;
        return true;
      } catch (caught) {
        error = caught;
      }
    }
    return false;
  }

  /** A payload that its schema refuses will not get better by being delivered again. */
  #refuse(record: DecodedRecord, error: unknown, retries = 0): Promise<boolean> {
    const reason = error instanceof PayloadInvalidError
      ? error.message
      : `the schema of "${record.payloadType}" failed: ${messageOf(error)}`;
    return this.#giveUp(record, retries, reason);
  }

  async #giveUp(record: DecodedRecord, retries: number, lastError: string): Promise<boolean> {
    const { channel, clock, deadLetter, retryBackoffMaxMs } = this.#options;
    if (isDeadLetterChannel(channel)) {
      this.log("error", "a dead letter could not be handled: skipped", {
        id: record.id,
        error: lastError,
      });
      return true;
    }
    const payload = fittingDeadLetter(record, retries, lastError, clock.now());
    while (!this.#signal.aborted) {
      try {
        await deadLetter(payload, record);
        this.deadLettered++;
        this.log("warn", "moved a message to the dead-letter channel", {
          id: record.id,
          retries,
          error: lastError,
        });
        return true;
      } catch (error) {
        this.log("error", "could not store a dead letter: delivery waits", {
          id: record.id,
          error: messageOf(error),
        });
        await this.pause(retryBackoffMaxMs);
      }
    }
    return false;
  }

  #skipDamaged(stored: StoredRecord, error: unknown): void {
    this.damaged++;
    if (this.damaged > LOGGED_DAMAGE && this.damaged % 1_000 !== 0) return;
    const version = error instanceof EnvelopeError && error.fault === "version";
    this.log(version ? "warn" : "error", "skipped a line that is no record", {
      position: stored.position,
      bytes: stored.bytes.length,
      reason: messageOf(error),
      skipped_so_far: this.damaged,
    });
  }

  /** Waits. @returns False when the subscription was closed meanwhile. */
  async pause(waitMs: number): Promise<boolean> {
    try {
      await delay(this.#options.clock, waitMs, this.#signal);
      return true;
    } catch {
      return false;
    }
  }

  /** Logs with the names of channel and subscriber. */
  log(
    level: "debug" | "warn" | "error",
    message: string,
    fields: Record<string, unknown>,
  ): void {
    const { channel, subscriberId, logger } = this.#options;
    logger[level](message, { channel, subscriber: subscriberId, ...fields });
  }
}
