import type { ArgumentSpecs, Command, CommandGroup, OptionSpec, OptionSpecs } from "./command.ts";
import type { Output } from "./io.ts";
import { argumentName, HELP, valueNameOf } from "./parse.ts";
import { type Styles, stylesOf } from "./style.ts";
import { pad, widthOf } from "./table.ts";

const MAX_COLUMNS = 100;
const INDENT = "  ";
/** Widest left column; what is wider has its explanation on a line of its own. */
const MAX_LEFT = 32;

/**
 * The help of a command or group.
 *
 * @param path The words that call it, the program's name first.
 * @param summary What it does.
 * @param target The command or group.
 * @param output Where the help will be shown.
 */
export function formatHelp(
  path: readonly string[],
  summary: string,
  target: Command | CommandGroup,
  output: Output,
): string {
  const styles = stylesOf(output);
  const columns = Math.max(40, Math.min(output.columns, MAX_COLUMNS));
  const name = path.join(" ");
  const parts = [
    `${styles.bold(name)}: ${summary}\n`,
    `${styles.bold("Usage:")} ${name} ${usageOf(target)}\n`,
  ];
  for (const paragraph of target.description?.split(/\n{2,}/) ?? []) {
    parts.push(`${wrap(paragraph.replaceAll(/\s+/g, " ").trim(), columns, "")}\n`);
  }
  parts.push(...(target.kind === "group" ? groupLists(target) : commandLists(target)).map(
    ({ title, rows }) => section(title, rows, columns, styles),
  ));
  if (target.examples !== undefined) {
    const lines = target.examples.map(({ summary, args }) =>
      `${INDENT}${styles.dim(`# ${summary}`)}\n${INDENT}${path[0]} ${args}\n`
    );
    parts.push(`${styles.bold("Examples:")}\n${lines.join("")}`);
  }
  if (target.kind === "group") {
    parts.push(`"${name} COMMAND --help" says more about a command.\n`);
  }
  return parts.join("\n");
}

type Row = readonly [left: string, right: string];

interface List {
  readonly title: string;
  readonly rows: readonly Row[];
}

function usageOf(target: Command | CommandGroup): string {
  if (target.kind === "group") return "COMMAND";
  const required = Object.entries(target.options).flatMap(([name, spec]) =>
    "required" in spec && spec.required ? [`--${name} ${valueNameOf(spec)}`] : []
  );
  const words = Object.entries(target.args).map(([name, spec]) => {
    const word = `${argumentName(name)}${spec.repeatable ? "..." : ""}`;
    return spec.required ? word : `[${word}]`;
  });
  return [...required, "[OPTIONS]", ...words].join(" ");
}

function groupLists({ commands }: CommandGroup): List[] {
  return [
    { title: "Commands:", rows: commands.map(({ name, summary }) => [name, summary]) },
    { title: "Options:", rows: [optionRow("help", HELP)] },
  ];
}

function commandLists({ options, args }: Command): List[] {
  const lists = [{ title: "Options:", rows: optionRows(options) }];
  if (Object.keys(args).length > 0) {
    lists.unshift({ title: "Arguments:", rows: argumentRows(args) });
  }
  return lists;
}

function argumentRows(args: ArgumentSpecs): Row[] {
  return Object.entries(args).map(([name, { summary }]) => [argumentName(name), summary]);
}

function optionRows(options: OptionSpecs): Row[] {
  return Object.entries({ ...options, help: HELP }).map(([name, spec]) => optionRow(name, spec));
}

function optionRow(name: string, spec: OptionSpec): Row {
  const letter = spec.short === undefined ? "    " : `-${spec.short}, `;
  if (spec.type === "flag") return [`${letter}--${name}`, spec.summary];
  if (spec.type === "rest") return [`${letter}--${name} ${valueNameOf(spec)}...`, spec.summary];
  const remarks: string[] = [];
  if (spec.type === "string" && spec.choices) remarks.push(`one of ${spec.choices.join(", ")}`);
  if (spec.required) remarks.push("required");
  if (spec.repeatable) remarks.push("repeatable");
  const value = spec.defaultText ?? spec.default;
  if (value !== undefined) remarks.push(`default: ${value}`);
  const remark = remarks.length > 0 ? ` (${remarks.join("; ")})` : "";
  return [`${letter}--${name} ${valueNameOf(spec)}`, spec.summary + remark];
}

function section(title: string, rows: readonly Row[], columns: number, styles: Styles): string {
  const widths = rows.map(([text]) => widthOf(text)).filter((width) => width <= MAX_LEFT);
  const left = Math.max(0, ...widths) + 2;
  const margin = " ".repeat(INDENT.length + left);
  const lines = rows.map(([name, text]) => {
    const explained = wrap(text, columns, margin);
    return widthOf(name) + 2 > left
      ? `${INDENT}${name}\n${explained}\n`
      : `${INDENT}${pad(name, left)}${explained.trimStart()}\n`;
  });
  return `${styles.bold(title)}\n${lines.join("")}`;
}

/** Breaks a text between words into lines that begin with a margin. */
function wrap(text: string, columns: number, margin: string): string {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line !== "" && widthOf(margin + longer) > columns) {
      lines.push(line);
      line = word;
    } else line = longer;
  }
  return [...lines, line].map((each) => margin + each).join("\n");
}
