import { denoFiles, type FileSystem, type OpenFile } from "../../src/storage/mod.ts";

/** What can be counted and made to fail. `sync` stands for both ways to sync a file. */
export type FileCall =
  | "open"
  | "makeDir"
  | "list"
  | "stat"
  | "rename"
  | "remove"
  | "syncDir"
  | "read"
  | "write"
  | "truncate"
  | "sync"
  | "lock"
  | "close";

/** Which calls fail. */
export interface FailureOptions {
  /** Only calls on paths that hold this text. */
  readonly path?: string;
  /** The first matching call that fails, from 1. @default {1} */
  readonly nth?: number;
  /** How many calls fail from there on. @default {1} */
  readonly times?: number;
  /** What is thrown. @default an input/output error */
  readonly error?: () => Error;
}

interface Failure extends Required<FailureOptions> {
  readonly call: FileCall;
  seen: number;
}

/** One call, as it was made. */
export interface SeenCall {
  readonly call: FileCall;
  readonly path: string;
  /** How many bytes a write was asked to write. */
  readonly bytes?: number;
  /** Whether a sync or a read was asynchronous. */
  readonly aside?: boolean;
}

/** The error of a full disk, as Deno throws it. */
export function diskFullError(): Error {
  return Object.assign(new Error("No space left on device (os error 28)"), { code: "ENOSPC" });
}

/** The error of a broken disk, as Deno throws it. */
export function ioError(): Error {
  return Object.assign(new Error("Input/output error (os error 5)"), { code: "EIO" });
}

/**
 * The real file system with faults: a disk that fills, writes that come short, calls that fail at
 * their Nth time. It keeps every call that was made.
 */
export class FaultyFiles implements FileSystem {
  /** Bytes by which files may still grow; beyond them a write comes short, then throws. */
  roomBytes = Infinity;
  /** The most that one write takes. */
  writeBytesMax = Infinity;
  /** Every call so far, in order; `stat` and `list` as well. */
  readonly calls: SeenCall[] = [];
  /** Called before each call, for a test that lets time pass in it. */
  onCall: ((call: FileCall, path: string) => void) | undefined;
  /** While set, asynchronous syncs wait for it before they reach the disk. */
  syncGate: Promise<void> | undefined;
  readonly #failures: Failure[] = [];
  readonly #underWay = new Set<Promise<unknown>>();

  /** Makes calls fail. @returns Ends the failing. */
  fail(call: FileCall, options: FailureOptions = {}): () => void {
    const { path = "", nth = 1, times = 1, error = ioError } = options;
    const failure: Failure = { call, path, nth, times, error, seen: 0 };
    this.#failures.push(failure);
    return () => void this.#failures.splice(this.#failures.indexOf(failure), 1);
  }

  /** Settles when no asynchronous call is under way. */
  async idle(): Promise<void> {
    while (this.#underWay.size > 0) await Promise.allSettled(this.#underWay);
  }

  /** Ends every fault. */
  heal(): void {
    this.#failures.length = 0;
    this.roomBytes = Infinity;
    this.writeBytesMax = Infinity;
    this.syncGate = undefined;
  }

  /** How many calls there were, on paths that hold a text. */
  count(call: FileCall, path = ""): number {
    return this.calls.filter((seen) => seen.call === call && seen.path.includes(path)).length;
  }

  open(path: string, options: Deno.OpenOptions): OpenFile {
    this.#enter("open", path);
    const before = options.truncate ? denoFiles.stat(path)?.size ?? 0 : 0;
    const file = denoFiles.open(path, options);
    this.roomBytes += before;
    return new FaultyFile(file, path, options.append ?? false, this, this.#enter, this.#follow);
  }
  makeDir(path: string): void {
    this.#enter("makeDir", path);
    denoFiles.makeDir(path);
  }
  list(path: string): string[] {
    this.#enter("list", path);
    return denoFiles.list(path);
  }
  stat(path: string): ReturnType<FileSystem["stat"]> {
    this.#enter("stat", path);
    return denoFiles.stat(path);
  }
  rename(from: string, to: string): void {
    this.#enter("rename", to);
    denoFiles.rename(from, to);
  }
  remove(path: string): void {
    this.#enter("remove", path);
    const size = denoFiles.stat(path)?.size ?? 0;
    denoFiles.remove(path);
    this.roomBytes += size;
  }
  syncDir(path: string): void {
    this.#enter("syncDir", path);
    denoFiles.syncDir(path);
  }

  readonly #follow: Follow = (call) => {
    this.#underWay.add(call);
    const end = () => void this.#underWay.delete(call);
    call.then(end, end);
    return call;
  };

  readonly #enter: Enter = (call, path, more) => {
    this.calls.push({ call, path, ...more });
    this.onCall?.(call, path);
    for (const failure of this.#failures) {
      if (failure.call !== call || !path.includes(failure.path)) continue;
      failure.seen++;
      if (failure.seen >= failure.nth && failure.seen < failure.nth + failure.times) {
        throw failure.error();
      }
    }
  };
}

type Enter = (
  call: FileCall,
  path: string,
  more?: { readonly bytes?: number; readonly aside?: boolean },
) => void;

type Follow = <T>(call: Promise<T>) => Promise<T>;

class FaultyFile implements OpenFile {
  readonly #file: OpenFile;
  readonly #path: string;
  readonly #append: boolean;
  readonly #disk: FaultyFiles;
  readonly #enter: Enter;
  readonly #follow: Follow;

  constructor(
    file: OpenFile,
    path: string,
    append: boolean,
    disk: FaultyFiles,
    enter: Enter,
    follow: Follow,
  ) {
    this.#file = file;
    this.#path = path;
    this.#append = append;
    this.#disk = disk;
    this.#enter = enter;
    this.#follow = follow;
  }

  // deno-lint-ignore require-await -- what it throws becomes the promise's rejection
  async read(buffer: Uint8Array): Promise<number | null> {
    this.#enter("read", this.#path, { aside: true });
    return this.#follow(this.#file.read(buffer));
  }
  readSync(buffer: Uint8Array): number | null {
    this.#enter("read", this.#path);
    return this.#file.readSync(buffer);
  }
  writeSync(bytes: Uint8Array): number {
    this.#enter("write", this.#path, { bytes: bytes.length });
    const disk = this.#disk;
    const size = this.#file.statSync().size;
    const overwritten = this.#append ? 0 : size - this.#file.seekSync(0, Deno.SeekMode.Current);
    const room = overwritten + disk.roomBytes;
    if (bytes.length > 0 && room <= 0) throw diskFullError();
    const taken = Math.min(bytes.length, room, disk.writeBytesMax);
    const written = this.#file.writeSync(bytes.subarray(0, taken));
    disk.roomBytes -= Math.max(0, written - overwritten);
    return written;
  }
  seekSync(offset: number | bigint, whence: Deno.SeekMode): number {
    return this.#file.seekSync(offset, whence);
  }
  truncateSync(length?: number): void {
    this.#enter("truncate", this.#path);
    const before = this.#file.statSync().size;
    this.#file.truncateSync(length);
    this.#disk.roomBytes += before - (length ?? 0);
  }
  syncData(): Promise<void> {
    return this.#follow(this.#syncWhenLet());
  }
  syncDataSync(): void {
    this.#enter("sync", this.#path);
    this.#file.syncDataSync();
  }
  statSync(): Deno.FileInfo {
    return this.#file.statSync();
  }
  tryLockSync(exclusive?: boolean): boolean {
    this.#enter("lock", this.#path);
    return this.#file.tryLockSync(exclusive);
  }
  unlockSync(): void {
    this.#file.unlockSync();
  }
  close(): void {
    this.#enter("close", this.#path);
    this.#file.close();
  }

  async #syncWhenLet(): Promise<void> {
    await this.#disk.syncGate;
    this.#enter("sync", this.#path, { aside: true });
    await this.#file.syncData();
  }
}
