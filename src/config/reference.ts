import type { Key } from "./key.ts";

const HEAD = ["Key", "Takes", "Default", "Meaning"];

/** Every key of a table with what it takes, its default and its meaning, as a Markdown table. */
export function referenceOf(keys: readonly Key[]): string {
  const rows = keys.map((key) => [`\`${key.path}\``, takes(key), shownDefault(key), key.summary]);
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
      return key.takes ??
        { path: "path", name: "1 to 255 characters", "host:port": "host:port", text: "text" }[
          key.form
        ];
    case "choice":
      return key.choices.map((choice) => `\`${choice}\``).join(", ");
    case "boolean":
      return "`true`, `false`";
    case "integer":
      return `whole number, ${key.zeroIsDefault ? "0 = default, " : ""}${key.min} to ${key.max}`;
    case "number":
      return `number, ${key.min} to ${key.max}`;
    case "duration":
      return key.positive ? "duration" : "duration, 0 = off";
    case "channels":
      return "list of channel names";
    case "texts":
      return `list of ${key.of}`;
    case "map":
      return `a text or a list of texts by name, each ${key.of}`;
    case "raw":
      return key.takes;
    case "entries":
      return "list of entries";
  }
}

function shownDefault(key: Key): string {
  switch (key.type) {
    case "text":
      if (key.required) return "required";
      return key.shownDefault ?? (key.default === undefined ? "none" : `\`${key.default}\``);
    case "channels":
    case "texts":
    case "entries":
      return "`[]`";
    case "map":
    case "raw":
      return "none";
    default:
      return `\`${key.default}\``;
  }
}
