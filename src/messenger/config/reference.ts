import { type Key, KEYS } from "./schema.ts";

const HEAD = ["Key", "Takes", "Default", "Meaning"];

/** Every key with what it takes, its default and its meaning, as a Markdown table. */
export function configReference(): string {
  const rows = KEYS.map((key) => [`\`${key.path}\``, takes(key), shownDefault(key), key.summary]);
  const widths = HEAD.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]!.length))
  );
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column]!)).join(" | ")} |`;
  const rule = widths.map((width) => "-".repeat(width));
  return `${[HEAD, rule, ...rows].map(line).join("\n")}\n`;
}

function takes(key: Key): string {
  switch (key.type) {
    case "text":
      return { path: "path", name: "1 to 255 characters", "host:port": "host:port" }[key.form];
    case "choice":
      return key.choices.map((choice) => `\`${choice}\``).join(", ");
    case "boolean":
      return "`true`, `false`";
    case "integer":
      return `whole number, ${key.zeroIsDefault ? "0 = default, " : ""}${key.min} to ${key.max}`;
    case "number":
      return `number, ${key.min} to ${key.max}`;
    case "duration":
      return "duration, 0 = off";
    case "channels":
      return "list of channel names";
    case "entries":
      return "list of entries";
  }
}

function shownDefault(key: Key): string {
  switch (key.type) {
    case "text":
      return key.required ? "required" : key.shownDefault ?? "none";
    case "channels":
    case "entries":
      return "`[]`";
    default:
      return `\`${key.default}\``;
  }
}
