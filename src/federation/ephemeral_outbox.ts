import { type Clock, MessengerError, type Timer } from "../base/mod.ts";
import { CloseCode } from "./close_codes.ts";
import { type FederationLimits, ORIGINAL_MAX_RECORD_BYTES } from "./limits.ts";
import type { Link } from "./link.ts";
import { encodeDataFrame, type Handshake, WireError } from "./wire.ts";

/** Room for the lengths in a frame to an original, which may count them. */
const ORIGINAL_FRAMING_BYTES = 4_096;

/** A record that waits for the hub's acknowledgement. */
export interface Outgoing {
  readonly record: Uint8Array;
  readonly id: string;
  /** The hub has it. */
  readonly resolve: () => void;
  /** It does not, or nobody knows. */
  readonly reject: (error: unknown) => void;
}

interface SentFrame {
  readonly items: readonly Outgoing[];
  readonly lastId: string;
}

/** Options of an {@linkcode EphemeralOutbox}. */
export interface EphemeralOutboxOptions {
  readonly link: Link;
  /** What the hub said of itself. */
  readonly hub: Handshake;
  readonly limits: FederationLimits;
  /** Records that may be sent and not yet acknowledged. */
  readonly writeQueueSize: number;
  readonly clock: Clock;
  /** What waits, oldest first; what is sent is taken out of it. */
  readonly waiting: Outgoing[];
}

/** What goes out over one connection of an ephemeral client. */
export class EphemeralOutbox {
  readonly #options: EphemeralOutboxOptions;
  readonly #window: number;
  readonly #maxRecordBytes: number;
  readonly #batchBytes: number;
  readonly #sent: SentFrame[] = [];
  #recordsSent = 0;
  #hasRoom = true;
  #isClosed = false;
  #ackTimer: Timer | undefined;

  /** @param options The link, and what is to be sent. */
  constructor(options: EphemeralOutboxOptions) {
    const { hub, limits } = options;
    this.#options = options;
    this.#window = Math.min(limits.window, hub.window ?? limits.window);
    this.#maxRecordBytes = hub.maxRecordBytes ?? ORIGINAL_MAX_RECORD_BYTES;
    const roomBytes = hub.maxRecordBytes === undefined ? ORIGINAL_FRAMING_BYTES : 0;
    this.#batchBytes = Math.min(limits.maxBatchBytes, this.#maxRecordBytes - roomBytes);
  }

  /** Sends as much as may be sent now. */
  pump(): void {
    const { waiting, link, writeQueueSize } = this.#options;
    while (
      !this.#isClosed && this.#hasRoom && waiting.length > 0 &&
      this.#sent.length < this.#window && this.#recordsSent < writeQueueSize
    ) {
      const items = this.#pick(writeQueueSize - this.#recordsSent);
      if (items.length === 0) continue;
      this.#sent.push({ items, lastId: items[items.length - 1]!.id });
      this.#recordsSent += items.length;
      if (this.#ackTimer === undefined) this.#watchAcks();
      this.#hasRoom = link.send(encodeDataFrame(items.map(({ record }) => record)));
    }
  }

  /** The link has room again. */
  writable(): void {
    this.#hasRoom = true;
    this.pump();
  }

  /**
   * Takes an acknowledgement of the oldest frame.
   *
   * @throws {WireError} When there is none, or it is of another.
   */
  acknowledge(lastId: string): void {
    const [frame] = this.#sent;
    if (frame === undefined) throw new WireError("acknowledgement: no frame is unacknowledged");
    if (lastId !== frame.lastId && this.#options.hub.window !== undefined) {
      throw new WireError("acknowledgement: not of the oldest unacknowledged frame");
    }
    this.#sent.shift();
    this.#recordsSent -= frame.items.length;
    this.#ackTimer?.cancel();
    this.#ackTimer = undefined;
    if (this.#sent.length > 0) this.#watchAcks();
    for (const { resolve } of frame.items) resolve();
    this.pump();
  }

  /** Ends it: what was sent and is not acknowledged fails. */
  close(error: unknown): void {
    this.#isClosed = true;
    this.#ackTimer?.cancel();
    for (const { items } of this.#sent.splice(0)) {
      for (const { reject } of items) reject(error);
    }
  }

  /** Takes records for one frame; what is too long for the hub fails. */
  #pick(most: number): Outgoing[] {
    const { waiting } = this.#options;
    const items: Outgoing[] = [];
    let bytes = 0;
    let taken = 0;
    for (const item of waiting) {
      const { length } = item.record;
      if (items.length === most || (items.length > 0 && bytes + length > this.#batchBytes)) break;
      taken++;
      if (length > this.#maxRecordBytes) {
        item.reject(tooLong(item, this.#maxRecordBytes));
        continue;
      }
      items.push(item);
      bytes += length;
    }
    waiting.splice(0, taken);
    return items;
  }

  #watchAcks(): void {
    const { clock, limits, link } = this.#options;
    this.#ackTimer = clock.after(limits.ackTimeoutMs, () => {
      if (link.paused) return this.#watchAcks();
      link.close(CloseCode.goingAway, `no acknowledgement for ${limits.ackTimeoutMs} ms`);
    });
  }
}

function tooLong({ id, record }: Outgoing, maxBytes: number): MessengerError {
  return new MessengerError(
    "record_too_long",
    `Cannot publish message ${id}: it is ${record.length} bytes long and the hub takes ${maxBytes}`,
  );
}
