import { type Logger, messageOf, StorageError } from "../base/mod.ts";
import { type FileSystem, type OpenFile, parentOf, readFully, writeWhole } from "./files.ts";
import { CURSOR_SUFFIX } from "./layout.ts";
import type { Cursor, Position } from "./log.ts";
import type { Syncer } from "./sync.ts";

const DIGITS = 20;
const WIDTH = DIGITS + 1;

/** What a {@linkcode FileCursor} works with. */
export interface FileCursorOptions {
  readonly dir: string;
  readonly name: string;
  readonly files: FileSystem;
  readonly syncer: Syncer;
  readonly logger: Logger;
  /**
   * Makes the log durable up to a position. A cursor that survived a power cut which the records
   * before it did not would skip those that take their place.
   */
  readonly syncLog: (position: Position) => void | Promise<void>;
}

/**
 * A cursor in a file: its position as decimal digits and a line feed.
 *
 * The digits are padded to a fixed width and overwritten in place. They lie in one sector, which a
 * disk writes whole or not at all, and neither the file's length nor its name changes, so that one
 * data sync makes the move durable: thirty times as fast as a new file renamed over the old one. A
 * file of another width (new, or made by the Go implementation) is replaced by renaming once.
 */
export class FileCursor implements Cursor {
  readonly name: string;
  readonly #options: FileCursorOptions;
  readonly #path: string;
  readonly #bytes = new Uint8Array(WIDTH);
  #file: OpenFile | undefined;
  #position: Position | undefined;
  /** Whether a write failed: what the file holds is not known. */
  #uncertain = false;

  /** @throws {StorageError} When the file cannot be read. */
  constructor(options: FileCursorOptions) {
    this.name = options.name;
    this.#options = options;
    this.#path = `${options.dir}/${options.name}${CURSOR_SUFFIX}`;
    this.#position = readCursor(options.files, this.#path, options.logger);
  }

  get position(): Position | undefined {
    return this.#position;
  }

  save(position: Position): void | Promise<void> {
    if (position === this.#position && !this.#uncertain) return;
    try {
      const pending = this.#options.syncLog(position);
      if (pending !== undefined) return this.#saveAfter(pending, position);
    } catch (error) {
      throw this.#failed(error);
    }
    return this.#write(position);
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  async #saveAfter(pending: Promise<void>, position: Position): Promise<void> {
    try {
      await pending;
    } catch (error) {
      throw this.#failed(error);
    }
    await this.#write(position);
  }

  #write(position: Position): void | Promise<void> {
    try {
      if (this.#file === undefined) this.#prepare(position);
      else {
        this.#file.seekSync(0, 0);
        writeWhole(this.#file, this.#format(position));
      }
      const pending = this.#options.syncer.sync(this.#file!);
      if (pending !== undefined) return this.#confirm(position, pending);
      this.#kept(position);
    } catch (error) {
      throw this.#failed(error);
    }
  }

  async #confirm(position: Position, pending: Promise<void>): Promise<void> {
    try {
      await pending;
      this.#kept(position);
    } catch (error) {
      throw this.#failed(error);
    }
  }

  #kept(position: Position): void {
    this.#position = position;
    this.#uncertain = false;
  }

  #failed(error: unknown): StorageError {
    this.close();
    this.#uncertain = true;
    return new StorageError(`Cannot write cursor "${this.#path}": ${messageOf(error)}`, {
      cause: error,
    });
  }

  /** Opens the file, or puts one of the right width in its place. */
  #prepare(position: Position): void {
    const { files, dir } = this.#options;
    if (files.stat(this.#path)?.size === WIDTH) {
      this.#file = files.open(this.#path, { read: true, write: true });
      writeWhole(this.#file, this.#format(position));
      return;
    }
    files.makeDir(dir);
    const temporary = `${this.#path}.tmp`;
    const file = files.open(temporary, { create: true, write: true, read: true, truncate: true });
    try {
      writeWhole(file, this.#format(position));
      file.syncDataSync();
      files.rename(temporary, this.#path);
      files.syncDir(dir);
      files.syncDir(parentOf(dir));
    } catch (error) {
      file.close();
      throw error;
    }
    this.#file = file;
  }

  #format(position: Position): Uint8Array {
    let rest = position;
    for (let i = DIGITS - 1; i >= 0; i--) {
      this.#bytes[i] = 0x30 + rest % 10;
      rest = Math.floor(rest / 10);
    }
    this.#bytes[DIGITS] = 0x0a;
    return this.#bytes;
  }
}

/**
 * The position that a cursor's file holds; undefined when there is no file.
 *
 * @throws {StorageError} When the file holds no position: guessing could lose messages.
 */
export function readCursor(
  files: FileSystem,
  path: string,
  logger: Logger,
): Position | undefined {
  const info = files.stat(path);
  if (info === undefined) return undefined;
  const file = files.open(path, { read: true });
  let text: string;
  try {
    const buffer = new Uint8Array(64);
    text = new TextDecoder().decode(buffer.subarray(0, readFully(file, buffer, 0))).trim();
  } finally {
    file.close();
  }
  const position = Number(text);
  if (/^\d{1,20}$/.test(text) && Number.isSafeInteger(position)) return position;
  if (text === "") {
    // A crash of the file system can leave a new file without its bytes: it never held a position.
    logger.warn("found a cursor without a position: it begins anew", { path });
    return undefined;
  }
  throw new StorageError(
    `Cursor "${path}" holds ${
      JSON.stringify(text)
    }, not a position: correct it, or remove it to begin anew`,
  );
}
