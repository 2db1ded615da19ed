import { exists } from "@std/fs";
import { messageOf } from "../base/mod.ts";

/** A file to write. */
export interface FileContent {
  /** Where. */
  readonly path: string;
  /** What. */
  readonly text: string;
}

/** Options of {@linkcode writeTogether}. */
export interface WriteTogetherOptions {
  /** Whether to write over files that exist. */
  readonly overwrite: boolean;
  /** Files that must not be written over even so, by whatever path. @default {[]} */
  readonly keep?: readonly string[];
  /** Replacement for the file system's way to open files, for tests. */
  readonly openFile?: typeof Deno.open;
}

/** Longest file that is written over: what is longer was no certificate. */
const MAX_OLD_BYTES = 1024 * 1024;

interface OpenFile extends FileContent {
  readonly file: Deno.FsFile;
  /** What the file held, when it was there before. */
  readonly old: Uint8Array | undefined;
  /** Whether writing has begun. */
  touched: boolean;
}

/**
 * Writes files that are worth something only together, each open to its owner alone (mode 0600).
 * All are opened before the first is written, and a failure puts everything back: files that were
 * new are gone, the others hold what they held.
 *
 * Requires `--allow-read` and `--allow-write` for the files.
 *
 * @param contents The files.
 * @param options Whether files that exist may be written over, and which may not.
 * @throws {Error} When one exists and `overwrite` is false, cannot be written, or is another one too.
 */
export async function writeTogether(
  contents: readonly FileContent[],
  options: WriteTogetherOptions,
): Promise<void> {
  const { overwrite, keep = [], openFile = Deno.open } = options;
  if (!overwrite) await refuseExisting(contents);
  const opened: OpenFile[] = [];
  try {
    for (const content of contents) opened.push(await open(content, overwrite, openFile));
    await refuseSame(opened, keep);
    for (const each of opened) await write(each);
  } catch (error) {
    for (const each of opened) await putBack(each);
    throw error;
  }
  for (const { file } of opened) file.close();
}

async function refuseExisting(contents: readonly FileContent[]): Promise<void> {
  const existing: string[] = [];
  for (const { path } of contents) if (await exists(path)) existing.push(path);
  if (existing.length === 0) return;
  const there = existing.length === 1 ? "exists already" : "exist already";
  throw new Error(`${existing.join(" and ")} ${there}; give other paths, or --force to overwrite`);
}

/** Paths may be written differently and lead to one file all the same. */
async function refuseSame(opened: readonly OpenFile[], keep: readonly string[]): Promise<void> {
  const seen = new Map<string, string>();
  for (const path of keep) seen.set(identityOf(await Deno.stat(path), path), path);
  for (const { path, file } of opened) {
    const identity = identityOf(await file.stat(), path);
    const other = seen.get(identity);
    if (other !== undefined) {
      throw new Error(`Cannot write ${path}: it is the same file as ${other}; give another path`);
    }
    seen.set(identity, path);
  }
}

/** Windows gives no numbers to files. */
function identityOf({ dev, ino }: Deno.FileInfo, path: string): string {
  return ino === null ? path : `${dev}:${ino}`;
}

async function open(
  content: FileContent,
  overwrite: boolean,
  openFile: typeof Deno.open,
): Promise<OpenFile> {
  const { path } = content;
  return await attempt(path, async () => {
    const old = overwrite ? await readIfThere(path) : undefined;
    const isNew = old === undefined;
    const file = await openFile(path, { write: true, createNew: isNew, mode: 0o600 });
    return { ...content, file, old, touched: false };
  });
}

async function readIfThere(path: string): Promise<Uint8Array | undefined> {
  try {
    const { isFile, isDirectory, size } = await Deno.stat(path);
    if (!isDirectory && (!isFile || size > MAX_OLD_BYTES)) {
      throw new Error("what is there is no certificate or key, so --force leaves it alone");
    }
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

async function write(opened: OpenFile): Promise<void> {
  const { path, file, text, old } = opened;
  await attempt(path, async () => {
    opened.touched = true;
    // A file that was there may have been open to others. Windows has no such modes.
    if (old !== undefined && Deno.build.os !== "windows") await Deno.chmod(path, 0o600);
    await replace(file, new TextEncoder().encode(text));
  });
}

async function replace(file: Deno.FsFile, bytes: Uint8Array): Promise<void> {
  await file.seek(0, Deno.SeekMode.Start);
  await file.truncate(0);
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await file.write(rest));
  await file.sync();
}

async function putBack({ path, file, old, touched }: OpenFile): Promise<void> {
  try {
    if (old !== undefined && touched) await replace(file, old);
  } catch {
    // The error that led here is the one to tell.
  } finally {
    file.close();
  }
  if (old === undefined) await Deno.remove(path).catch(() => {});
}

async function attempt<T>(path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    throw new Error(`Cannot write ${path}: ${reasonOf(cause)}`, { cause });
  }
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "its folder does not exist";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  if (error instanceof Deno.errors.IsADirectory) return "it is a folder";
  return messageOf(error);
}
