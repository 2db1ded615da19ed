import type { AuditFile, AuditFiles } from "./audit_files.ts";

const NAME = "audit.jsonl";
const LINE_BREAK = new Uint8Array([0x0a]);

/** Options of {@linkcode RotatingFile}. */
export interface RotatingFileOptions {
  /** The folder, made when missing. */
  readonly dir: string;
  /** The length in bytes beyond which a file is put aside; only a single longer line makes it longer. */
  readonly maxSizeBytes: number;
  /** How many files put aside are kept. */
  readonly maxFiles: number;
  /** The file system. */
  readonly files: AuditFiles;
}

/**
 * `audit.jsonl`, and what was put aside of it: `audit.jsonl.1` is the newest. Whatever fails can be tried
 * again: nothing is written twice, and no line is left half written where that can be helped.
 */
export class RotatingFile {
  readonly #options: RotatingFileOptions;
  #file: AuditFile | undefined;
  #size = 0;

  /** @param options Where, how long, how many. */
  constructor(options: RotatingFileOptions) {
    this.#options = options;
  }

  /** The file that is written. */
  get path(): string {
    return `${this.#options.dir}/${NAME}`;
  }

  /**
   * Appends lines, as many of the first ones as the current file takes, with one write.
   *
   * @param lines At least one line, each with its line break.
   * @returns How many were written, at least one.
   */
  async append(lines: readonly Uint8Array[]): Promise<number> {
    let file = this.#file ??= await this.#open();
    if (this.#size > 0 && this.#size + lines[0]!.length > this.#options.maxSizeBytes) {
      this.close();
      await this.#putAside();
      file = this.#file = await this.#open();
    }
    const batch = join(lines, this.#options.maxSizeBytes - this.#size);
    let written = 0;
    try {
      while (written < batch.length) written += await writeSome(file, batch.subarray(written));
    } catch (error) {
      const { count, bytes } = wholeLines(lines, written);
      await this.#cutBack(file, this.#size + bytes);
      if (count === 0) throw error;
      return count;
    }
    this.#size += written;
    return wholeLines(lines, written).count;
  }

  /** Closes the file; the next `append` opens it again. */
  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  async #open(): Promise<AuditFile> {
    const { dir, files } = this.#options;
    await files.makeDir(dir);
    await this.#removeSurplus();
    const file = await files.open(this.path);
    this.#size = file.size;
    if (file.endsLine) return file;
    try {
      // A crash cut the last line short: it stays, as a line of its own.
      this.#size += await writeSome(file, LINE_BREAK);
    } catch (error) {
      file.close();
      throw error;
    }
    return file;
  }

  /** After a failed write: takes the half line off, and gives the file up, since it may be broken. */
  async #cutBack(file: AuditFile, size: number): Promise<void> {
    this.#file = undefined;
    try {
      await file.truncate(size);
    } catch {
      // Opening it again puts a line break behind the half line.
    } finally {
      file.close();
    }
  }

  /**
   * Moves every file put aside one number up, as far as the first number that is free, and the current
   * one to number 1. The free number makes it safe to go on after an attempt that failed on the way.
   */
  async #putAside(): Promise<void> {
    const { maxFiles, files } = this.#options;
    const taken = new Set(await this.#numbers());
    let free = 1;
    while (free < maxFiles && taken.has(free)) free++;
    for (let number = free - 1; number >= 1; number--) {
      await files.rename(this.#aside(number), this.#aside(number + 1));
    }
    await files.rename(this.path, this.#aside(1));
  }

  /** Deletes what is left from a time when more files were kept. */
  async #removeSurplus(): Promise<void> {
    const { maxFiles, files } = this.#options;
    for (const number of await this.#numbers()) {
      if (number > maxFiles) await files.remove(this.#aside(number));
    }
  }

  /** The numbers of the files put aside. */
  async #numbers(): Promise<number[]> {
    const numbers: number[] = [];
    for (const name of await this.#options.files.list(this.#options.dir)) {
      const match = /^audit\.jsonl\.([1-9]\d{0,8})$/.exec(name);
      if (match) numbers.push(Number(match[1]));
    }
    return numbers;
  }

  #aside(number: number): string {
    return `${this.path}.${number}`;
  }
}

async function writeSome(file: AuditFile, bytes: Uint8Array): Promise<number> {
  const written = await file.write(bytes);
  if (written <= 0) throw new Error("nothing was written");
  return written;
}

/** The first line and those after it that stay within the limit, in one piece. */
function join(lines: readonly Uint8Array[], limitBytes: number): Uint8Array {
  let length = lines[0]!.length;
  let count = 1;
  while (count < lines.length && length + lines[count]!.length <= limitBytes) {
    length += lines[count++]!.length;
  }
  const batch = new Uint8Array(length);
  let at = 0;
  for (let n = 0; n < count; n++) {
    batch.set(lines[n]!, at);
    at += lines[n]!.length;
  }
  return batch;
}

/** How many of the first lines are whole within that many bytes, and where the last of them ends. */
function wholeLines(
  lines: readonly Uint8Array[],
  written: number,
): { count: number; bytes: number } {
  let count = 0;
  let bytes = 0;
  while (count < lines.length && bytes + lines[count]!.length <= written) {
    bytes += lines[count++]!.length;
  }
  return { count, bytes };
}
