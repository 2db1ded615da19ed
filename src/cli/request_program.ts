import { type BusContext, PayloadTooLargeError } from "../bus/mod.ts";
import { asVariables, cannotRun } from "./exec.ts";

const KILL_AFTER_MS = 2_000;
const MAX_COMPLAINT_BYTES = 4_096;
const NEWLINE = 0x0a;

/** A program that is run for each request, and answers with what it prints. */
export class RequestProgram {
  readonly #program: string;
  readonly #args: readonly string[];
  readonly #maxBytes: number;

  /**
   * @param words The program and its arguments.
   * @param maxBytes The largest answer.
   */
  constructor([program, ...args]: readonly string[], maxBytes: number) {
    this.#program = program!;
    this.#args = args;
    this.#maxBytes = maxBytes;
  }

  /**
   * Runs it with the request on its standard input.
   *
   * @returns Everything that it printed.
   * @throws {CannotRunError} When there is no such program, or no permission to run it.
   * @throws {Error} When it ends with a code other than 0, or prints too much.
   */
  async answer(data: Uint8Array, context: BusContext): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    for await (const part of this.#output(data, context)) {
      parts.push(part);
      this.#check(parts, context);
    }
    return joined(parts);
  }

  /** Runs it; each line that it prints is a reply of its own. */
  async *answerLines(
    data: Uint8Array,
    context: BusContext,
  ): AsyncGenerator<Uint8Array, void, void> {
    let begun: Uint8Array[] = [];
    for await (const part of this.#output(data, context)) {
      let from = 0;
      for (let at = part.indexOf(NEWLINE); at >= 0; at = part.indexOf(NEWLINE, from)) {
        yield joined([...begun, part.subarray(from, at)]);
        begun = [];
        from = at + 1;
      }
      if (from < part.length) begun.push(part.slice(from));
      this.#check(begun, context);
    }
    if (begun.length > 0) yield joined(begun);
  }

  async *#output(data: Uint8Array, context: BusContext): AsyncGenerator<Uint8Array, void, void> {
    const child = this.#spawn(context);
    const complaint = lastLine(child.stderr);
    const fed = feed(child, data);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = () => {
      kill(child, "SIGTERM");
      timer ??= setTimeout(() => kill(child, "SIGKILL"), KILL_AFTER_MS);
    };
    context.signal.addEventListener("abort", stop, { once: true });
    if (context.signal.aborted) stop();
    try {
      yield* child.stdout;
      const { code, signal } = await child.status;
      const why = await complaint;
      const more = why === "" ? "" : `: ${why}`;
      if (signal !== null) throw new Error(`${this.#program} was ended by ${signal}${more}`);
      if (code !== 0) throw new Error(`${this.#program} ended with exit code ${code}${more}`);
    } finally {
      // Whoever asked may have left before the program's end.
      context.signal.removeEventListener("abort", stop);
      stop();
      await child.status;
      clearTimeout(timer);
      await Promise.all([fed, complaint]);
    }
  }

  #check(parts: readonly Uint8Array[], { subject }: BusContext): void {
    const bytes = parts.reduce((total, part) => total + part.length, 0);
    if (bytes > this.#maxBytes) throw new PayloadTooLargeError(subject, bytes, this.#maxBytes);
  }

  #spawn({ subject, headers }: BusContext): Deno.ChildProcess {
    try {
      return new Deno.Command(this.#program, {
        args: [...this.#args],
        stdin: "piped",
        stdout: "piped",
        stderr: "piped",
        env: asVariables({
          KEYOP_SUBJECT: subject,
          KEYOP_CORRELATION_ID: headers["correlation-id"] ?? "",
          KEYOP_SERVICE: headers["service-name"] ?? "",
        }),
      }).spawn();
    } catch (error) {
      throw cannotRun(error, this.#program);
    }
  }
}

function kill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It has ended.
  }
}

/** A program need not read what it is given. */
async function feed(child: Deno.ChildProcess, data: Uint8Array): Promise<void> {
  const writer = child.stdin.getWriter();
  try {
    await writer.write(data);
    await writer.close();
  } catch {
    // Its exit code says how it fared.
  }
}

/** The last line that a program complained in; nothing else of it is kept. */
async function lastLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  let kept = new Uint8Array();
  for await (const part of stream) kept = joined([kept, part]).slice(-MAX_COMPLAINT_BYTES);
  return new TextDecoder().decode(kept).trimEnd().split("\n").at(-1)!.trim();
}

function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}
