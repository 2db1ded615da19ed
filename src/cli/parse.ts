import { type Args, parseArgs } from "@std/cli";
import { closestString, levenshteinDistance } from "@std/text";
import { quote } from "../base/mod.ts";
import {
  type ArgumentSpecs,
  type Command,
  type CommandContext,
  type IntegerSpec,
  type OptionSpec,
  type OptionSpecs,
  type RestSpec,
  type StringSpec,
  UsageError,
} from "./command.ts";

/** What a command line says. */
export interface Parsed {
  /** Whether help is asked for; the rest is then not checked. */
  readonly help: boolean;
  /** The options' values by their names. */
  readonly options: CommandContext["options"];
  /** The arguments' values by their names. */
  readonly args: CommandContext["args"];
}

/** The option that every command has. */
export const HELP: OptionSpec = { type: "flag", short: "h", summary: "Show this help" };

type ValueSpec = StringSpec | IntegerSpec;
type OptionValue = string | number | boolean | undefined | readonly (string | number)[];

/**
 * Reads a command's options and arguments, strictly.
 *
 * @param command The command.
 * @param line The command line after the command's name.
 * @throws {UsageError} When something is unknown, missing, given twice or of the wrong kind.
 */
export function parseCommandLine(command: Command, line: readonly string[]): Parsed {
  const specs: OptionSpecs = { ...command.options, help: HELP };
  const names = Object.keys(specs);
  const { own, rest } = cutRest(specs, line);
  const valued = names.filter((name) => ["string", "integer"].includes(specs[name]!.type));
  const flags = names.filter((name) => specs[name]!.type === "flag");
  const unknown: string[] = [];
  const words: string[] = [];
  const raw: Args = parseArgs(spellOutFlags(specs, own), {
    boolean: flags,
    string: valued,
    collect: valued,
    alias: aliasesOf(specs),
    "--": true,
    // Words are gathered here, as the parser would make numbers of those that look like some.
    unknown(word, key) {
      if (key === undefined) words.push(word);
      else unknown.push(word.startsWith("--") ? word.split("=", 1)[0]! : `-${key}`);
      return false;
    },
  });
  if (raw.help === true) return { help: true, options: {}, args: {} };
  if (unknown.length > 0) {
    const known = names.map((name) => `--${name}`);
    const hint = /^-\d/.test(unknown[0]!)
      ? '; a word that begins with "-" and is no option comes after "--"'
      : didYouMean(unknown[0]!, known);
    throw new UsageError(`unknown option ${quote(unknown[0]!)}${hint}`);
  }
  const options: Record<string, OptionValue> = {};
  const missing: string[] = [];
  for (const [name, spec] of Object.entries(command.options)) {
    if (spec.type === "flag") {
      if (typeof raw[name] !== "boolean") throw new UsageError(`--${name} takes no value`);
      options[name] = raw[name];
      continue;
    }
    if (spec.type === "rest") {
      options[name] = rest;
      continue;
    }
    const given = raw[name] as string[];
    if (given.length === 0 && spec.required) missing.push(`--${name} ${valueNameOf(spec)}`);
    options[name] = readOption(name, spec, given);
  }
  words.push(...raw["--"] as string[]);
  const args = readArguments(command.args, words, missing);
  if (missing.length > 0) {
    const verb = missing.length === 1 ? "is" : "are";
    throw new UsageError(`${joinWords(missing)} ${verb} missing`);
  }
  return { help: false, options, args } as Parsed;
}

/** `; did you mean "…"?` when a known word is near, else nothing. */
export function didYouMean(word: string, known: readonly string[]): string {
  if (known.length === 0 || word.length > 64) return "";
  const closest = closestString(word, known);
  const bound = Math.max(1, Math.floor(word.replace(/^-+/, "").length / 2));
  return levenshteinDistance(word.toLowerCase(), closest.toLowerCase()) <= bound
    ? `; did you mean ${quote(closest)}?`
    : "";
}

function aliasesOf(specs: OptionSpecs): Record<string, string> {
  return Object.fromEntries(
    Object.entries(specs).flatMap(([name, { short }]) =>
      short === undefined ? [] : [[short, name]]
    ),
  );
}

/** Cuts the line before the option that takes the rest of it. */
function cutRest(
  specs: OptionSpecs,
  line: readonly string[],
): { own: readonly string[]; rest: readonly string[] } {
  const option = Object.keys(specs).find((name) => specs[name]!.type === "rest");
  const end = line.indexOf("--");
  const at = line.findIndex((word, index) =>
    (end === -1 || index < end) && word.split("=", 1)[0] === `--${option}`
  );
  if (option === undefined || at === -1) return { own: line, rest: [] };
  const given = line[at]!.slice(`--${option}=`.length);
  const words = [...(given === "" ? [] : [given]), ...line.slice(at + 1)];
  const rest = words[0] === "--" ? words.slice(1) : words;
  if (rest.length === 0) throw new UsageError(`--${option} needs a value`);
  return { own: line.slice(0, at), rest };
}

/** The parser would take a word `true` or `false` after a flag for its value, and any `--flag=text`. */
function spellOutFlags(specs: OptionSpecs, line: readonly string[]): string[] {
  const end = line.indexOf("--");
  const spelled = new Map<string, string>();
  for (const [name, { type, short }] of Object.entries(specs)) {
    if (type !== "flag") continue;
    spelled.set(`--${name}`, `--${name}=true`);
    if (short !== undefined) spelled.set(`-${short}`, `--${name}=true`);
  }
  return line.map((word, index) => {
    if (end !== -1 && index >= end) return word;
    const [name] = word.split("=", 1) as [string];
    if (name !== word && spelled.has(name)) throw new UsageError(`${name} takes no value`);
    return spelled.get(word) ?? word;
  });
}

function readOption(name: string, spec: ValueSpec, given: readonly string[]): OptionValue {
  const values = given.map((text) => readValue(name, spec, text));
  if (spec.repeatable) return values.length > 0 ? values : [spec.default ?? []].flat();
  if (values.length > 1) throw new UsageError(`--${name} is given ${values.length} times`);
  return values[0] ?? spec.default;
}

function readValue(name: string, spec: ValueSpec, text: string): string | number {
  if (text === "") {
    throw new UsageError(
      `--${name} needs a value; one that begins with "-" is given as --${name}=${
        valueNameOf(spec)
      }`,
    );
  }
  if (spec.type === "integer") return readInteger(name, spec, text);
  if (spec.choices !== undefined && !spec.choices.includes(text)) {
    throw new UsageError(
      `--${name} takes one of ${spec.choices.join(", ")}, not ${quote(text)}` +
        didYouMean(text, spec.choices),
    );
  }
  return text;
}

function readInteger(name: string, spec: IntegerSpec, text: string): number {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = spec;
  const value = Number(text);
  if (!/^[+-]?\d+$/.test(text) || value < min || value > max) {
    const range = spec.max === undefined ? `of at least ${min}` : `from ${min} to ${max}`;
    throw new UsageError(`--${name} takes a whole number ${range}, not ${quote(text)}`);
  }
  return value;
}

function readArguments(
  specs: ArgumentSpecs,
  words: readonly string[],
  missing: string[],
): Record<string, OptionValue> {
  const values: Record<string, OptionValue> = {};
  let taken = 0;
  for (const [name, spec] of Object.entries(specs)) {
    if (spec.required && taken >= words.length) missing.push(argumentName(name));
    values[name] = spec.repeatable ? words.slice(taken) : words[taken];
    taken = spec.repeatable ? words.length : taken + 1;
  }
  if (taken < words.length) throw new UsageError(`unexpected argument ${quote(words[taken]!)}`);
  return values;
}

function joinWords(words: readonly string[]): string {
  return [words.slice(0, -1).join(", "), words.at(-1)].filter(Boolean).join(" and ");
}

/** What help and errors call an option's value. */
export function valueNameOf(spec: ValueSpec | RestSpec): string {
  return spec.valueName ?? (spec.type === "integer" ? "N" : "VALUE");
}

/** What help and errors call an argument: its name in capitals, `subscriberId` as `SUBSCRIBER_ID`. */
export function argumentName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
}
