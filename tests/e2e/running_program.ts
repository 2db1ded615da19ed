/** Longest time that a program of these tests may take, so that one that hangs fails its test. */
const LONGEST_MS = 90_000;

/** How a {@linkcode RunningProgram} is started. */
export interface RunOptions {
  readonly cwd: string;
  readonly env?: Record<string, string>;
}

/** How a program ended. */
export interface Ended {
  readonly code: number;
  readonly signal: Deno.Signal | null;
}

interface Wait {
  readonly pattern: RegExp;
  readonly resolve: (line: string) => void;
}

/** A program that a test has started, and what it has written so far. */
export class RunningProgram implements AsyncDisposable {
  /** Lines of standard output. */
  readonly lines: string[] = [];
  /** Lines of standard error. */
  readonly errors: string[] = [];
  /** Settles when it has ended and everything that it wrote was read. */
  readonly ended: Promise<Ended>;
  readonly #child: Deno.ChildProcess;
  readonly #waits = new Set<Wait>();

  /**
   * Starts Deno.
   *
   * @param args Its arguments.
   * @param options Where and with which additions to the environment.
   */
  constructor(args: readonly string[], options: RunOptions) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [...args],
      cwd: options.cwd,
      env: { NO_COLOR: "1", ...options.env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.ended = this.#follow();
  }

  /** Everything that it wrote, to explain a failure. */
  get output(): string {
    return [...this.lines, "--- standard error", ...this.errors].join("\n");
  }

  /**
   * Waits for a line of standard output.
   *
   * @throws {Error} When the program ends without it.
   */
  async line(pattern: RegExp): Promise<string> {
    const found = this.lines.find((line) => pattern.test(line));
    if (found !== undefined) return found;
    const { promise, resolve } = Promise.withResolvers<string>();
    const wait = { pattern, resolve };
    this.#waits.add(wait);
    const never = this.ended.then(() => {
      throw new Error(`it ended without a line like ${pattern}:\n${this.output}`);
    });
    return await Promise.race([promise, never]).finally(() => this.#waits.delete(wait));
  }

  /** Sends it a signal. */
  signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended already.
    }
  }

  /** Kills it, if it still runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }

  async #follow(): Promise<Ended> {
    const timer = setTimeout(() => this.signal("SIGKILL"), LONGEST_MS);
    const [{ code, signal }] = await Promise.all([
      this.#child.status,
      this.#read(this.#child.stdout, this.lines),
      this.#read(this.#child.stderr, this.errors),
    ]);
    clearTimeout(timer);
    return { code, signal };
  }

  async #read(stream: ReadableStream<Uint8Array>, into: string[]): Promise<void> {
    let rest = "";
    for await (const text of stream.pipeThrough(new TextDecoderStream() as TextDecoding)) {
      const parts = (rest + text).split("\n");
      rest = parts.pop()!;
      for (const line of parts) this.#take(line, into);
    }
    if (rest !== "") this.#take(rest, into);
  }

  #take(line: string, into: string[]): void {
    into.push(line);
    if (into !== this.lines) return;
    for (const { pattern, resolve } of this.#waits) if (pattern.test(line)) resolve(line);
  }
}

type TextDecoding = ReadableWritablePair<string, Uint8Array>;

/**
 * The processes whose command line names a path.
 *
 * @returns Their command lines.
 */
export async function processesNaming(path: string): Promise<string[]> {
  const all = Deno.build.os === "linux" ? await commandLines() : await listedCommandLines();
  return all.filter((line) => line.includes(path));
}

/** From `/proc`, since a small Linux has no `ps`. */
async function commandLines(): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    // A process may end before its turn.
    const text = await Deno.readTextFile(`/proc/${name}/cmdline`).catch(() => "");
    found.push(text.replaceAll("\0", " "));
  }
  return found;
}

async function listedCommandLines(): Promise<string[]> {
  const { stdout } = await new Deno.Command("ps", { args: ["-A", "-ww", "-o", "args="] }).output();
  return new TextDecoder().decode(stdout).split("\n");
}
