import type { Output } from "./io.ts";

/** Ways to make text stand out; each returns it unchanged where there is no colour. */
export interface Styles {
  /** Heavy. */
  bold(text: string): string;
  /** Faint. */
  dim(text: string): string;
  /** For what failed. */
  red(text: string): string;
  /** For what is well. */
  green(text: string): string;
  /** For what needs a look. */
  yellow(text: string): string;
}

/** The styles that an output takes: none unless it is a terminal and `NO_COLOR` is unset. */
export function stylesOf(output: Output): Styles {
  const style = (start: number, end: number) => (text: string) =>
    output.color ? `\x1b[${start}m${text}\x1b[${end}m` : text;
  return {
    bold: style(1, 22),
    dim: style(2, 22),
    red: style(31, 39),
    green: style(32, 39),
    yellow: style(33, 39),
  };
}
