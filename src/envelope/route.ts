import type { DecodedRecord } from "./decode.ts";
import { effectiveRoute, EnvelopeError } from "./envelope.ts";

/**
 * The record's text with one more name on its route. All else keeps its bytes: a number too precise
 * for this runtime, or an escape that the writer chose, is stored as it came.
 *
 * @param record The record as it was received.
 * @param instanceName Who stores it now.
 * @returns The line to store, without its line feed.
 * @throws {EnvelopeError} When a key stands in the record twice.
 */
export function withRoute(record: DecodedRecord, instanceName: string): string {
  const { text, payloadAt } = record;
  const route = JSON.stringify([...effectiveRoute(record), instanceName]);
  if (payloadAt >= 0) {
    // Nothing before the payload can hold the key's text but the key: a quote in a string is escaped.
    const end = record.route.length === 0 ? payloadAt : text.lastIndexOf(',"route":', payloadAt);
    return `${text.slice(0, end)},"route":${route}${text.slice(payloadAt)}`;
  }
  const members = topLevelMembers(text);
  const existing = members.get("route");
  if (existing !== undefined) {
    return text.slice(0, existing.valueStart) + route + text.slice(existing.valueEnd);
  }
  const payload = members.get("payload")!;
  return `${text.slice(0, payload.keyStart)}"route":${route},${text.slice(payload.keyStart)}`;
}

interface Member {
  readonly keyStart: number;
  readonly valueStart: number;
  readonly valueEnd: number;
}

/** Where the members of a JSON object stand. The text has been parsed before: it is well formed. */
function topLevelMembers(text: string): Map<string, Member> {
  const members = new Map<string, Member>();
  let at = skipSpace(text, skipSpace(text, 0) + 1);
  while (text[at] === '"') {
    const keyStart = at;
    const keyEnd = endOfString(text, at);
    const key = JSON.parse(text.slice(keyStart, keyEnd)) as string;
    const valueStart = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const valueEnd = endOfValue(text, valueStart);
    if (members.has(key)) {
      throw new EnvelopeError("malformed", `it has the key ${JSON.stringify(key)} twice`);
    }
    members.set(key, { keyStart, valueStart, valueEnd });
    at = skipSpace(text, valueEnd);
    if (text[at] === ",") at = skipSpace(text, at + 1);
  }
  return members;
}

function skipSpace(text: string, at: number): number {
  while (" \t\n\r".includes(text[at] ?? "x")) at++;
  return at;
}

function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at + 1;
}

function endOfValue(text: string, start: number): number {
  let depth = 0;
  let at = start;
  while (at < text.length) {
    const char = text[at]!;
    if (char === '"') {
      at = endOfString(text, at);
      if (depth === 0) return at;
      continue;
    }
    if (char === "{" || char === "[") depth++;
    else if (char === "}" || char === "]") {
      if (depth === 0) return at;
      if (--depth === 0) return at + 1;
    } else if (depth === 0 && (char === "," || " \t\n\r".includes(char))) return at;
    at++;
  }
  return at;
}
