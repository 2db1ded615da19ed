import { DataDirLockedError, messageOf, StorageError } from "../base/mod.ts";
import { type FileSystem, makeDirDurable, type OpenFile, readFully, writeWhole } from "./files.ts";
import { layout } from "./layout.ts";

/** Each takes microseconds, and so does looking for an owner. */
const MAX_LOCK_TRIES = 1_000;

/**
 * Takes a data directory for this process. The kernel frees the lock when the process ends, however
 * it ends.
 *
 * @throws {DataDirLockedError} When another process, or another messenger of this one, has it.
 */
export function lockDataDir(files: FileSystem, dataDir: string, pid: number): Disposable {
  const path = layout.lock(dataDir);
  let file: OpenFile;
  try {
    makeDirDurable(files, dataDir);
    file = files.open(path, { read: true, write: true, create: true });
  } catch (error) {
    throw new StorageError(`Cannot open data directory "${dataDir}": ${messageOf(error)}`, {
      cause: error,
    });
  }
  try {
    if (!takeLock(file)) throw new DataDirLockedError(dataDir, readPid(file));
    writePid(file, pid);
  } catch (error) {
    file.close();
    if (error instanceof DataDirLockedError) throw error;
    throw new StorageError(`Cannot lock data directory "${dataDir}": ${messageOf(error)}`, {
      cause: error,
    });
  }
  return { [Symbol.dispose]: () => file.close() };
}

/** The process that owns a data directory; undefined when none does. */
export function dataDirOwner(files: FileSystem, dataDir: string): number | undefined {
  const path = layout.lock(dataDir);
  if (files.stat(path) === undefined) return undefined;
  const file = files.open(path, { read: true });
  try {
    return file.tryLockSync(false) ? undefined : readPid(file);
  } finally {
    file.close();
  }
}

/**
 * Takes the lock unless an owner has it. Whoever looks for an owner holds a share of it for a moment,
 * which must not pass for one: where a share is to be had, there is no owner.
 */
function takeLock(file: OpenFile): boolean {
  for (let tries = 0; tries < MAX_LOCK_TRIES; tries++) {
    if (file.tryLockSync(true)) return true;
    if (!file.tryLockSync(false)) return false;
    file.unlockSync();
  }
  return false;
}

/** The lock is the kernel's: a disk that does not take the pid only makes a later error less telling. */
function writePid(file: OpenFile, pid: number): void {
  const bytes = new TextEncoder().encode(`${pid}\n`);
  try {
    file.seekSync(0, 0);
    writeWhole(file, bytes);
    file.truncateSync(bytes.length);
  } catch {
    file.truncateSync(0);
  }
}

function readPid(file: OpenFile): number | undefined {
  const buffer = new Uint8Array(32);
  const text = new TextDecoder().decode(buffer.subarray(0, readFully(file, buffer, 0))).trim();
  return /^\d+$/.test(text) ? Number(text) : undefined;
}
