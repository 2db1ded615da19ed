import { parseArgs } from "@std/cli";
import { describeMachine } from "./machine.ts";
import { isGoodEnough, type Question } from "./question.ts";
import { type Answer, machineLine, markdown, toJson } from "./report.ts";
import { inScratch } from "./rounds.ts";

const ROUNDS = 15;
const QUICK_ROUNDS = 1;

/** What the command line says. */
export interface Options {
  readonly questions: readonly Question[];
  readonly quick: boolean;
  readonly rounds: number;
  readonly json: boolean;
  readonly check: boolean;
}

/**
 * Reads `[--only NAME]... [--rounds N] [--quick] [--json] [--check]`.
 *
 * @returns The options; a text says what is wrong.
 */
export function readOptions(args: string[], questions: readonly Question[]): Options | string {
  const unknown: string[] = [];
  const flags = parseArgs(args, {
    boolean: ["quick", "json", "check"],
    string: ["only", "rounds"],
    collect: ["only"],
    unknown: (arg) => void unknown.push(arg),
  });
  if (unknown.length > 0) return `unknown argument ${unknown.join(", ")}`;
  const quick = flags.quick === true;
  const rounds = flags.rounds === undefined
    ? (quick ? QUICK_ROUNDS : ROUNDS)
    : Number(flags.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) return "--rounds takes a whole number of 1 or more";
  const only = flags.only as string[];
  const missing = only.filter((name) => !questions.some((question) => question.name === name));
  if (missing.length > 0) return `no question ${missing.join(", ")}`;
  return {
    questions: only.length === 0
      ? questions
      : questions.filter((question) => only.includes(question.name)),
    quick,
    rounds,
    json: flags.json === true,
    check: flags.check === true,
  };
}

/**
 * Asks questions and prints what was found.
 *
 * @param args The command line.
 * @param all Every question that there is.
 * @param print Takes what is printed.
 * @returns The exit code: 2 for a wrong command line; with `--check` 1 when something is below what
 *   is required.
 */
export async function askAll(
  args: string[],
  all: readonly Question[],
  print: (text: string) => void = console.log,
): Promise<number> {
  const options = readOptions(args, all);
  if (typeof options === "string") {
    print(`${options}; the questions are:`);
    for (const { name, asks } of all) print(`  ${name.padEnd(18)} ${asks}`);
    return 2;
  }
  const { questions, quick, rounds, json, check } = options;
  const machine = await inScratch(describeMachine);
  const say = json ? () => {} : print;
  say(`${machineLine(machine)}\n${quick ? "quick: these figures say nothing\n" : ""}`);
  const answers: Answer[] = [];
  for (const question of questions) {
    say(question.asks);
    answers.push({ question, findings: await question.run({ quick, rounds }) });
  }
  print(json ? toJson(machine, answers) : `\n${markdown(answers)}`);
  const below = answers.flatMap(({ findings }) => findings)
    .filter((finding) => isGoodEnough(finding) === false);
  return check && below.length > 0 ? 1 : 0;
}
