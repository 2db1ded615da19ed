import type { AuditFile, AuditFiles } from "../../src/audit/mod.ts";

/** An operation that a fault can be put on. */
export type Operation = "makeDir" | "list" | "open" | "rename" | "remove" | "write" | "truncate";

/** A file system in memory that can be full, broken or stuck. */
export class MemoryFiles implements AuditFiles {
  readonly #files = new Map<string, number[]>();
  /** Bytes that fit on the disk. */
  capacity = Infinity;
  /** Called before each operation; what it throws is the operation's error. */
  fault: (operation: Operation) => void | Promise<void> = () => {};
  /** The most bytes that one write takes. */
  writeMax = Infinity;
  /** How many writes there were. */
  writes = 0;
  /** How many files are open. */
  openFiles = 0;

  /** Bytes on the disk. */
  get used(): number {
    return [...this.#files.values()].reduce((sum, { length }) => sum + length, 0);
  }

  /** The names of the files, sorted. */
  names(): string[] {
    return [...this.#files.keys()].map((path) => path.slice(path.lastIndexOf("/") + 1)).sort();
  }

  /** A file's text. */
  text(path: string): string {
    return new TextDecoder().decode(new Uint8Array(this.#files.get(path) ?? []));
  }

  /** Puts a file on the disk. */
  put(path: string, text: string): void {
    this.#files.set(path, [...new TextEncoder().encode(text)]);
  }

  async makeDir(_path: string): Promise<void> {
    await this.fault("makeDir");
  }

  async list(_path: string): Promise<string[]> {
    await this.fault("list");
    return this.names();
  }

  async open(path: string): Promise<AuditFile> {
    await this.fault("open");
    const bytes = this.#files.get(path) ?? [];
    this.#files.set(path, bytes);
    this.openFiles++;
    return {
      size: bytes.length,
      endsLine: bytes.length === 0 || bytes.at(-1) === 0x0a,
      write: async (data) => {
        this.writes++;
        await this.fault("write");
        const room = Math.min(this.capacity - this.used, this.writeMax, data.length);
        if (room <= 0) throw new Error("No space left on device");
        bytes.push(...data.subarray(0, room));
        return room;
      },
      truncate: async (size) => {
        await this.fault("truncate");
        bytes.length = size;
      },
      close: () => void this.openFiles--,
    };
  }

  async rename(from: string, to: string): Promise<void> {
    await this.fault("rename");
    const bytes = this.#files.get(from);
    if (bytes === undefined) throw new Deno.errors.NotFound(from);
    this.#files.delete(from);
    this.#files.set(to, bytes);
  }

  async remove(path: string): Promise<void> {
    await this.fault("remove");
    if (!this.#files.delete(path)) throw new Deno.errors.NotFound(path);
  }
}
