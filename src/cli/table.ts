/** A column of a table. */
export interface Column {
  /** What stands above it. */
  readonly title: string;
  /** To which side its cells lean; numbers lean right. @default {"left"} */
  readonly align?: "left" | "right";
}

const GAP = "  ";
const WIDE =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]|\p{Emoji_Presentation}/u;
const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });

/**
 * Lays out rows below their columns' titles. What a terminal would obey is made visible.
 *
 * @param columns The columns.
 * @param rows The cells of each row; missing ones are empty.
 * @returns Lines, each with its line end; the titles alone when there are no rows.
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly (string | number)[])[],
): string {
  const lines = [
    columns.map(({ title }) => title),
    ...rows.map((row) => columns.map((_, index) => printable(String(row[index] ?? "")))),
  ];
  const widths = columns.map((_, index) => Math.max(...lines.map((line) => widthOf(line[index]!))));
  return lines.map((line) => {
    const cells = line.map((cell, index) => pad(cell, widths[index]!, columns[index]!.align));
    return `${cells.join(GAP).trimEnd()}\n`;
  }).join("");
}

/**
 * Lays out names and their values, one pair a line: `Subject:     CN=kitchen`.
 *
 * @param fields The pairs.
 * @returns Lines, each with its line end.
 */
export function formatFields(fields: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(0, ...fields.map(([name]) => widthOf(name) + 1));
  return fields.map(([name, value]) => `${pad(`${name}:`, width)} ${printable(value)}\n`).join("");
}

/** Shows the characters of a text that a terminal would obey, such as line ends and escapes. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    const escaped = JSON.stringify(character).slice(1, -1);
    return escaped === character
      ? `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`
      : escaped;
  });
}

/** How many places a text takes on a terminal. */
export function widthOf(text: string): number {
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += WIDE.test(segment) ? 2 : 1;
  return width;
}

/** Fills a text up with spaces. */
export function pad(text: string, width: number, align: "left" | "right" = "left"): string {
  const fill = " ".repeat(Math.max(0, width - widthOf(text)));
  return align === "left" ? text + fill : fill + text;
}
