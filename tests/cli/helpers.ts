import { type Clock, systemClock } from "../../src/base/mod.ts";
import { type CommandEntry, defineGroup } from "../../src/cli/command.ts";
import type { Command, CommandGroup } from "../../src/cli/command.ts";
import { execute } from "../../src/cli/execute.ts";
import type { Io, Output } from "../../src/cli/io.ts";
import { main } from "../../src/cli/main.ts";

/** An output that remembers. */
export class MemoryOutput implements Output {
  readonly isTerminal: boolean;
  readonly color: boolean;
  readonly columns: number;
  text = "";
  #watchers: (() => void)[] = [];

  constructor(options: { terminal?: boolean; columns?: number } = {}) {
    this.isTerminal = this.color = options.terminal ?? false;
    this.columns = options.columns ?? 80;
  }

  write(text: string): Promise<void> {
    this.writeSync(text);
    return Promise.resolve();
  }

  writeSync(text: string): void {
    this.text += text;
    for (const wake of this.#watchers.splice(0)) wake();
  }

  /** Settles when the text has been written. */
  async until(text: string): Promise<void> {
    while (!this.text.includes(text)) {
      await new Promise<void>((resolve) => this.#watchers.push(resolve));
    }
  }
}

/** Surroundings in memory, and what was written into them. */
export interface MemoryIo extends Io {
  readonly stdout: MemoryOutput;
  readonly stderr: MemoryOutput;
}

/** Makes surroundings in memory. */
export function memoryIo(options: {
  stdin?: string | ReadableStream<Uint8Array>;
  clock?: Clock;
  signal?: AbortSignal;
  env?: Readonly<Record<string, string>>;
  terminal?: boolean;
  columns?: number;
} = {}): MemoryIo {
  return {
    stdin: () =>
      options.stdin instanceof ReadableStream
        ? options.stdin
        : new Blob([options.stdin ?? ""]).stream(),
    stdout: new MemoryOutput(options),
    stderr: new MemoryOutput(options),
    signal: options.signal ?? new AbortController().signal,
    env: (name) => options.env?.[name],
    clock: options.clock ?? systemClock,
  };
}

/** What became of a command line. */
export interface Outcome {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the command line itself. */
export async function runCli(
  words: readonly string[],
  io: MemoryIo = memoryIo(),
): Promise<Outcome> {
  const code = await main(words, io);
  return { code, stdout: io.stdout.text, stderr: io.stderr.text };
}

/** Runs words on a program named `tool` with these commands. */
export async function runTool(
  commands: Readonly<Record<string, Command | CommandGroup>>,
  words: readonly string[],
  io: MemoryIo = memoryIo(),
): Promise<Outcome> {
  const program = {
    name: "tool",
    summary: "A tool",
    root: defineGroup({ commands: entriesOf(commands) }),
  };
  const code = await execute(program, words, io);
  return { code, stdout: io.stdout.text, stderr: io.stderr.text };
}

/** Entries whose summaries are made of their names. */
export function entriesOf(
  commands: Readonly<Record<string, Command | CommandGroup>>,
): CommandEntry[] {
  return Object.entries(commands).map(([name, command]) => ({
    name,
    summary: `Do ${name}`,
    load: () => Promise.resolve(command),
  }));
}
