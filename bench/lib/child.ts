/** Flags that a child process is started with: its permissions, and nothing else. */
export interface ChildOptions {
  /** Path of the program, below the repository. */
  readonly program: string;
  readonly args: readonly string[];
  /** `--allow-...` flags. */
  readonly permissions: readonly string[];
}

/**
 * Runs a Deno program to its end.
 *
 * @returns The last line that it printed, as JSON.
 * @throws {Error} When it failed, with what it said.
 */
export async function runChild<T>(options: ChildOptions): Promise<T> {
  const { success, stdout, stderr } = await command(options, "null").output();
  const decoder = new TextDecoder();
  if (!success) throw new Error(`${options.program} failed:\n${decoder.decode(stderr)}`);
  return JSON.parse(decoder.decode(stdout).trimEnd().split("\n").at(-1)!) as T;
}

/** A Deno program that is told what to do line by line and answers each line with one, in JSON. */
export class TalkingChild implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncIterator<string>;
  readonly #program: string;

  /** Starts the program. */
  constructor(options: ChildOptions) {
    this.#program = options.program;
    this.#process = command(options, "piped").spawn();
    this.#writer = this.#process.stdin.getWriter();
    this.#lines = linesOf(this.#process.stdout);
  }

  /** Tells the program something and waits for its answer. */
  async ask<T>(request: unknown): Promise<T> {
    await this.#writer.write(new TextEncoder().encode(JSON.stringify(request) + "\n"));
    return await this.answer<T>();
  }

  /** The next line that the program prints. */
  async answer<T>(): Promise<T> {
    const { value, done } = await this.#lines.next();
    if (!done) return JSON.parse(value) as T;
    const said = await new Response(this.#process.stderr).text();
    throw new Error(`${this.#program} ended without an answer:\n${said}`);
  }

  /** Ends the program by ending its input, and waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close().catch(() => {});
    await this.#lines.return?.();
    if (!this.#process.stderr.locked) await this.#process.stderr.cancel();
    await this.#process.status;
  }
}

/** What a program is told, line by line, as JSON. For the child's side. */
export async function* requests<T>(): AsyncGenerator<T> {
  const lines = linesOf(Deno.stdin.readable);
  for (let next = await lines.next(); !next.done; next = await lines.next()) {
    yield JSON.parse(next.value) as T;
  }
}

/** Answers with one line of JSON. For the child's side. */
export function answer(value: unknown): void {
  console.log(JSON.stringify(value));
}

function command(
  { program, args, permissions }: ChildOptions,
  stdin: "piped" | "null",
): Deno.Command {
  return new Deno.Command("deno", {
    args: ["run", "--quiet", "--no-prompt", ...permissions, program, ...args],
    stdin,
    stdout: "piped",
    stderr: "piped",
  });
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
