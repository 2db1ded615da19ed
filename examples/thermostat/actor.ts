import { lines } from "../demo/events.ts";

/** How a program of the example is run. */
export interface ActorOptions {
  /** What its lines are shown with. */
  readonly name: string;
  /** Path of its module. */
  readonly module: string;
  /** What it may read and write. */
  readonly folder: string;
  readonly args: readonly string[];
  /** Ends all waiting, with its reason. */
  readonly signal: AbortSignal;
}

/** A program in a process of its own, whose lines are shown; it ends when its input does. */
export class Actor implements AsyncDisposable {
  /** Settles when it has ended in order. */
  readonly ended: Promise<void>;
  readonly #child: Deno.ChildProcess;
  readonly #signal: AbortSignal;
  readonly #seen: string[] = [];
  #wake = Promise.withResolvers<void>();

  /** Starts it. */
  constructor({ name, module, folder, args, signal }: ActorOptions) {
    this.#signal = signal;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "--no-prompt",
        "--quiet",
        `--allow-read=${folder}`,
        `--allow-write=${folder}`,
        "--allow-net=127.0.0.1",
        "--allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE",
        module,
        ...args,
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.ended = this.#follow(name);
    this.ended.catch(() => {});
  }

  /** Waits for a line that comes after those that were waited for before. */
  async line(pattern: RegExp): Promise<void> {
    for (;;) {
      const index = this.#seen.findIndex((line) => pattern.test(line));
      if (index >= 0) return void this.#seen.splice(0, index + 1);
      this.#signal.throwIfAborted();
      await Promise.race([this.#wake.promise, this.ended.then(() => this.#missing(pattern))]);
    }
  }

  /** Lets it end. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child.stdin.close().catch(() => {});
    await this.ended;
  }

  async #follow(name: string): Promise<void> {
    const abort = () => this.#child.kill("SIGKILL");
    this.#signal.addEventListener("abort", abort, { once: true });
    const complaints = new Response(this.#child.stderr).text();
    for await (const line of lines(this.#child.stdout)) {
      console.log(`${name.padEnd(5)} | ${line}`);
      this.#seen.push(line);
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    }
    const { success } = await this.#child.status;
    this.#signal.removeEventListener("abort", abort);
    if (!success) throw new Error(`${name} failed:\n${await complaints}`);
    await complaints;
  }

  #missing(pattern: RegExp): never {
    throw new Error(`it ended without a line like ${pattern}`);
  }
}
