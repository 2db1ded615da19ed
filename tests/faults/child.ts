import type { Histories } from "../helpers/checker.ts";

/** A program of a fault test, in a process of its own. It says line by line what it does. */
export class Child implements AsyncDisposable {
  /** What it has said so far. */
  readonly lines: string[] = [];
  readonly #process: Deno.ChildProcess;
  readonly #output: Promise<void>;
  readonly #errors: Promise<string>;
  #watchers: (() => void)[] = [];
  #ended = false;

  /**
   * @param program A file in `programs/`.
   * @param args Its arguments, of which the first is the only folder that it may touch.
   */
  constructor(program: string, args: readonly string[]) {
    const folder = args[0]!;
    const file = new URL(`./programs/${program}`, import.meta.url).pathname;
    const permissions = [`--allow-read=${folder}`, `--allow-write=${folder}`];
    this.#process = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", ...permissions, file, ...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#output = this.#read();
    this.#errors = new Response(this.#process.stderr).text();
  }

  /** Settles when it has said a line that begins so. */
  async until(beginning: string): Promise<void> {
    for (let looked = 0;;) {
      for (; looked < this.lines.length; looked++) {
        if (this.lines[looked]!.startsWith(beginning)) return;
      }
      if (this.#ended) {
        throw new Error(`The program ended without saying "${beginning}": ${await this.#errors}`);
      }
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }

  /** Kills it without any warning, and settles when it is gone and all that it said is read. */
  async kill(): Promise<void> {
    if (!this.#ended) this.#process.kill("SIGKILL");
    await this.end();
  }

  /** Settles when it has ended and all that it said is read. */
  async end(): Promise<void> {
    await this.#process.status;
    await this.#output;
    await this.#errors;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#process.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      this.lines.push(...lines);
      for (const wake of this.#watchers.splice(0)) wake();
    }
    this.#ended = true;
    for (const wake of this.#watchers.splice(0)) wake();
  }
}

/**
 * Adds what a publishing program said: `try writer n count` and `ack writer n count time`.
 *
 * @param before Acknowledgements at this time (ms since 1970) or later do not count.
 */
export function noteHistories(
  lines: readonly string[],
  histories: Histories,
  before = Infinity,
): void {
  for (const line of lines) {
    const [verb, ...numbers] = line.split(" ");
    if (verb !== "try" && verb !== "ack") continue;
    const [writer, n, count, time] = numbers.map(Number) as [number, number, number, number];
    let history = histories.get(writer);
    if (history === undefined) {
      histories.set(writer, history = { attempted: 0, acknowledged: new Set() });
    }
    if (verb === "try") history.attempted = n + count;
    else if (time < before) { for (let i = n; i < n + count; i++) history.acknowledged.add(i); }
  }
}

/** The positions that a subscribing program said that it got: `got position`. */
export function deliveredOf(lines: readonly string[]): number[] {
  return lines.filter((line) => line.startsWith("got ")).map((line) => Number(line.slice(4)));
}

/** Waits so long: the moment of a fault is the one thing here that time decides. */
export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
