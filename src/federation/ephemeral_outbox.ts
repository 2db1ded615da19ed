import { type Clock, MessengerError } from "../base/mod.ts";
import { AckWatch } from "./ack_watch.ts";
import { CloseCode } from "./close_codes.ts";
import { batchBytes, type FederationLimits, ORIGINAL_MAX_RECORD_BYTES } from "./limits.ts";
import type { Link } from "./link.ts";
import { encodeDataFrame, type Handshake, WireError } from "./wire.ts";

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
  readonly bytes: number;
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
  readonly #ackWatch: AckWatch;

  /** @param options The link, and what is to be sent. */
  constructor(options: EphemeralOutboxOptions) {
    const { hub, limits } = options;
    this.#options = options;
    this.#window = Math.min(limits.window, hub.window ?? limits.window);
    this.#maxRecordBytes = hub.maxRecordBytes ?? ORIGINAL_MAX_RECORD_BYTES;
    this.#batchBytes = batchBytes(limits, hub.maxRecordBytes);
    this.#ackWatch = new AckWatch({
      clock: options.clock,
      timeoutMs: limits.ackTimeoutMs,
      oldestBytes: () => this.#sent[0]?.bytes,
      isHeld: () => options.link.paused,
      onExpired: (waitedMs) => {
        const reason = `no acknowledgement for ${Math.round(waitedMs)} ms`;
        options.link.close(CloseCode.goingAway, reason);
      },
    });
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
      const frame = encodeDataFrame(items.map(({ record }) => record));
      this.#sent.push({ items, bytes: frame.length, lastId: items[items.length - 1]!.id });
      this.#recordsSent += items.length;
      if (this.#sent.length === 1) this.#ackWatch.progress();
      this.#hasRoom = link.send(frame);
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
    if (this.#sent.length > 0) this.#ackWatch.progress();
    else this.#ackWatch.stop();
    for (const { resolve } of frame.items) resolve();
    this.pump();
  }

  /** Ends it: what was sent and is not acknowledged fails. */
  close(error: unknown): void {
    this.#isClosed = true;
    this.#ackWatch.stop();
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
}

function tooLong({ id, record }: Outgoing, maxBytes: number): MessengerError {
  return new MessengerError(
    "record_too_long",
    `Cannot publish message ${id}: it is ${record.length} bytes long and the hub takes ${maxBytes}`,
  );
}
