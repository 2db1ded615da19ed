import { quote } from "../base/mod.ts";
import type { Message } from "../storage/mod.ts";
import { timeOf } from "./message_line.ts";

/** Longest value of an environment variable, in characters. */
const MAX_VARIABLE_LENGTH = 8_192;

/** The program cannot be started at all, whatever the message. */
export class CannotRunError extends Error {
  override readonly name = "CannotRunError";
}

/** A program that is run for each message. */
export class MessageProgram {
  readonly #program: string;
  readonly #args: readonly string[];
  #child: Deno.ChildProcess | undefined;

  /** @param words The program and its arguments. */
  constructor([program, ...args]: readonly string[]) {
    this.#program = program!;
    this.#args = args;
  }

  /**
   * Runs it, with the payload as JSON on its standard input and the rest of the message in its
   * environment.
   *
   * @throws {CannotRunError} When there is no such program, or no permission to run it.
   * @throws {Error} When it ends with a code other than 0, or by a signal.
   */
  async run(message: Message): Promise<void> {
    const child = this.#child = this.#spawn(message);
    try {
      await feed(child, `${JSON.stringify(message.payload)}\n`);
      const { code, signal } = await child.status;
      if (signal !== null) throw new Error(`${this.#program} was ended by ${signal}`);
      if (code !== 0) throw new Error(`${this.#program} ended with exit code ${code}`);
    } finally {
      this.#child = undefined;
    }
  }

  /** Asks the program to end, when it runs. */
  stop(): void {
    try {
      this.#child?.kill("SIGTERM");
    } catch {
      // It has ended.
    }
  }

  #spawn(message: Message): Deno.ChildProcess {
    try {
      return new Deno.Command(this.#program, {
        args: [...this.#args],
        stdin: "piped",
        stdout: "inherit",
        stderr: "inherit",
        env: environmentOf(message),
      }).spawn();
    } catch (error) {
      throw cannotRun(error, this.#program);
    }
  }
}

/** The error of a program that could not be started: another one when it never can be. */
export function cannotRun(error: unknown, program: string): unknown {
  const reason = whyNever(error, program);
  if (reason === undefined) return error;
  return new CannotRunError(`cannot run ${quote(program)}: ${reason}`, { cause: error });
}

/** Why the program cannot be started whatever the message; undefined when the next time may do. */
function whyNever(error: unknown, program: string): string | undefined {
  if (error instanceof Deno.errors.NotCapable) return `run with --allow-run=${program}`;
  if (error instanceof Deno.errors.PermissionDenied) return "its permissions forbid it";
  if (!(error instanceof Deno.errors.NotFound)) return undefined;
  return program.includes(" ")
    ? "there is no such program; give its arguments as words of their own"
    : "there is no such program";
}

function environmentOf(message: Message): Record<string, string> {
  return asVariables({
    KEYOP_ID: message.id,
    KEYOP_CHANNEL: message.channel,
    KEYOP_TYPE: message.payloadType,
    KEYOP_ORIGIN: message.origin,
    KEYOP_CORRELATION_ID: message.correlationId,
    KEYOP_SERVICE: message.serviceName,
    KEYOP_TIMESTAMP: timeOf(message),
    KEYOP_ATTEMPT: String(message.attempt),
  });
}

/** Texts as environment variables of a program. */
export function asVariables(variables: Readonly<Record<string, string>>): Record<string, string> {
  // Peers choose these texts: what no environment can hold must not keep a message from its program.
  return Object.fromEntries(
    Object.entries(variables).map(([name, value]) =>
      [name, value.replaceAll("\0", "").slice(0, MAX_VARIABLE_LENGTH)] as const
    ),
  );
}

/** A program need not read what it is given. */
async function feed(child: Deno.ChildProcess, text: string): Promise<void> {
  const writer = child.stdin.getWriter();
  try {
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  } catch {
    // Its exit code says how it fared.
  }
}
