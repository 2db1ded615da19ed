/** A Deno program, with the permissions that it has and no other. */
export interface Program {
  /** Its path, below the repository. */
  readonly path: string;
  readonly args: readonly string[];
  /** `--allow-...` flags. */
  readonly permissions: readonly string[];
}

/** The arguments that `deno` runs a program with. */
export function denoArgs({ path, args, permissions }: Program): string[] {
  return ["run", "--quiet", "--no-prompt", ...permissions, path, ...args];
}

/**
 * Runs a Deno program to its end.
 *
 * @returns The last line that it printed, as JSON.
 * @throws {Error} When it failed, with what it said.
 */
export async function runChild<T>(program: Program): Promise<T> {
  await using child = new Process("deno", denoArgs(program));
  return await child.answer<T>();
}

/** A program that answers in lines of JSON, and may be told what to do in lines of JSON. */
export class Process implements AsyncDisposable {
  readonly #process: Deno.ChildProcess;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #lines: AsyncIterator<string, void>;
  readonly #complaints: Promise<string>;
  readonly #name: string;

  /** Starts the program. */
  constructor(name: string, args: readonly string[] = []) {
    this.#name = [name, ...args].join(" ");
    this.#process = new Deno.Command(name, {
      args: [...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#writer = this.#process.stdin.getWriter();
    this.#lines = linesOf(this.#process.stdout);
    this.#complaints = new Response(this.#process.stderr).text();
  }

  /** Tells the program something and waits for its answer. */
  async ask<T>(request: unknown): Promise<T> {
    await this.#writer.write(new TextEncoder().encode(JSON.stringify(request) + "\n"));
    return await this.answer<T>();
  }

  /**
   * The next line that the program prints.
   *
   * @throws {Error} When it ended instead, with what it said.
   */
  async answer<T>(): Promise<T> {
    const { value, done } = await this.#lines.next();
    if (!done) return JSON.parse(value) as T;
    throw new Error(`"${this.#name}" ended without an answer:\n${await this.#complaints}`);
  }

  /** Ends the program by ending its input, and waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#writer.close().catch(() => {});
    await this.#process.status;
    await this.#lines.return?.();
    await this.#complaints;
  }
}

/** What the program that runs this is told, line by line. */
export async function* requests<T>(): AsyncGenerator<T, void> {
  for await (const line of linesOf(Deno.stdin.readable)) yield JSON.parse(line) as T;
}

/** Answers with one line of JSON. */
export function answer(value: unknown): void {
  console.log(JSON.stringify(value));
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}
