import { type Logger, messageOf } from "../base/mod.ts";
import { type DecodedRecord, decodeForeignEnvelope } from "../envelope/mod.ts";
import { type FederationLimits, maxPendingBytes } from "./limits.ts";
import type { Link } from "./link.ts";
import { recordId } from "./record_scan.ts";
import { decodeDataFrame, encodeAck, WireError } from "./wire.ts";

/** Takes a record; the next one comes when the promise has settled. */
export type RecordHandler = (record: DecodedRecord) => void | Promise<void>;

/** Options of an {@linkcode EphemeralInbox}. */
export interface EphemeralInboxOptions {
  readonly link: Link;
  readonly limits: FederationLimits;
  readonly logger: Logger;
  /** Who wants the channel's records. */
  readonly handlers: (channel: string) => Iterable<RecordHandler>;
}

/** What comes in over one connection of an ephemeral client: each record to its handlers, in order. */
export class EphemeralInbox {
  readonly #options: EphemeralInboxOptions;
  readonly #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #isWorking = false;
  #isPausing = false;
  #isClosed = false;

  /** @param options The link, and who takes what it brings. */
  constructor(options: EphemeralInboxOptions) {
    this.#options = options;
  }

  /** Takes a data frame. */
  frame(frame: Uint8Array): void {
    if (this.#isClosed) return;
    this.#waiting.push(frame);
    this.#waitingBytes += frame.length;
    this.#regulate();
    if (!this.#isWorking) this.#work();
  }

  /** Hands nothing on any more. */
  close(): void {
    this.#isClosed = true;
    this.#waiting.length = 0;
  }

  async #work(): Promise<void> {
    const { link, limits } = this.#options;
    this.#isWorking = true;
    for (let frame = this.#waiting[0]; frame !== undefined; frame = this.#waiting[0]) {
      try {
        const records = decodeDataFrame(frame, limits.maxRecordBytes);
        for (const record of records) {
          await this.#hand(record);
          if (this.#isClosed) return;
        }
        link.send(encodeAck(recordId(records[records.length - 1]!) ?? ""));
      } catch (error) {
        this.close();
        if (error instanceof WireError) link.close(error.closeCode, error.message);
        return;
      }
      this.#waiting.shift();
      this.#waitingBytes -= frame.length;
      this.#regulate();
    }
    this.#isWorking = false;
  }

  async #hand(bytes: Uint8Array): Promise<void> {
    const { logger, handlers } = this.#options;
    let record: DecodedRecord;
    try {
      record = decodeForeignEnvelope(bytes);
    } catch (error) {
      logger.warn("record of the hub is dropped", { why: messageOf(error) });
      return;
    }
    for (const handler of handlers(record.channel)) {
      try {
        await handler(record);
      } catch (error) {
        logger.warn("handler failed", {
          channel: record.channel,
          id: record.id,
          error: messageOf(error),
        });
      }
    }
  }

  #regulate(): void {
    const { link, limits } = this.#options;
    const tooMuch = this.#waiting.length > limits.window ||
      this.#waitingBytes > maxPendingBytes(limits);
    if (tooMuch === this.#isPausing || this.#isClosed) return;
    this.#isPausing = tooMuch;
    if (tooMuch) link.pause();
    else link.resume();
  }
}
