import { resolve } from "node:path";

// deno-lint-ignore no-explicit-any -- a test reads what it expects
type Line = any;

const LONGEST_MS = 60_000;

/** A running program of `tests/interop/go`, which writes one JSON object a line. */
export class GoPeer implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: Line[] = [];
  readonly #status: Promise<Deno.CommandStatus>;
  #errors = "";
  #wake = Promise.withResolvers<void>();
  #isOver = false;

  /** Why the programs cannot be built here; undefined when they can. */
  static async missing(): Promise<string | undefined> {
    try {
      const { success } = await new Deno.Command("go", { args: ["version"], stdout: "null" })
        .output();
      return success ? undefined : "`go version` fails";
    } catch {
      return "there is no Go";
    }
  }

  /** Builds the program into a folder. */
  static async build(dir: string): Promise<void> {
    const { success, stderr } = await new Deno.Command("go", {
      args: ["build", "-o", `${dir}/peer`, "."],
      cwd: resolve("tests/interop/go"),
      stdout: "null",
    }).output();
    if (!success) throw new Error(`go build failed:\n${new TextDecoder().decode(stderr)}`);
  }

  /**
   * Starts it.
   *
   * @param dir Where it was built.
   * @param args Its flags.
   */
  constructor(dir: string, args: readonly string[]) {
    this.#child = new Deno.Command(`${dir}/peer`, {
      args: ["-protos", resolve("src/gateway/proto"), ...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#input = this.#child.stdin.getWriter();
    const reading = Promise.all([
      this.#read(this.#child.stdout, (line) => this.#lines.push(JSON.parse(line))),
      this.#read(this.#child.stderr, (line) => this.#errors += `${line}\n`),
    ]);
    this.#status = Promise.all([this.#child.status, reading]).then(([status]) => {
      this.#isOver = true;
      this.#wake.resolve();
      return status;
    });
  }

  /** The next line. Rejects when the program ends without it. */
  async line(): Promise<Line> {
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), LONGEST_MS);
    try {
      while (this.#lines.length === 0) {
        if (this.#isOver) throw new Error(`the peer ended: ${this.#errors}`);
        this.#wake = Promise.withResolvers();
        await this.#wake.promise;
      }
      return this.#lines.shift();
    } finally {
      clearTimeout(timer);
    }
  }

  /** Lets it go on: the line that it waits for. */
  goOn(): void {
    this.#input.write(new TextEncoder().encode("\n")).catch(() => {});
  }

  /** Waits for its end. */
  async exit(): Promise<number> {
    return (await this.#status).code;
  }

  /** Ends it, if it still runs. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await this.#status;
    await this.#input.close().catch(() => {});
  }

  async #read(stream: ReadableStream<Uint8Array>, take: (line: string) => void): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const bytes of stream) {
      const parts = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = parts.pop()!;
      for (const part of parts) take(part);
      this.#wake.resolve();
    }
  }
}
