/** An open file, as much of `Deno.FsFile` as a log needs. */
export type OpenFile = Pick<
  Deno.FsFile,
  | "read"
  | "readSync"
  | "writeSync"
  | "seekSync"
  | "truncateSync"
  | "syncData"
  | "syncDataSync"
  | "statSync"
  | "tryLockSync"
  | "unlockSync"
  | "close"
>;

/** What a file system knows of a file or folder. */
export interface FileStat {
  /** Length in bytes. */
  readonly size: number;
  /** When it was changed, in milliseconds since 1970. */
  readonly changedAt: number;
  /** The same as long as it is the same file or folder; another one for a copy of it. */
  readonly identity?: string;
}

/**
 * The file system, as an option, so that a test can tear a write, fail a sync or fill the disk.
 * Calls are those of `Deno`, with the same meaning and errors.
 */
export interface FileSystem {
  /** Opens a file, as `Deno.openSync` does. */
  open(path: string, options: Deno.OpenOptions): OpenFile;
  /** Makes a folder and its parents; one that is there already is fine. */
  makeDir(path: string): void;
  /** Names in a folder; none when there is no such folder. */
  list(path: string): string[];
  /** What is known of a file or folder; undefined when there is none. */
  stat(path: string): FileStat | undefined;
  /** Renames a file over another one. */
  rename(from: string, to: string): void;
  /** Removes a file. */
  remove(path: string): void;
  /** Makes names that were added to or taken from a folder survive a power cut. */
  syncDir(path: string): void;
}

/** The computer's own file system. */
export const denoFiles: FileSystem = {
  open: (path, options) => Deno.openSync(path, options),
  makeDir: (path) => Deno.mkdirSync(path, { recursive: true }),
  list(path) {
    try {
      return Array.from(Deno.readDirSync(path), (entry) => entry.name);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw error;
    }
  },
  stat(path) {
    try {
      const info = Deno.statSync(path);
      return {
        size: info.size,
        changedAt: info.mtime?.getTime() ?? 0,
        identity: `${info.ino ?? ""}:${info.birthtime?.getTime() ?? ""}`,
      };
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
  },
  rename: (from, to) => Deno.renameSync(from, to),
  remove: (path) => Deno.removeSync(path),
  syncDir(path) {
    // Windows has no such call on a folder, and keeps names without it.
    if (Deno.build.os === "windows") return;
    const dir = Deno.openSync(path, { read: true });
    try {
      dir.syncSync();
    } finally {
      dir.close();
    }
  },
};

/**
 * Makes a folder and those above it, so that they survive a power cut. Folders above that this program
 * has no permission to read are trusted to be there.
 */
export function makeDirDurable(files: FileSystem, path: string): void {
  const parents: string[] = [];
  for (let at = path; isMissing(files, at); at = parentOf(at)) parents.push(parentOf(at));
  files.makeDir(path);
  for (const parent of parents) {
    try {
      files.syncDir(parent);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotCapable)) throw error;
    }
  }
}

function isMissing(files: FileSystem, path: string): boolean {
  if (path === "." || path === "/") return false;
  try {
    return files.stat(path) === undefined;
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return false;
    throw error;
  }
}

/** The folder that a path lies in. */
export function parentOf(path: string): string {
  const slash = path.lastIndexOf("/");
  if (slash < 0) return ".";
  return slash === 0 ? "/" : path.slice(0, slash);
}

/** Writes all bytes: one call may write fewer than asked, on a disk that is nearly full. */
export function writeWhole(file: OpenFile, bytes: Uint8Array): void {
  let written = 0;
  while (written < bytes.length) {
    const count = file.writeSync(written === 0 ? bytes : bytes.subarray(written));
    if (count === 0) throw new Deno.errors.WriteZero("the disk took no more bytes");
    written += count;
  }
}

/** Reads until the buffer is full or the file ends. @returns How many bytes were read. */
export function readFully(file: OpenFile, buffer: Uint8Array, offset: number): number {
  file.seekSync(offset, 0);
  let read = 0;
  while (read < buffer.length) {
    const count = file.readSync(buffer.subarray(read));
    if (count === null || count === 0) break;
    read += count;
  }
  return read;
}
