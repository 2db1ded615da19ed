/**
 * Measures, and prints what was found. See README.md beside this file.
 *
 * `deno task bench [--only NAME]... [--rounds N] [--quick] [--json] [--check] [--list]`
 */
import { parseArgs } from "@std/cli";
import { deliverBacklog, deliverDurably } from "./deliver.ts";
import { describeMachine } from "./lib/machine.ts";
import { isGoodEnough, type Question } from "./lib/question.ts";
import { type Answer, machineLine, markdown, toJson } from "./lib/report.ts";
import { inScratch } from "./lib/rounds.ts";
import { memory } from "./memory.ts";
import { publishAlways } from "./publish_always.ts";
import { publishPeriodic } from "./publish_periodic.ts";

const QUESTIONS: readonly Question[] = [
  publishPeriodic,
  publishAlways,
  deliverBacklog,
  deliverDurably,
  memory,
];

interface Options {
  readonly questions: readonly Question[];
  readonly quick: boolean;
  readonly rounds: number;
  readonly json: boolean;
  readonly check: boolean;
}

/** The command line; a text says what is wrong with it. */
function readOptions(args: string[]): Options | string {
  const unknown: string[] = [];
  const flags = parseArgs(args, {
    boolean: ["quick", "json", "check"],
    string: ["only", "rounds"],
    collect: ["only"],
    unknown: (arg) => void unknown.push(arg),
  });
  if (unknown.length > 0) return `unknown argument ${unknown.join(", ")}`;
  const rounds = flags.rounds === undefined ? (flags.quick ? 2 : 15) : Number(flags.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) return "--rounds takes a whole number of 1 or more";
  const only = flags.only as string[];
  const missing = only.filter((name) => !QUESTIONS.some((question) => question.name === name));
  if (missing.length > 0) return `no question ${missing.join(", ")}`;
  return {
    questions: only.length === 0
      ? QUESTIONS
      : QUESTIONS.filter((question) => only.includes(question.name)),
    quick: flags.quick === true,
    rounds,
    json: flags.json === true,
    check: flags.check === true,
  };
}

async function main(args: string[]): Promise<number> {
  const options = readOptions(args);
  if (typeof options === "string") {
    console.error(`${options}; the questions are:`);
    for (const { name, asks } of QUESTIONS) console.error(`  ${name.padEnd(18)} ${asks}`);
    return 2;
  }
  const { questions, quick, rounds, json, check } = options;
  const machine = await inScratch(describeMachine);
  const say = json ? () => {} : console.log;
  say(`${machineLine(machine)}\n${quick ? "quick: these figures say nothing\n" : ""}`);
  const answers: Answer[] = [];
  for (const question of questions) {
    say(question.asks);
    answers.push({ question, findings: await question.run({ quick, rounds }) });
  }
  console.log(json ? toJson(machine, answers) : `\n${markdown(answers)}`);
  const below = answers.flatMap(({ findings }) => findings)
    .filter((finding) => isGoodEnough(finding) === false);
  return check && below.length > 0 ? 1 : 0;
}

Deno.exit(await main(Deno.args));
