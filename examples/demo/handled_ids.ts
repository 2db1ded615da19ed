/**
 * The ids of the messages that a process has handled, one a line in a file that outlives the process.
 * Requires `--allow-read` and `--allow-write` on the file.
 */
export class HandledIds implements Disposable {
  readonly #file: Deno.FsFile;

  /** @param path The file; it is made when it is missing. */
  constructor(path: string) {
    this.#file = Deno.openSync(path, { create: true, append: true });
  }

  /** Adds an id. It is on disk when this returns. */
  add(id: string): void {
    let line = new TextEncoder().encode(`${id}\n`);
    while (line.length > 0) line = line.subarray(this.#file.writeSync(line));
    this.#file.syncDataSync();
  }

  /** Closes the file. */
  [Symbol.dispose](): void {
    this.#file.close();
  }
}

/** Reads the ids that {@linkcode HandledIds} has written, in order, repetitions included. */
export async function readHandledIds(path: string): Promise<string[]> {
  const text = await Deno.readTextFile(path);
  return text.split("\n").filter((line) => line !== "");
}
