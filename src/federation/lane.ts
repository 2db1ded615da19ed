import type { Block, LogReader, Position, StoredRecord } from "../storage/mod.ts";
import type { OutboundChannel } from "./outbound_channel.ts";

/** A frame that the peer has not acknowledged. */
export interface InFlight {
  readonly lane: Lane;
  /** What is handled once the acknowledgement is in. Moves on over records that need no sending. */
  next: Position;
  readonly records: number;
  readonly bytes: number;
  /** Id of its last record. */
  readonly lastId: string;
  /** Monotonic time of its sending. */
  readonly sentAt: number;
}

/** One channel of a sender: where it reads, and what it has read and not sent. */
export class Lane {
  readonly channel: OutboundChannel;
  /** First position that was neither sent nor passed over. */
  position: Position;
  /** Its newest frame that is not acknowledged. */
  tail: InFlight | undefined;
  /** How often reading failed since it last succeeded. */
  failures = 0;
  closed = false;
  readonly #abort = new AbortController();
  #reader: LogReader | undefined;
  #records: readonly StoredRecord[] = [];
  #index = 0;
  #end: Position;

  /** @param channel Where to begin, and who keeps the place. */
  constructor(channel: OutboundChannel) {
    this.channel = channel;
    this.position = this.#end = channel.position;
  }

  /** The record to look at next; undefined when a block has to be read. */
  get current(): StoredRecord | undefined {
    return this.#records[this.#index];
  }

  /** Goes on to the next record. */
  advance(): void {
    this.position = this.#records[this.#index++]!.next;
    if (this.#index === this.#records.length) this.position = this.#end;
  }

  /** Reads on; what it gives belongs into {@linkcode take}. */
  read(maxBytes: number): Block | Promise<Block> {
    this.#reader ??= this.channel.log.reader(this.position);
    return this.#reader.read(maxBytes);
  }

  /** Takes what was read. @returns False at the end of the log. */
  take(block: Block): boolean {
    this.failures = 0;
    this.#records = block.records;
    this.#index = 0;
    this.#end = block.next;
    if (block.records.length > 0) return true;
    const moved = block.next > this.position;
    this.position = block.next;
    return moved;
  }

  /** Settles when there is more to read; rejects when the lane is closed. */
  more(): Promise<void> {
    return this.channel.log.waitFor(this.position, this.#abort.signal);
  }

  /** Gives the reader up after an error; the next `read` makes a new one. */
  reset(): void {
    this.#reader?.close();
    this.#reader = undefined;
    this.#records = [];
    this.#index = 0;
  }

  /** Notes what needs no sending: at once, or with the frame that goes before it. */
  passOver(): void {
    if (this.tail !== undefined) this.tail.next = this.position;
    else this.channel.handled(this.position);
  }

  /** Ends reading. Frames in flight may still be acknowledged. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    this.#abort.abort();
    this.reset();
  }
}
