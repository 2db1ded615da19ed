import type { Clock, Timer } from "../base/mod.ts";
import { BusStorageError } from "./errors.ts";
import { isLocked, lockedError, type SqliteFile, storageError } from "./sqlite_file.ts";

/** What changed in a file: what those who share it have to look at. */
export const EVENTS = 1;
/** Requests came, or may be free again. */
export const REQUESTS = 2;
/** Replies came. */
export const REPLIES = 4;
/** A caller gave up, or read what it had. */
export const CALLERS = 8;
/** Anything. */
export const EVERYTHING = 15;

const MAX_BATCH = 4_096;
const MAX_BATCH_BYTES = 8 * 1024 * 1024;
const MAX_PENDING_BYTES = 64 * 1024 * 1024;
const BYTES_OF_ANY = 100;
const RETRY_MIN_MS = 2;
const RETRY_MAX_MS = 50;

interface Write {
  readonly run: () => unknown;
  readonly isOneStatement: boolean;
  readonly changes: number;
  readonly bytes: number;
  readonly signal: AbortSignal | undefined;
  readonly resolve: (value: never) => void;
  readonly reject: (error: unknown) => void;
}

/** Options of {@linkcode SqliteWriter.write}. */
export interface WriteOptions {
  /** How much it holds in memory until it is done. */
  readonly bytes?: number;
  /** Drops it unless it was done before. */
  readonly signal?: AbortSignal | undefined;
  /** It is one statement: alone in its turn it is a transaction by itself. */
  readonly isOneStatement?: boolean;
}

/** What a {@linkcode SqliteWriter} works with. */
export interface SqliteWriterOptions {
  readonly file: SqliteFile;
  readonly clock: Clock;
  /** Milliseconds to wait for another program's lock. */
  readonly lockTimeoutMs: number;
  /** Called after a commit. */
  readonly onCommit: (changes: number) => void;
}

/** Gathers the writes of a turn and commits them in one transaction. */
export class SqliteWriter {
  readonly #options: SqliteWriterOptions;
  #queue: Write[] = [];
  #pendingBytes = 0;
  #isScheduled = false;
  #retry: Timer | undefined;
  #retryMs = RETRY_MIN_MS;
  #lockedSince: number | undefined;
  #idle: PromiseWithResolvers<void> | undefined;

  /** @param options What to write to, and how. */
  constructor(options: SqliteWriterOptions) {
    this.#options = options;
  }

  /**
   * Runs a write in the transaction of this turn.
   *
   * @param run What to do; whatever it throws undoes the transaction.
   * @param changes What it changes, for others.
   * @param options What it is like.
   * @returns What `run` returned, once that is committed.
   * @throws {BusStorageError} When the file cannot be written, or stays locked.
   */
  write<T>(run: () => T, changes: number, options: WriteOptions = {}): Promise<T> {
    const { bytes = 0, signal, isOneStatement = false } = options;
    const size = bytes + BYTES_OF_ANY;
    if (this.#pendingBytes + size > MAX_PENDING_BYTES) {
      return Promise.reject(
        new BusStorageError(
          this.#options.file.path,
          `${this.#pendingBytes} bytes wait to be written; publish more slowly`,
        ),
      );
    }
    this.#pendingBytes += size;
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ run, isOneStatement, changes, bytes: size, signal, resolve, reject });
      this.#schedule();
    });
  }

  /** Settles when nothing waits to be written. */
  idle(): Promise<void> {
    if (this.#queue.length === 0) return Promise.resolve();
    this.#idle ??= Promise.withResolvers();
    return this.#idle.promise;
  }

  #schedule(): void {
    if (this.#isScheduled || this.#retry !== undefined) return;
    this.#isScheduled = true;
    this.#options.clock.soon(() => {
      this.#isScheduled = false;
      this.#commit();
    });
  }

  #commit(): void {
    const { file } = this.#options;
    const first = this.#queue[0];
    if (first === undefined) return;
    // Of a connection that is not the bus's own.
    if (file.db.isTransaction) {
      return this.#wait(new Error("database is locked by its own program"));
    }
    if (this.#queue.length === 1 && first.isOneStatement) return this.#runAlone(first);
    try {
      file.statement("BEGIN IMMEDIATE").run();
    } catch (error) {
      return this.#wait(error);
    }
    this.#lockedSince = undefined;
    const batch = this.#take();
    const results: unknown[] = [];
    let changes = 0;
    try {
      for (const { run, signal, changes: changed } of batch) {
        results.push(signal?.aborted ? undefined : run());
        changes |= changed;
      }
      file.statement("COMMIT").run();
    } catch (error) {
      this.#undo();
      this.#settle();
      const failure = storageError(file.path, error);
      for (const { reject } of batch) reject(failure);
      return;
    }
    for (let i = 0; i < batch.length; i++) batch[i]!.resolve(results[i] as never);
    this.#settle();
    this.#options.onCommit(changes);
  }

  #runAlone({ run, signal, changes, resolve, reject }: Write): void {
    let result: unknown;
    try {
      if (!signal?.aborted) result = run();
    } catch (error) {
      if (isLocked(error)) return this.#wait(error);
      this.#take();
      this.#settle();
      return reject(storageError(this.#options.file.path, error));
    }
    this.#lockedSince = undefined;
    this.#take();
    resolve(result as never);
    this.#settle();
    this.#options.onCommit(changes);
  }

  /** Tries again later; gives up, for all that waits, when that did not help for long enough. */
  #wait(error: unknown): void {
    const { file, clock, lockTimeoutMs } = this.#options;
    const now = clock.monotonic();
    if (this.#lockedSince === undefined) {
      this.#lockedSince = now;
      this.#retryMs = RETRY_MIN_MS;
    }
    if (isLocked(error) && now - this.#lockedSince < lockTimeoutMs) {
      this.#retry = clock.after(this.#retryMs, () => {
        this.#retry = undefined;
        this.#commit();
      });
      this.#retryMs = Math.min(RETRY_MAX_MS, this.#retryMs * 2);
      return;
    }
    this.#lockedSince = undefined;
    const failure = isLocked(error)
      ? lockedError(file.path, lockTimeoutMs, error)
      : storageError(file.path, error);
    const failed = this.#queue.splice(0);
    this.#pendingBytes = 0;
    this.#settle();
    for (const { reject } of failed) reject(failure);
  }

  #take(): readonly Write[] {
    let count = 0;
    let bytes = 0;
    while (count < this.#queue.length && count < MAX_BATCH && bytes < MAX_BATCH_BYTES) {
      bytes += this.#queue[count++]!.bytes;
    }
    this.#pendingBytes -= bytes;
    if (count < this.#queue.length) return this.#queue.splice(0, count);
    const batch = this.#queue;
    this.#queue = [];
    return batch;
  }

  #undo(): void {
    try {
      if (this.#options.file.db.isTransaction) this.#options.file.statement("ROLLBACK").run();
    } catch {
      // SQLite has undone it by itself.
    }
  }

  #settle(): void {
    if (this.#queue.length > 0) return this.#schedule();
    this.#idle?.resolve();
    this.#idle = undefined;
  }
}
