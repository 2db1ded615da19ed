// Stands in for jsr:@std/cli so that a checkout builds from the npm registry alone.
import { parseArgs as untypedParseArgs } from "deno-std/cli/parse_args.js";

/** How `parseArgs` reads the command line; the part of JSR's type that is used here. */
export interface ParseOptions {
  boolean?: readonly string[];
  string?: readonly string[];
  collect?: readonly string[];
  negatable?: readonly string[];
  alias?: Record<string, string>;
  default?: Record<string, unknown>;
  "--"?: boolean;
  stopEarly?: boolean;
  unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** Options by name, with what is no option in `_`. */
export interface Args {
  _: (string | number)[];
  [name: string]: unknown;
}

/** Reads command-line arguments. */
export const parseArgs: (args: string[], options?: ParseOptions) => Args = untypedParseArgs;
