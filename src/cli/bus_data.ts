import type { BusHeaders } from "../bus/mod.ts";
import { UsageError } from "./command.ts";
import type { Output } from "./io.ts";
import { printable } from "./table.ts";

const decoder = new TextDecoder();
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Data as it was given: text, or base64 of any bytes. */
export function givenData(text: string, isBase64: boolean): Uint8Array | string {
  if (!isBase64) return text;
  try {
    return Uint8Array.fromBase64(text);
  } catch {
    throw new UsageError(`${JSON.stringify(text.slice(0, 80))} is not base64`);
  }
}

/** How data is shown. */
export interface ShownAs {
  readonly json: boolean;
  readonly base64: boolean;
}

/** Data as one line, or what may be several lines of text, for an output. */
export function shownData(
  data: Uint8Array,
  { json, base64 }: ShownAs,
  output: Output,
  more: { readonly subject?: string; readonly headers?: BusHeaders } = {},
): string {
  if (json) return `${JSON.stringify({ ...more, ...jsonData(data, base64) })}\n`;
  if (base64) return `${data.toBase64()}\n`;
  const text = decoder.decode(data);
  if (output.isTerminal) {
    return `${text.replace(/\n$/, "").split("\n").map(printable).join("\n")}\n`;
  }
  return text.endsWith("\n") ? text : `${text}\n`;
}

function jsonData(data: Uint8Array, base64: boolean): { data: string } | { data_base64: string } {
  if (base64) return { data_base64: data.toBase64() };
  try {
    return { data: strictDecoder.decode(data) };
  } catch {
    return { data_base64: data.toBase64() };
  }
}
