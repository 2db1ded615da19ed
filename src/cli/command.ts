import type { Io } from "./io.ts";

interface OptionBase {
  /** What it does, as a phrase without a full stop. */
  readonly summary: string;
  /** A letter that stands for it. */
  readonly short?: string;
}

interface ValueOption<T> extends OptionBase {
  /** What help calls the value. @default {"VALUE", "N" for numbers} */
  readonly valueName?: string;
  /** The value when the option is not given. */
  readonly default?: T;
  /** The default in words, when it is worked out. */
  readonly defaultText?: string;
  /** Whether it must be given. */
  readonly required?: boolean;
  /** Whether it may be given several times; the value is then a list. */
  readonly repeatable?: boolean;
}

/** An option that is given or not. */
export interface FlagSpec extends OptionBase {
  readonly type: "flag";
}

/** An option with a text. */
export interface StringSpec extends ValueOption<string> {
  readonly type: "string";
  /** The texts that it takes, when these are all. */
  readonly choices?: readonly string[];
}

/** An option with a whole number. */
export interface IntegerSpec extends ValueOption<number> {
  readonly type: "integer";
  /** The least number. @default {0} */
  readonly min?: number;
  /** The greatest number. */
  readonly max?: number;
}

/** An option that takes the rest of the line, a command line of its own; at most one of a command. */
export interface RestSpec extends OptionBase {
  readonly type: "rest";
  /** What help calls the first of its words. @default {"VALUE"} */
  readonly valueName?: string;
}

/** An option of a command. */
export type OptionSpec = FlagSpec | StringSpec | IntegerSpec | RestSpec;

/** A command's options, by their names without `--`. */
export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

/** A word of the command line that belongs to no option. */
export interface ArgumentSpec {
  /** What it is, as a phrase without a full stop. */
  readonly summary: string;
  /** Whether it must be given. */
  readonly required?: boolean;
  /** Whether it takes all words that are left; only the last argument can. */
  readonly repeatable?: boolean;
}

/** A command's arguments in their order, by names that help writes in capitals. */
export type ArgumentSpecs = Readonly<Record<string, ArgumentSpec>>;

type OptionValue<S extends OptionSpec> = S extends FlagSpec ? boolean
  : S extends RestSpec ? readonly string[]
  : S extends { readonly type: "integer" } ? ManyOrOne<S, number>
  : ManyOrOne<S, string>;

type ManyOrOne<S, T> = S extends { readonly repeatable: true } ? readonly T[]
  : S extends { readonly required: true } | { readonly default: T } ? T
  : T | undefined;

type ArgumentValue<S extends ArgumentSpec> = S extends { readonly repeatable: true }
  ? readonly string[]
  : S extends { readonly required: true } ? string
  : string | undefined;

/** What a command is given to run with. */
export interface CommandContext<
  O extends OptionSpecs = OptionSpecs,
  A extends ArgumentSpecs = ArgumentSpecs,
> extends Io {
  /** The options' values. */
  readonly options: { readonly [Name in keyof O]: OptionValue<O[Name]> };
  /** The arguments' values. */
  readonly args: { readonly [Name in keyof A]: ArgumentValue<A[Name]> };
}

/** A command line that shows a use of a command. */
export interface Example {
  /** What it is for. */
  readonly summary: string;
  /** The words after the program's name. */
  readonly args: string;
}

interface Documented {
  /** Paragraphs for the command's own help. */
  readonly description?: string;
  /** Uses to learn from. */
  readonly examples?: readonly Example[];
}

/** What a command is and does. */
export interface CommandSpec<O extends OptionSpecs, A extends ArgumentSpecs> extends Documented {
  /** Its options; `--help` is added. */
  readonly options?: O;
  /** Its arguments. */
  readonly args?: A;
  /**
   * Does it. A returned number is the exit code, 0 by default; a thrown error ends with 1, a
   * {@linkcode UsageError} with 2. Results go to `stdout`, remarks to `stderr`.
   */
  run(context: CommandContext<O, A>): Promise<number | void>;
}

/** A command that runs. */
export interface Command extends Documented {
  readonly kind: "command";
  readonly options: OptionSpecs;
  readonly args: ArgumentSpecs;
  run(context: CommandContext): Promise<number | void>;
}

/** A command that only has commands below it. */
export interface CommandGroup extends Documented {
  readonly kind: "group";
  readonly commands: readonly CommandEntry[];
}

/** A command in its group's list: what help shows, and how to get at the rest. */
export interface CommandEntry {
  /** The word that calls it. */
  readonly name: string;
  /** What it does, as a phrase without a full stop. */
  readonly summary: string;
  /** Loads it, so that a command costs nothing before it is called. */
  readonly load: () => Promise<Command | CommandGroup>;
}

/**
 * Defines a command; `context` of its `run` has the types of its options and arguments.
 *
 * @param spec What it is and does.
 * @returns The command, for an entry's `load`.
 */
export function defineCommand<
  const O extends OptionSpecs = Readonly<Record<never, never>>,
  const A extends ArgumentSpecs = Readonly<Record<never, never>>,
>(spec: CommandSpec<O, A>): Command {
  return {
    ...spec,
    kind: "command",
    options: spec.options ?? {},
    args: spec.args ?? {},
    run: (context) => spec.run(context as CommandContext<O, A>),
  };
}

/**
 * Defines a command that only has commands below it.
 *
 * @param spec Its commands in the order of its help.
 * @returns The command, for an entry's `load`.
 */
export function defineGroup(spec: Omit<CommandGroup, "kind">): CommandGroup {
  return { ...spec, kind: "group" };
}

/** A command line that is wrong: exit code 2, with the way to the help. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}
