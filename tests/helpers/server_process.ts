/** Longest time that a server may take to say that it is ready. */
const START_LIMIT_MS = 20_000;
const TAIL_LINES = 200;

/** How a {@linkcode ServerProcess} is started. */
export interface ServerCommand {
  /** The program's name. */
  readonly program: string;
  readonly args: readonly string[];
  /** A line, on either output, which says that it takes connections. */
  readonly ready: RegExp;
}

/** A server of the system that runs in a process of its own, until it is stopped. */
export class ServerProcess {
  readonly #child: Deno.ChildProcess;
  readonly #name: string;
  readonly #tail: string[] = [];
  readonly #reading: Promise<unknown>;
  readonly #ready = Promise.withResolvers<void>();

  private constructor({ program, args, ready }: ServerCommand) {
    this.#name = program;
    this.#child = new Deno.Command(program, {
      args: [...args],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#reading = Promise.all([
      this.#read(this.#child.stdout, ready),
      this.#read(this.#child.stderr, ready),
    ]).then(() => this.#ready.reject(new Error(`${program} ended:\n${this.output}`)));
    this.#ready.promise.catch(() => {});
  }

  /** Starts a server and waits until it is ready. */
  static async start(command: ServerCommand): Promise<ServerProcess> {
    const process = new ServerProcess(command);
    const limit = setTimeout(() => process.#child.kill("SIGKILL"), START_LIMIT_MS);
    try {
      await process.#ready.promise;
    } catch (error) {
      await process.end("SIGKILL");
      throw error;
    } finally {
      clearTimeout(limit);
    }
    return process;
  }

  /** The last lines that it wrote. */
  get output(): string {
    return this.#tail.join("\n");
  }

  /** Sends it a signal and waits until it has ended. */
  async end(signal: Deno.Signal): Promise<void> {
    try {
      this.#child.kill(signal);
    } catch {
      // It has ended already.
    }
    await this.#child.status;
    await this.#reading;
  }

  /** Sends it a signal: `SIGSTOP` makes it silent without closing anything, `SIGCONT` ends that. */
  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  async #read(bytes: ReadableStream<Uint8Array>, ready: RegExp): Promise<void> {
    const decoder = new TextDecoder();
    let rest = "";
    for await (const chunk of bytes) {
      const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
      rest = lines.pop()!;
      for (const line of lines) {
        this.#tail.push(`${this.#name}: ${line}`);
        if (ready.test(line)) this.#ready.resolve();
      }
      this.#tail.splice(0, this.#tail.length - TAIL_LINES);
    }
  }
}

/** A port of loopback that nobody listens on. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

/** Whether the system has a program; says so when it has not, since tests are skipped then. */
export function hasProgram(program: string): boolean {
  for (const folder of (Deno.env.get("PATH") ?? "").split(":")) {
    try {
      if (Deno.statSync(`${folder}/${program}`).isFile) return true;
    } catch {
      // Not in this folder.
    }
  }
  console.log(`tests with ${program}: skipped: it is not installed`);
  return false;
}
