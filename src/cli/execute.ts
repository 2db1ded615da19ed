import { ConfigError, messageOf, quote } from "../base/mod.ts";
import { type Command, type CommandGroup, UsageError } from "./command.ts";
import { formatHelp } from "./help.ts";
import { type Io, OutputClosedError } from "./io.ts";
import { didYouMean, parseCommandLine } from "./parse.ts";
import { InterruptedError } from "./signals.ts";
import { stylesOf } from "./style.ts";
import { printable } from "./table.ts";

/** Done. */
export const EXIT_DONE = 0;
/** Failed. */
export const EXIT_FAILED = 1;
/** The command line is wrong. */
export const EXIT_USAGE = 2;

/** A program: its name, and the command that all others are below. */
export interface Program {
  /** The word that calls it. */
  readonly name: string;
  /** What it does. */
  readonly summary: string;
  /** Its commands. */
  readonly root: CommandGroup;
}

/** A command, and the words that led to it. */
interface Target {
  readonly path: readonly string[];
  readonly summary: string;
  readonly command: Command | CommandGroup;
}

/**
 * Runs a command line to its end. Never throws: what goes wrong is told on `stderr`, in
 * one line, or one a problem.
 *
 * @param program The program.
 * @param words The command line after the program's name.
 * @param io The surroundings.
 * @returns The exit code: 0 done, 1 failed, 2 wrong usage, 130 or 143 interrupted.
 */
export async function execute(program: Program, words: readonly string[], io: Io): Promise<number> {
  const path = [program.name];
  try {
    return await dispatch(program, words, io, path);
  } catch (error) {
    return await report(error, program.name, path, io);
  }
}

/** `path` grows by each command found, so that an error can point to the right help. */
async function dispatch(
  program: Program,
  words: readonly string[],
  io: Io,
  path: string[],
): Promise<number> {
  let target: Target = { path, summary: program.summary, command: program.root };
  let rest = [...words];
  let help = false;
  if (rest[0] === "help" && !program.root.commands.some(({ name }) => name === "help")) {
    help = true;
    rest = rest.slice(1);
  }
  while (target.command.kind === "group") {
    const [word, ...others] = rest;
    if (word === "--help" || word === "-h" || (help && word === undefined)) {
      return await showHelp(target, io);
    }
    if (word === undefined) {
      await io.stderr.write(helpOf(target, io.stderr));
      return EXIT_USAGE;
    }
    target = await enter(target, target.command, word);
    path.push(word);
    rest = others;
  }
  if (help) return await showHelp(target, io);
  const { command } = target;
  const parsed = parseCommandLine(command, rest);
  if (parsed.help) return await showHelp(target, io);
  io.signal.throwIfAborted();
  const code = await command.run({ ...io, options: parsed.options, args: parsed.args });
  return code ?? EXIT_DONE;
}

async function enter(from: Target, group: CommandGroup, word: string): Promise<Target> {
  const names = group.commands.map(({ name }) => name);
  if (word.startsWith("-")) {
    throw new UsageError(
      `unknown option ${quote(word)}${didYouMean(word, ["--help"]) || "; a command comes first"}`,
    );
  }
  const entry = group.commands.find(({ name }) => name === word);
  if (entry === undefined) {
    throw new UsageError(`unknown command ${quote(word)}${didYouMean(word, names)}`);
  }
  return { path: from.path, summary: entry.summary, command: await entry.load() };
}

function helpOf({ path, summary, command }: Target, output: Io["stdout"]): string {
  return formatHelp(path, summary, command, output);
}

async function showHelp(target: Target, io: Io): Promise<number> {
  await io.stdout.write(helpOf(target, io.stdout));
  return EXIT_DONE;
}

async function report(
  error: unknown,
  program: string,
  path: readonly string[],
  io: Io,
): Promise<number> {
  if (error instanceof OutputClosedError) return EXIT_DONE;
  const reason: unknown = io.signal.reason;
  if (io.signal.aborted && (error === reason || isAbort(error))) {
    return reason instanceof InterruptedError ? reason.exitCode : 130;
  }
  const usage = error instanceof UsageError;
  const hint = usage ? ` (see "${path.join(" ")} --help")` : "";
  const styles = stylesOf(io.stderr);
  try {
    await io.stderr.write(`${styles.red(`${program}:`)} ${textOf(error)}${hint}\n`);
  } catch {
    // Nobody reads the errors either: the exit code is what is left to tell.
  }
  return usage ? EXIT_USAGE : EXIT_FAILED;
}

function isAbort(error: unknown): boolean {
  return error instanceof Error && error.name === "AbortError";
}

/** A line; each problem of a configuration has one of its own. */
function textOf(error: unknown): string {
  if (!(error instanceof ConfigError) || error.problems.length === 1) {
    return oneLine(messageOf(error));
  }
  const [head, ...problems] = error.message.split("\n");
  return [printable(head!), ...problems.map((line) => `  ${oneLine(line)}`)].join("\n");
}

/** Joins lines: a list of problems becomes `2 problems: a; b`. */
function oneLine(text: string): string {
  const lines = text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== "");
  return printable(
    lines.reduce((all, line) => `${all}${all.endsWith(":") ? "" : ";"} ${line}`, "")
      .replace(/^; /, "") || "failed without a reason",
  );
}
