import { type Clock, systemClock } from "../base/mod.ts";

/** Where a command writes. */
export interface Output {
  /** Whether a person reads along. */
  readonly isTerminal: boolean;
  /** Whether it takes colour. */
  readonly color: boolean;
  /** Characters that fit on a line. */
  readonly columns: number;
  /**
   * Writes all of the text.
   *
   * @throws {OutputClosedError} When nobody reads any more, as after `| head`.
   */
  write(text: string): Promise<void>;
  /** Writes without anybody waiting for it, as log lines are; what nobody reads is lost. */
  writeSync(text: string): void;
}

/** A command's surroundings, all of which a test can replace. */
export interface Io {
  /** Opens what is typed or piped in; to be called once. */
  readonly stdin: () => ReadableStream<Uint8Array>;
  /** Where results go. */
  readonly stdout: Output;
  /** Where errors and remarks go. */
  readonly stderr: Output;
  /** Aborted by Ctrl-C and SIGTERM; a command then finishes as soon as it safely can. */
  readonly signal: AbortSignal;
  /** Reads an environment variable; undefined also when the permission is missing. */
  readonly env: (name: string) => string | undefined;
  /** Time. */
  readonly clock: Clock;
}

/** Nobody reads what a command writes: it ends, quietly. */
export class OutputClosedError extends Error {
  override readonly name = "OutputClosedError";
  /** @param options The system's error. */
  constructor(options?: ErrorOptions) {
    super("Nobody reads the output any more", options);
  }
}

/** The process's own surroundings, without the signal. */
export function systemIo(): Omit<Io, "signal"> {
  return {
    stdin: () => Deno.stdin.readable,
    stdout: new StreamOutput(Deno.stdout),
    stderr: new StreamOutput(Deno.stderr),
    env: readEnv,
    clock: systemClock,
  };
}

/** Writes to a stream of the process. */
class StreamOutput implements Output {
  readonly isTerminal: boolean;
  readonly color: boolean;
  readonly #stream: typeof Deno.stdout;

  constructor(stream: typeof Deno.stdout) {
    this.#stream = stream;
    this.isTerminal = stream.isTerminal();
    this.color = this.isTerminal && !Deno.noColor;
  }

  get columns(): number {
    try {
      return this.isTerminal ? Deno.consoleSize().columns : 80;
    } catch {
      return 80;
    }
  }

  async write(text: string): Promise<void> {
    let bytes: Uint8Array = new TextEncoder().encode(text);
    try {
      while (bytes.length > 0) bytes = bytes.subarray(await this.#stream.write(bytes));
    } catch (cause) {
      if (cause instanceof Deno.errors.BrokenPipe) throw new OutputClosedError({ cause });
      throw cause;
    }
  }

  writeSync(text: string): void {
    let bytes: Uint8Array = new TextEncoder().encode(text);
    try {
      while (bytes.length > 0) bytes = bytes.subarray(this.#stream.writeSync(bytes));
    } catch {
      // Nobody reads it.
    }
  }
}

function readEnv(name: string): string | undefined {
  // Asking first: reading without permission would prompt the user for it.
  const { state } = Deno.permissions.querySync({ name: "env", variable: name });
  return state === "granted" ? Deno.env.get(name) : undefined;
}
