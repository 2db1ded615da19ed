import type { Machine } from "./machine.ts";
import { type Finding, isGoodEnough, type Question } from "./question.ts";

/** What a question found. */
export interface Answer {
  readonly question: Question;
  readonly findings: readonly Finding[];
}

/** The machine in one line. */
export function machineLine({ cpu, cores, os, deno, fileSystem }: Machine): string {
  return `${cpu}, ${cores} cores, ${os}, Deno ${deno}, file system ${fileSystem}`;
}

/** A Markdown table of what was compared, and one of single figures, as far as there are any. */
export function markdown(answers: readonly Answer[]): string {
  const findings = answers.flatMap((answer) => answer.findings);
  const ratios = findings.filter((finding) => finding.kind === "ratio");
  const figures = findings.filter((finding) => finding.kind === "figure");
  const skipped = findings.filter((finding) => finding.kind === "skipped");
  const parts: string[] = [];
  if (ratios.length > 0) {
    parts.push(table(
      ["", "n", "messages/s", "us best", "us median", "ratio", "of medians", "required", ""],
      ratios.map((finding) => [
        finding.what,
        thousands(finding.count),
        thousands(1e6 / finding.bestUs),
        decimals(finding.bestUs),
        decimals(finding.medianUs),
        finding.ratio === undefined ? "" : decimals(finding.ratio),
        finding.medianRatio === undefined ? "" : decimals(finding.medianRatio),
        finding.required === undefined ? "" : `>= ${finding.required}`,
        verdict(finding),
      ]),
    ));
  }
  if (figures.length > 0) {
    parts.push(table(
      ["", "value", "unit", "required", ""],
      figures.map((finding) => [
        finding.what,
        decimals(finding.value),
        finding.unit,
        bound(finding.atMost, finding.atLeast),
        verdict(finding),
      ]),
    ));
  }
  for (const { what, reason } of skipped) parts.push(`skipped: ${what}: ${reason}\n`);
  return parts.join("\n");
}

/** Everything as one JSON value. */
export function toJson(machine: Machine, answers: readonly Answer[]): string {
  return JSON.stringify(
    {
      machine,
      questions: answers.map(({ question, findings }) => ({
        name: question.name,
        asks: question.asks,
        findings: findings.map((finding) => ({ ...finding, ok: isGoodEnough(finding) })),
      })),
    },
    null,
    2,
  );
}

function verdict(finding: Finding): string {
  const good = isGoodEnough(finding);
  return good === undefined ? "" : good ? "ok" : "**below**";
}

function bound(atMost: number | undefined, atLeast: number | undefined): string {
  const parts = [];
  if (atLeast !== undefined) parts.push(`>= ${atLeast}`);
  if (atMost !== undefined) parts.push(`<= ${atMost}`);
  return parts.join(", ");
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(3, title.length, ...rows.map((row) => row[column]!.length))
  );
  const line = (cells: readonly string[]) =>
    `| ${
      cells.map((cell, column) =>
        column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)
      ).join(" | ")
    } |\n`;
  const rule = widths.map((width, column) =>
    column === 0 ? "-".repeat(width) : "-".repeat(width - 1) + ":"
  );
  return line(header) + line(rule) + rows.map(line).join("");
}

function thousands(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function decimals(value: number): string {
  return value >= 100 ? thousands(value) : value.toFixed(2);
}
