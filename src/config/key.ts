import type { Section } from "./section.ts";

interface KeyBase {
  /** Where the key stands in the YAML file; `[]` marks the entries of a list. */
  readonly path: string;
  /** One sentence for the reference. */
  readonly summary: string;
}

/** A text. Left out and "" are the same. */
export interface TextKey extends KeyBase {
  readonly type: "text";
  /** What the text has to be. */
  readonly form: "path" | "name" | "host:port" | "text";
  /** Whether it is undefined when left out, in place of "". */
  readonly optional?: true;
  /** What stands for it when left out, in place of "". */
  readonly default?: string;
  /** Whether it has to be given. */
  readonly required?: true;
  /** What the reference shows as the default. */
  readonly shownDefault?: string;
  /** What an address may be: to listen on (any port, host may be empty) or to dial. */
  readonly use?: "listen" | "dial";
  /** What the reference says that it takes, in place of what the form says. */
  readonly takes?: string;
  /** Complains about a text that the form allows; undefined when it is right. */
  readonly check?: (text: string) => string | undefined;
}

/** One of a few texts. */
export interface ChoiceKey extends KeyBase {
  readonly type: "choice";
  readonly choices: readonly string[];
  readonly default: string;
}

/** Yes or no. */
export interface BooleanKey extends KeyBase {
  readonly type: "boolean";
  readonly default: boolean;
}

/** A number between two limits. */
export interface NumberKey extends KeyBase {
  readonly type: "integer" | "number";
  readonly default: number;
  readonly min: number;
  readonly max: number;
  /** Whether 0 stands for the default, as in the files of the original. */
  readonly zeroIsDefault?: true;
}

/** A span of time; resolved to milliseconds under the key's name with `Ms` at its end. */
export interface DurationKey extends KeyBase {
  readonly type: "duration";
  /** A text that `parseDuration` takes. */
  readonly default: string;
  /** The longest, as `parseDuration` takes it. @default {"292 years"} */
  readonly max?: string;
  /** Whether 0 is refused, because it means nothing. */
  readonly positive?: true;
}

/** A list of channel names. */
export interface ChannelsKey extends KeyBase {
  readonly type: "channels";
}

/** A list of texts of any kind. */
export interface TextsKey extends KeyBase {
  readonly type: "texts";
  /** What the list is of, in the plural: `origins`. */
  readonly of: string;
  /** Complains about one of them; undefined when it is right. */
  readonly check?: (text: string) => string | undefined;
}

/** Names of the user's choice, each with a text or with a list of texts; resolved to lists. */
export interface MapKey extends KeyBase {
  readonly type: "map";
  /** What one name stands for: `a header`. */
  readonly of: string;
  /** Complains about a name and its texts; undefined when they are right. */
  readonly check?: (name: string, texts: readonly string[]) => string | undefined;
}

/** Anything; what it may be is checked elsewhere. Resolved to what was given. */
export interface RawKey extends KeyBase {
  readonly type: "raw";
  /** What the reference says that it takes. */
  readonly takes: string;
  /** The table of what it usually holds, by which its texts are read from YAML. */
  readonly section?: Section;
}

/** A list of entries, whose keys the table has under `{path}[].`. */
export interface EntriesKey extends KeyBase {
  readonly type: "entries";
}

/** One row of the table. */
export type Key =
  | TextKey
  | ChoiceKey
  | BooleanKey
  | NumberKey
  | DurationKey
  | ChannelsKey
  | TextsKey
  | MapKey
  | RawKey
  | EntriesKey;

/** Longest list that is read. */
export const LIST_MAX = 10_000;
