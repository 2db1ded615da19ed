import { type DemoEvent, lines } from "./events.ts";

const STOP_MS = 3_000;

/** How a {@linkcode Program} is started. */
export interface ProgramOptions {
  /** What the demo calls it. */
  readonly name: string;
  /** Path of its module. */
  readonly module: string;
  /** Its permission flags, all of them. */
  readonly permissions: readonly string[];
  readonly args: readonly string[];
  /** Where its standard error goes. */
  readonly logPath: string;
  /** Takes what it tells. */
  readonly onEvent: (event: DemoEvent) => void;
  /** Takes how it ended, unless it was made to end. */
  readonly onFailure: (error: Error) => void;
}

/** A program of the demo, in a process of its own. */
export class Program {
  readonly #options: ProgramOptions;
  readonly #child: Deno.ChildProcess;
  readonly #commands: WritableStreamDefaultWriter<Uint8Array>;
  /** Settles when it has ended and everything that it told was taken. */
  readonly #ended: Promise<void>;
  #isToEnd = false;

  /** Starts it. Requires `--allow-run`, and write of its log. */
  constructor(options: ProgramOptions) {
    const { module, permissions, args } = options;
    this.#options = options;
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-prompt", "--quiet", ...permissions, module, ...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#commands = this.#child.stdin.getWriter();
    this.#ended = this.#follow();
  }

  /** Its process id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Sends it a line. */
  async command(line: string): Promise<void> {
    await this.#commands.write(new TextEncoder().encode(`${line}\n`));
  }

  /** Kills it as a power cut would: it can do nothing about it. Settles when it is gone. */
  async kill(): Promise<void> {
    this.#isToEnd = true;
    this.#signal("SIGKILL");
    await this.#ended;
  }

  /** Lets it end in order; kills it when that takes too long. Settles when it is gone. */
  async stop(): Promise<void> {
    this.#isToEnd = true;
    const timer = setTimeout(() => this.#signal("SIGKILL"), STOP_MS);
    // It may have ended, and then there is nobody to tell.
    await this.#commands.close().catch(() => {});
    await this.#ended;
    clearTimeout(timer);
  }

  async #follow(): Promise<void> {
    const { name, logPath, onFailure } = this.#options;
    try {
      const log = await Deno.open(logPath, { create: true, append: true });
      const [{ code, signal }] = await Promise.all([
        this.#child.status,
        this.#listen(),
        this.#child.stderr.pipeTo(log.writable),
      ]);
      const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
      if (!this.#isToEnd) onFailure(new Error(`${name} ended ${how}`));
    } catch (error) {
      this.#signal("SIGKILL");
      await this.#child.status;
      onFailure(new Error(`${name} cannot be followed`, { cause: error }));
    }
  }

  async #listen(): Promise<void> {
    const { name, onEvent, onFailure } = this.#options;
    for await (const line of lines(this.#child.stdout)) {
      try {
        onEvent(JSON.parse(line));
      } catch (cause) {
        onFailure(new Error(`${name} told what cannot be understood: ${line}`, { cause }));
      }
    }
  }

  #signal(signal: Deno.Signal): void {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended already.
    }
  }
}
