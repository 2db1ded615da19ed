import {
  type Clock,
  type Logger,
  messageOf,
  silentLogger,
  systemClock,
  type Timer,
} from "../base/mod.ts";
import { type AuditEvent, type AuditSink, encodeAuditEvent } from "./audit_event.ts";
import { type AuditFiles, systemAuditFiles } from "./audit_files.ts";
import { RotatingFile } from "./rotating_file.ts";

/** Events that may wait to be written; what comes on top is dropped and counted. */
export const AUDIT_QUEUE_MAX = 1_000;

const DROP_REPORT_MS = 5_000;
const RETRY_BASE_MS = 10;
const RETRY_MAX_MS = 1_000;
const CLOSE_WAIT_MS = 2_000;

/** Options of {@linkcode AuditLog}. */
export interface AuditLogOptions {
  /** The folder of `audit.jsonl`, made when missing. Needs read and write permission. */
  readonly dir: string;
  /** Length in bytes beyond which a file is put aside. Integer of at least 1. @default {104_857_600} */
  readonly maxSizeBytes?: number;
  /** How many files put aside are kept. Integer of at least 1. @default {10} */
  readonly maxFiles?: number;
  /** Time, for stamps, retries and reports. @default {systemClock} */
  readonly clock?: Clock;
  /** Where drops and a stalled disk are reported. @default {silentLogger} */
  readonly logger?: Logger;
  /** The file system. @default {systemAuditFiles} */
  readonly files?: AuditFiles;
}

/** What an audit log has done so far. */
export interface AuditStats {
  /** Events on disk. */
  readonly written: number;
  /** Events lost because the queue was full or the log was closed. */
  readonly dropped: number;
  /** Events that wait to be written. */
  readonly queued: number;
  /** Whether writing fails at the moment and is tried again. */
  readonly stalled: boolean;
}

/**
 * The audit log: `audit.jsonl`, one JSON object a line, written in the background.
 *
 * Recording an event never waits for the disk. Up to 1,000 events wait in memory; while the disk is full
 * or broken they stay there and writing is tried again every 10 ms to 1 s. What is recorded beyond them
 * is dropped, counted, and reported every 5 s. The file is not synced: a power cut may cost the last
 * events, a crash of the process only those still queued.
 */
export class AuditLog implements AuditSink, AsyncDisposable {
  readonly #file: RotatingFile;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #encoder = new TextEncoder();
  /** Encoded lines, oldest first; one leaves only once it is written. */
  #queue: Uint8Array[] = [];
  #written = 0;
  #dropped = 0;
  #droppedReported = 0;
  #reportTimer: Timer | undefined;
  #stalled = false;
  #retryMs = RETRY_BASE_MS;
  /** Ends the current wait before the next try. */
  #retryNow: () => void = () => {};
  /** Settles when the queue has been written, or given up; undefined while nothing is written. */
  #writing: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #givenUp = false;
  #stampMs = NaN;
  #stamp = "";

  /**
   * @param options Where to write, and how much.
   * @throws {RangeError} When a limit is no integer of at least 1.
   */
  constructor(options: AuditLogOptions) {
    const { dir, maxSizeBytes = 100 * 1024 * 1024, maxFiles = 10 } = options;
    for (const [name, value] of Object.entries({ maxSizeBytes, maxFiles })) {
      if (!Number.isSafeInteger(value) || value < 1) {
        throw new RangeError(
          `Cannot use ${value} as ${name} of the audit log: it is an integer from 1`,
        );
      }
    }
    this.#file = new RotatingFile({
      dir,
      maxSizeBytes,
      maxFiles,
      files: options.files ?? systemAuditFiles,
    });
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
  }

  /** What was done so far. */
  stats(): AuditStats {
    return {
      written: this.#written,
      dropped: this.#dropped,
      queued: this.#queue.length,
      stalled: this.#stalled,
    };
  }

  /**
   * Takes note of an event, to be written soon. Never waits, never throws.
   *
   * @param event The event; the time is added here.
   */
  record(event: AuditEvent): void {
    if (this.#closing !== undefined || this.#queue.length >= AUDIT_QUEUE_MAX) {
      return this.#drop();
    }
    try {
      this.#queue.push(this.#encoder.encode(encodeAuditEvent(event, this.#now())));
    } catch {
      // Only an event or a clock that breaks its type comes here.
      return this.#drop();
    }
    this.#writing ??= this.#write();
  }

  /**
   * Writes what is queued and closes the file. Waits for at most 2 s: what a broken disk has not taken
   * by then is dropped, counted and reported. Events recorded from now on are dropped.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Writes until the queue is empty; one run at a time. */
  async #write(): Promise<void> {
    // Lets everything that is recorded in this turn join the first write.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      try {
        const count = await this.#file.append(this.#queue);
        this.#queue = this.#queue.slice(count);
        this.#written += count;
        this.#runsAgain();
      } catch (error) {
        await this.#waitToRetry(error);
      }
    }
    this.#writing = undefined;
    if (this.#givenUp) this.#file.close();
  }

  async #waitToRetry(error: unknown): Promise<void> {
    if (this.#givenUp) return;
    if (!this.#stalled) {
      this.#stalled = true;
      this.#say("error", "audit log cannot be written, events are kept and tried again", {
        file: this.#file.path,
        error: messageOf(error),
      });
    }
    const wait = this.#retryMs;
    this.#retryMs = Math.min(wait * 2, RETRY_MAX_MS);
    await new Promise<void>((resolve) => {
      const timer = this.#clock.after(wait, resolve, { unref: true });
      this.#retryNow = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  #runsAgain(): void {
    this.#retryMs = RETRY_BASE_MS;
    if (!this.#stalled) return;
    this.#stalled = false;
    this.#say("info", "audit log can be written again", { file: this.#file.path });
  }

  async #close(): Promise<void> {
    this.#reportTimer?.cancel();
    if (this.#writing !== undefined) {
      this.#retryMs = RETRY_BASE_MS;
      this.#retryNow();
      await this.#waitAtMost(this.#writing, CLOSE_WAIT_MS);
    }
    // A write that hangs ends by itself some day; it must not go on with the rest then.
    this.#givenUp = true;
    this.#retryNow();
    if (this.#writing === undefined) this.#file.close();
    const lost = this.#queue.length;
    if (lost > 0) {
      this.#queue = [];
      this.#dropped += lost;
      this.#say("error", "audit log closed before every event was written", {
        file: this.#file.path,
        lost,
      });
      this.#droppedReported += lost;
    }
    this.#reportDrops();
  }

  #waitAtMost(done: Promise<void>, waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(waitMs, resolve);
      void done.then(() => {
        timer.cancel();
        resolve();
      });
    });
  }

  #drop(): void {
    this.#dropped++;
    if (this.#closing !== undefined) return;
    this.#reportTimer ??= this.#clock.after(DROP_REPORT_MS, () => {
      this.#reportTimer = undefined;
      this.#reportDrops();
    }, { unref: true });
  }

  #reportDrops(): void {
    const count = this.#dropped - this.#droppedReported;
    if (count === 0) return;
    this.#droppedReported = this.#dropped;
    this.#say("warn", "audit events were dropped", { count, total: this.#dropped });
  }

  /** The time as text, made once a millisecond. */
  #now(): string {
    const now = this.#clock.now();
    if (now !== this.#stampMs) {
      this.#stamp = new Date(now).toISOString();
      this.#stampMs = now;
    }
    return this.#stamp;
  }

  /** Logs; a logger that throws must not end the writing. */
  #say(level: "info" | "warn" | "error", message: string, fields: Record<string, unknown>): void {
    try {
      this.#logger[level](message, fields);
    } catch {
      // There is nobody left to tell.
    }
  }
}
