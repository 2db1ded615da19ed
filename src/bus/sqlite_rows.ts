import type { BusHeaders } from "./bus.ts";
import { NO_HEADERS } from "./headers.ts";

/** A row as SQLite gives it. */
export type Row = Record<string, unknown>;

const encoder = new TextEncoder();

/** The payload of a row; a program of another make may have stored text. */
export function dataOf(row: Row): Uint8Array {
  const data = row["data"];
  return data instanceof Uint8Array ? data : encoder.encode(String(data ?? ""));
}

/** The headers of a row; none when they are not what a bus stores. */
export function headersOf(row: Row): BusHeaders {
  const text = row["headers"];
  if (typeof text !== "string") return NO_HEADERS;
  try {
    const headers: unknown = JSON.parse(text);
    const isTexts = typeof headers === "object" && headers !== null &&
      Object.values(headers).every((value) => typeof value === "string");
    return isTexts ? headers as BusHeaders : NO_HEADERS;
  } catch {
    return NO_HEADERS;
  }
}

/** Headers as they are stored. */
export function storedHeaders(headers: BusHeaders): string | null {
  return headers === NO_HEADERS ? null : JSON.stringify(headers);
}

/** The number in a row. */
export function numberOf(row: Row, column: string): number {
  return Number(row[column]);
}
