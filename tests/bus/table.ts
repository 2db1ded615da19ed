/**
 * Runs every rule on every backend and prints backend × rule as a Markdown table.
 *
 * `deno task bus:table [BACKEND ...]`; exit code 1 when a rule fails.
 */
import { messageOf } from "../../src/base/mod.ts";
import { BUS_BACKENDS } from "./backends/mod.ts";
import { BUS_RULES, type BusBackend, type BusRule, runRule } from "./suite.ts";

const HOLDS = "yes";

const unknown = Deno.args.filter((name) => !BUS_BACKENDS.some((backend) => backend.name === name));
if (unknown.length > 0) {
  const names = BUS_BACKENDS.map(({ name }) => name).join(", ");
  console.error(`no backend ${unknown.join(", ")}; there are ${names}`);
  Deno.exit(2);
}
const backends = BUS_BACKENDS.filter(({ name }) =>
  Deno.args.length === 0 || Deno.args.includes(name)
);
const notes: string[] = [];
const failures: string[] = [];
const rows: string[][] = [];
for (const rule of BUS_RULES) {
  const cells: string[] = [];
  for (const backend of backends) cells.push(await cellOf(backend, rule));
  rows.push([rule.name, ...cells]);
}
print([["rule", ...backends.map(({ name }) => name)], ...rows]);
for (const [index, note] of notes.entries()) console.log(`${index + 1}. ${note}`);
for (const failure of failures) console.error(failure);
const held = rows.flat().filter((cell) => cell === HOLDS).length;
console.log(
  `\n${BUS_RULES.length} rules on ${backends.length} backends: ${held} hold, ` +
    `${failures.length} fail, ${
      BUS_RULES.length * backends.length - held - failures.length
    } differ ` +
    "by nature, as noted",
);
Deno.exit(failures.length > 0 ? 1 : 0);

async function cellOf(backend: BusBackend, rule: BusRule): Promise<string> {
  const { needs } = rule;
  if (needs !== undefined && !backend.abilities[needs]) {
    const note = backend.notes[needs];
    if (note === undefined) {
      failures.push(`${backend.name}: "${rule.name}" has neither a result nor a note`);
      return "**GAP**";
    }
    return `differs (${noteNumber(`${backend.name}: ${note}`)})`;
  }
  try {
    await runRule(backend, rule);
    return HOLDS;
  } catch (error) {
    failures.push(`${backend.name}: "${rule.name}" fails: ${messageOf(error)}`);
    return "**FAILS**";
  }
}

function noteNumber(note: string): number {
  const index = notes.indexOf(note);
  return index >= 0 ? index + 1 : notes.push(note);
}

function print(lines: readonly (readonly string[])[]): void {
  const widths = lines[0]!.map((_, column) =>
    Math.max(...lines.map((cells) => cells[column]!.length))
  );
  const [header, ...body] = lines.map((cells) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`
  );
  const rule = `| ${widths.map((width) => "-".repeat(width)).join(" | ")} |`;
  console.log([header, rule, ...body].join("\n") + "\n");
}
