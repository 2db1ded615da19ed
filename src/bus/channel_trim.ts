import type { Position } from "../storage/mod.ts";

/** Bytes of a channel that are given up together. */
const SLICE_BYTES = 64 * 1024;

/** A part of a channel: given up when nothing in it is waited for any more. */
export interface ChannelSlice {
  /** Where it ends. */
  end: Position;
  /** Messages in it that are still needed, until their time is over. */
  open: number;
  /** When the time of the last one is over, in milliseconds since 1970. */
  until: number;
}

/** Knows how much of a channel of requests or replies nobody needs any more. */
export class ChannelTrim {
  /** Up to where the channel has been seen. */
  position: Position;
  /** Whether somebody reads it and notes what is in it. */
  isFollowed = false;
  /** Whether something else is in it: then it is not the bus's to trim. */
  isForeign = false;
  /** Up to where it was trimmed last. */
  trimmed: Position = 0;
  readonly #start: Position;
  #slices: ChannelSlice[] = [];

  /** @param start Where the channel begins. */
  constructor(start: Position) {
    this.#start = start;
    this.position = start;
  }

  /**
   * A message was seen. Messages that were seen before count no more.
   *
   * @param next Where the next one begins.
   * @param until When nobody needs it any more; 0 when nobody does now.
   * @returns What to give to {@linkcode settle} when it is not needed before that time.
   */
  note(next: Position, until: number): ChannelSlice | undefined {
    if (next <= this.position) return;
    this.position = next;
    let slice = this.#slices.at(-1);
    const start = this.#slices.at(-2)?.end ?? this.#start;
    if (slice === undefined || slice.end - start >= SLICE_BYTES) {
      slice = { end: next, open: 0, until: 0 };
      this.#slices.push(slice);
    }
    slice.end = next;
    if (until === 0) return;
    slice.open++;
    slice.until = Math.max(slice.until, until);
    return slice;
  }

  /** A message is not needed any more. */
  settle(slice: ChannelSlice | undefined): void {
    if (slice !== undefined) slice.open--;
  }

  /** Up to where nothing is needed any more; undefined when that was trimmed already. */
  trimmable(now: number): Position | undefined {
    let count = 0;
    for (const { open, until } of this.#slices) {
      if (open > 0 && until >= now) break;
      count++;
    }
    const end = this.#slices[count - 1]?.end;
    if (end === undefined || end <= this.trimmed) return;
    // The last slice stays: it may grow.
    this.#slices.splice(0, count === this.#slices.length ? count - 1 : count);
    return end;
  }
}
