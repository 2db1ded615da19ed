const NEWLINE = 0x0a;

/** A file that is open for appending. */
export interface AuditFile {
  /** Its length in bytes when it was opened. */
  readonly size: number;
  /** Whether it was empty or ended in a line break when it was opened. */
  readonly endsLine: boolean;
  /** Appends bytes; may write fewer than asked and says how many. */
  write(bytes: Uint8Array): Promise<number>;
  /** Cuts the file to a length in bytes. */
  truncate(size: number): Promise<void>;
  /** Gives it back; never throws. */
  close(): void;
}

/** The part of a file system that the audit log uses. Every method rejects when it fails. */
export interface AuditFiles {
  /** Makes a folder and its parents; nothing happens when it is there already. */
  makeDir(path: string): Promise<void>;
  /** The names of the files in a folder. */
  list(path: string): Promise<string[]>;
  /** Opens a file for appending and makes it when it is missing. */
  open(path: string): Promise<AuditFile>;
  /** Gives a file another name, in place of a file that has it. */
  rename(from: string, to: string): Promise<void>;
  /** Deletes a file. */
  remove(path: string): Promise<void>;
}

/** The computer's own file system. Needs read and write permission for the audit log's folder. */
export const systemAuditFiles: AuditFiles = {
  makeDir: (path) => Deno.mkdir(path, { recursive: true }),
  async list(path) {
    const names: string[] = [];
    for await (const entry of Deno.readDir(path)) if (entry.isFile) names.push(entry.name);
    return names;
  },
  async open(path) {
    const file = await Deno.open(path, { read: true, append: true, create: true });
    try {
      const { size } = await file.stat();
      return {
        size,
        endsLine: size === 0 || await byteAt(file, size - 1) === NEWLINE,
        write: (bytes) => file.write(bytes),
        truncate: (length) => file.truncate(length),
        close: () => file.close(),
      };
    } catch (error) {
      file.close();
      throw error;
    }
  },
  rename: (from, to) => Deno.rename(from, to),
  remove: (path) => Deno.remove(path),
};

async function byteAt(file: Deno.FsFile, position: number): Promise<number | undefined> {
  await file.seek(position, Deno.SeekMode.Start);
  const byte = new Uint8Array(1);
  await file.read(byte);
  return byte[0];
}
