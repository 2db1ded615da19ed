import { type Clock, type Logger, messageOf, type Timer } from "../base/mod.ts";
import type { ChannelLog, Cursor, Position } from "../storage/mod.ts";

/** After so many failed writes in a row nothing more is sent until one succeeds. */
const FAILURES_UNTIL_STALLED = 3;
const RETRY_MAX_MS = 1_000;

/** Options of {@linkcode OutboundChannel.open}. */
export interface OutboundChannelOptions {
  /** Name of the cursor; without one nothing is kept. */
  readonly cursorName: string | undefined;
  /** Where a new cursor begins. */
  readonly from: "start" | "end";
  /** Shortest time in milliseconds between two writes of the cursor. */
  readonly saveIntervalMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * A channel on its way to one peer: its log, and the durable place up to which the peer has
 * acknowledged. It outlives links.
 */
export class OutboundChannel {
  /** The channel's log. */
  readonly log: ChannelLog;
  readonly #options: OutboundChannelOptions;
  readonly #cursor: Cursor | undefined;
  #position: Position;
  #saved: Position;
  #touched = false;
  #saving: Promise<void> | undefined;
  #timer: Timer | undefined;
  #failures = 0;
  #closed = false;

  /** Called when the cursor could be written again after it was {@linkcode stalled}. */
  onRecovered: () => void = () => {};

  private constructor(
    log: ChannelLog,
    options: OutboundChannelOptions,
    cursor: Cursor | undefined,
    position: Position,
  ) {
    this.log = log;
    this.#options = options;
    this.#cursor = cursor;
    this.#position = this.#saved = position;
  }

  /**
   * Finds the place of a peer in a channel. A new cursor is on disk when this settles.
   *
   * @param log The channel's log.
   * @param options Name and beginning of the cursor.
   * @throws {StorageError} When the cursor could not be read or written.
   */
  static async open(log: ChannelLog, options: OutboundChannelOptions): Promise<OutboundChannel> {
    const beginning = options.from === "end" ? log.end : log.start;
    if (options.cursorName === undefined) {
      return new OutboundChannel(log, options, undefined, beginning);
    }
    const cursor = await log.cursor(options.cursorName);
    try {
      if (cursor.position === undefined) await cursor.save(beginning);
    } catch (error) {
      cursor.close();
      throw error;
    }
    return new OutboundChannel(log, options, cursor, cursor.position ?? beginning);
  }

  /** The channel's name. */
  get name(): string {
    return this.log.channel;
  }

  /** First position that is not acknowledged. */
  get position(): Position {
    return this.#position;
  }

  /** Whether sending has to wait because the cursor cannot be written. */
  get stalled(): boolean {
    return this.#failures >= FAILURES_UNTIL_STALLED;
  }

  /** Everything before the position is acknowledged, or needs no sending. */
  handled(position: Position): void {
    if (position <= this.#position) return;
    this.#position = position;
    this.#saveSoon();
  }

  /** Writes the cursor even when it has not moved, so that its peer counts as alive. */
  touch(): void {
    this.#touched = true;
    this.#saveSoon();
  }

  /** Writes the cursor a last time, so that it shows when its peer was last there. Never rejects. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    await this.#saving;
    this.#touched = true;
    await this.#save();
    this.#cursor?.close();
  }

  #saveSoon(): void {
    if (this.#cursor === undefined || this.#closed) return;
    if (this.#saving !== undefined || this.#timer !== undefined) return;
    this.#saving = this.#save().then(() => {
      this.#saving = undefined;
      if (this.#closed) return;
      this.#timer = this.#options.clock.after(this.#pause(), () => {
        this.#timer = undefined;
        if (this.#touched || this.#saved !== this.#position) this.#saveSoon();
      }, { unref: true });
    });
  }

  #pause(): number {
    const { saveIntervalMs } = this.#options;
    if (this.#failures === 0) return saveIntervalMs;
    return Math.max(saveIntervalMs, Math.min(RETRY_MAX_MS, 10 * 2 ** this.#failures));
  }

  async #save(): Promise<void> {
    const position = this.#position;
    if (this.#cursor === undefined || (!this.#touched && position === this.#saved)) return;
    try {
      this.#touched = false;
      await this.#cursor.save(position);
      this.#saved = position;
    } catch (error) {
      this.#touched = true;
      this.#failed(error);
      return;
    }
    if (this.#failures === 0) return;
    const wasStalled = this.stalled;
    this.#failures = 0;
    this.#options.logger.info("cursor is written again", this.#names());
    if (wasStalled) this.onRecovered();
  }

  #failed(error: unknown): void {
    this.#failures++;
    const fields = { ...this.#names(), error: messageOf(error) };
    if (this.#failures === 1) {
      this.#options.logger.warn("cannot write cursor, trying again", fields);
    } else if (this.#failures === FAILURES_UNTIL_STALLED) {
      this.#options.logger.error("cannot write cursor, sending waits for it", fields);
    }
  }

  #names(): { channel: string; cursor: string | undefined } {
    return { channel: this.name, cursor: this.#options.cursorName };
  }
}
