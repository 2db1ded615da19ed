import { type Clock, delay, type Logger, messageOf, type Timer } from "../base/mod.ts";
import type { Cursor, Position } from "./log.ts";

const PAUSE_AFTER_FAILURES = 3;
const RETRY_BASE_MS = 10;
const RETRY_MAX_MS = 1_000;

/** Writes a cursor as often as asked, and holds its reader back while that fails. */
export class CursorKeeper {
  readonly #cursor: Cursor;
  readonly #flushMs: number;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #closed = new AbortController();
  #position: Position | undefined;
  #timer: Timer | undefined;
  #saving: Promise<void> | undefined;
  #failures = 0;
  #pausing = false;
  #ended = false;

  /**
   * @param cursor The cursor.
   * @param flushMs Milliseconds between writes; 0 writes at every move.
   */
  constructor(cursor: Cursor, flushMs: number, clock: Clock, logger: Logger) {
    this.#cursor = cursor;
    this.#flushMs = flushMs;
    this.#clock = clock;
    this.#logger = logger;
  }

  /** Notes a position. A promise, when there is one, is to be awaited before the next message. */
  moveTo(position: Position): void | Promise<void> {
    // Once closed, the cursor may be somebody else's and further on.
    if (this.#ended) return;
    this.#position = position;
    if (this.#flushMs === 0) return this.#save(position);
    if (this.#failures >= PAUSE_AFTER_FAILURES) return this.#untilSaved();
    this.#arm();
  }

  /** Ends the pause for a cursor that cannot be written. */
  endPause(): void {
    this.#closed.abort();
  }

  /** Writes the last position and frees the cursor. */
  async close(): Promise<void> {
    this.endPause();
    this.#timer?.cancel();
    await this.#saving;
    this.#ended = true;
    if (this.#position !== undefined) await this.#attempt(this.#position);
    this.#cursor.close();
  }

  #arm(): void {
    if (this.#closed.signal.aborted) return;
    this.#timer ??= this.#clock.after(this.#flushMs, () => {
      this.#timer = undefined;
      // A pause for the cursor writes it by itself.
      if (this.#pausing) return;
      this.#saving = Promise.resolve(this.#saving).then(() => this.#save(this.#position!));
    }, { unref: true });
  }

  #save(position: Position): void | Promise<void> {
    try {
      const pending = this.#cursor.save(position);
      if (pending === undefined) {
        this.#failures = 0;
        return;
      }
      return pending.then(() => void (this.#failures = 0), (error) => this.#failed(error));
    } catch (error) {
      return this.#failed(error);
    }
  }

  #failed(error: unknown): void | Promise<void> {
    this.#failures++;
    if (this.#failures <= PAUSE_AFTER_FAILURES) {
      this.#logger.error(
        this.#failures < PAUSE_AFTER_FAILURES
          ? "could not write a cursor: messages may come again after a crash"
          : "could not write a cursor again: delivery pauses until it can",
        { cursor: this.#cursor.name, error: messageOf(error) },
      );
    }
    if (this.#flushMs > 0) this.#arm();
    else if (this.#failures >= PAUSE_AFTER_FAILURES) return this.#untilSaved();
  }

  async #untilSaved(): Promise<void> {
    this.#pausing = true;
    try {
      for (let waitMs = RETRY_BASE_MS;; waitMs = Math.min(waitMs * 2, RETRY_MAX_MS)) {
        await delay(this.#clock, waitMs, this.#closed.signal);
        if (await this.#attempt(this.#position!)) break;
      }
      this.#logger.info("the cursor could be written again", { cursor: this.#cursor.name });
    } catch {
      // Closed meanwhile: closing tries once more.
    } finally {
      this.#pausing = false;
    }
  }

  /** @returns Whether the position was written. */
  async #attempt(position: Position): Promise<boolean> {
    try {
      await this.#cursor.save(position);
      this.#failures = 0;
      return true;
    } catch (error) {
      this.#failures++;
      if (this.#closed.signal.aborted) {
        this.#logger.error("could not write a cursor before closing: messages may come again", {
          cursor: this.#cursor.name,
          error: messageOf(error),
        });
      }
      return false;
    }
  }
}
