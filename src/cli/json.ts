import type { FlagSpec } from "./command.ts";
import type { Io } from "./io.ts";

/** `--json`, for every command that has something to show: `options: { ...jsonOption, … }`. */
export const jsonOption: { readonly json: FlagSpec } = {
  json: { type: "flag", summary: "Print JSON, for programs to read" },
};

/** Prints a value as JSON of several lines. Keys are snake_case, as in the configuration. */
export async function printJson(io: Io, value: unknown): Promise<void> {
  await io.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

/** Prints a value as JSON on one line, for output without an end. */
export async function printJsonLine(io: Io, value: unknown): Promise<void> {
  await io.stdout.write(`${JSON.stringify(value)}\n`);
}
