import { isValidName, messageOf, quote } from "../base/mod.ts";
import { DURATION_MAX_MS, parseDuration } from "./duration.ts";
import { type Findings, toCamel } from "./findings.ts";
import { parseHostPort } from "./host_port.ts";
import {
  type ChoiceKey,
  type DurationKey,
  type Key,
  LIST_MAX,
  type MapKey,
  type NumberKey,
  type TextKey,
  type TextsKey,
} from "./key.ts";
import { nearestKey, type Section } from "./section.ts";

// deno-lint-ignore no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/;

/** A section with its defaults filled in, keys in camel case, durations in milliseconds. */
export type Values = Record<string, unknown>;

/**
 * Reads one section by the table: fills in what is missing and notes what is wrong. Where something is wrong
 * the default stands in for it.
 *
 * @param section The part of the table.
 * @param value What the source has there.
 * @param at The section's path, as the table spells it, with indexes; "" for the whole.
 * @param findings Takes the problems.
 */
export function readSection(
  section: Section,
  value: unknown,
  at: string,
  findings: Findings,
): Values {
  const input = mapping(value, at, findings);
  const join = (name: string): string => at === "" ? name : `${at}.${name}`;
  const values: Values = {};
  for (const [name, key] of section.keys) {
    const given = input[findings.spell(name)];
    const resolvedName = toCamel(name) + (key.type === "duration" ? "Ms" : "");
    values[resolvedName] = key.type === "entries"
      ? readEntries(section.sections.get(`${name}[]`)!, given, join(name), findings)
      : readKey(key, given, join(name), findings);
  }
  for (const [name, below] of section.sections) {
    if (name.endsWith("[]")) continue;
    values[toCamel(name)] = readSection(below, input[findings.spell(name)], join(name), findings);
  }
  noteUnknown(section, input, at, findings);
  return values;
}

/** A value for a message: `7`, `"seven"`, `a list`. */
export function describe(value: unknown): string {
  if (value === null || value === undefined) return "nothing";
  if (typeof value === "string") return quote(value);
  if (Array.isArray(value)) return "a list";
  if (value instanceof Date) return "a date";
  if (typeof value === "object") return "a group of keys";
  return typeof value === "function" || typeof value === "symbol"
    ? `a ${typeof value}`
    : String(value);
}

function mapping(value: unknown, at: string, findings: Findings): Values {
  if (isMissing(value, findings)) return Object.create(null);
  if (
    typeof value === "object" && value !== null && !Array.isArray(value) && !(value instanceof Date)
  ) {
    // Without a prototype, so that a key named "constructor" is not found by chance.
    return Object.assign(Object.create(null), value);
  }
  findings.add(at, `expected a group of keys, found ${describe(value)}`);
  return Object.create(null);
}

function noteUnknown(section: Section, input: Values, at: string, findings: Findings): void {
  const spell = (name: string): string => findings.spell(name);
  const known = new Set([...section.keys.keys(), ...section.sections.keys()].map(spell));
  for (const name of Object.keys(input)) {
    if (known.has(name)) continue;
    const shown = name.length > 80 || CONTROL.test(name) ? quote(name) : name;
    const path = at === "" ? shown : `${spell(at)}.${shown}`;
    const nearest = nearestKey(name, section, at, spell);
    findings.addVerbatim(path, `unknown key; the nearest known one is ${nearest}`);
  }
}

function readEntries(
  section: Section,
  value: unknown,
  at: string,
  findings: Findings,
): readonly Values[] {
  return list(value, at, findings, "a list of entries").map((entry, index) =>
    readSection(section, entry, `${at}[${index}]`, findings)
  );
}

function readKey(key: Key, value: unknown, at: string, findings: Findings): unknown {
  switch (key.type) {
    case "text":
      return readText(key, value, at, findings);
    case "choice":
      return readChoice(key, value, at, findings);
    case "boolean":
      return readBoolean(key.default, value, at, findings);
    case "integer":
    case "number":
      return readNumber(key, value, at, findings);
    case "duration":
      return readDuration(key, value, at, findings);
    case "channels":
    case "entries":
      return readChannels(value, at, findings);
    case "texts":
      return readTexts(key, value, at, findings);
    case "map":
      return readMap(key, value, at, findings);
    case "raw":
      return isMissing(value, findings) ? undefined : value;
  }
}

function readText(
  key: TextKey,
  value: unknown,
  at: string,
  findings: Findings,
): string | undefined {
  const missing = key.optional ? undefined : key.default ?? "";
  if (isMissing(value, findings) || value === "") {
    if (key.required && !findings.has(at)) findings.add(at, `is required: ${meaning(key)}`);
    return missing;
  }
  if (typeof value !== "string") {
    findings.add(at, `expected ${expectation(key)}, found ${describe(value)}`);
    return missing;
  }
  const complaint = complaintAbout(key, value);
  if (complaint === undefined) return value;
  findings.add(at, complaint);
  return missing;
}

function meaning({ summary }: TextKey): string {
  const sentence = summary.split(/[.;:] |\.$/)[0]!;
  return sentence[0]!.toLowerCase() + sentence.slice(1);
}

function expectation(key: TextKey): string {
  if (key.form === "host:port") return 'an address such as "127.0.0.1:7740"';
  if (key.form === "path") return "the path of a file or folder";
  return key.form === "text" ? `${key.takes ?? "a text"}` : "a name of 1 to 255 characters";
}

function complaintAbout(key: TextKey, text: string): string | undefined {
  if (CONTROL.test(text)) return `${quote(text)} has a control character in it`;
  if (key.form === "name" && text.length > 255) {
    return `has ${text.length} characters; the most are 255`;
  }
  if (key.form !== "host:port") return key.check?.(text);
  try {
    const { host, port } = parseHostPort(text);
    if (key.use !== "dial") return undefined;
    if (host === "") return `${quote(text)} has no host to connect to`;
    return port === 0 ? `${quote(text)} has port 0, which cannot be connected to` : undefined;
  } catch (error) {
    return messageOf(error);
  }
}

function readChoice(key: ChoiceKey, value: unknown, at: string, findings: Findings): string {
  if (isMissing(value, findings) || value === "") return key.default;
  if (typeof value === "string" && key.choices.includes(value)) return value;
  const quoted = key.choices.map((choice) => `"${choice}"`);
  const choices = `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`;
  findings.add(at, `expected ${choices}, found ${describe(value)}`);
  return key.default;
}

function readBoolean(
  fallback: boolean,
  value: unknown,
  at: string,
  findings: Findings,
): boolean {
  if (isMissing(value, findings)) return fallback;
  if (typeof value === "boolean") return value;
  findings.add(at, `expected true or false, found ${describe(value)}`);
  return fallback;
}

function readNumber(key: NumberKey, value: unknown, at: string, findings: Findings): number {
  if (isMissing(value, findings) || (value === 0 && key.zeroIsDefault)) return key.default;
  const fits = typeof value === "number" && value >= key.min && value <= key.max &&
    (key.type === "number" || Number.isInteger(value));
  if (fits) return value === 0 ? 0 : value; // -0 is 0
  const what = key.type === "integer" ? "a whole number" : "a number";
  findings.add(at, `expected ${what} from ${key.min} to ${key.max}, found ${describe(value)}`);
  return key.default;
}

function readDuration(key: DurationKey, value: unknown, at: string, findings: Findings): number {
  const fallback = parseDuration(key.default);
  const resolved = readAnyDuration(fallback, value, at, findings);
  if (findings.has(at)) return fallback;
  if (key.max !== undefined && resolved > parseDuration(key.max)) {
    findings.add(at, `${describe(value)} is longer than ${key.max}, the longest`);
    return fallback;
  }
  if (key.positive && resolved === 0) {
    findings.add(at, `cannot be ${describe(value)}: it needs some time`);
    return fallback;
  }
  return resolved;
}

function readAnyDuration(fallback: number, value: unknown, at: string, findings: Findings): number {
  if (isMissing(value, findings) || value === "") return fallback;
  if (value === 0) return 0;
  // In a file a bare number says nothing of its unit: 7 could be meant as days and would be milliseconds.
  if (typeof value === "number" && findings.spelling === "camel") {
    if (value > 0 && value <= DURATION_MAX_MS) return Math.max(1, Math.round(value));
    findings.add(at, `expected 0 to ${DURATION_MAX_MS} milliseconds, found ${describe(value)}`);
    return fallback;
  }
  if (typeof value !== "string") {
    const examples = findings.spelling === "camel"
      ? 'milliseconds or a duration such as "168h" or "7d"'
      : 'a duration with its unit, such as "168h" or "7d"';
    findings.add(at, `expected ${examples}, found ${describe(value)}`);
    return fallback;
  }
  try {
    return parseDuration(value);
  } catch (error) {
    findings.add(at, messageOf(error));
    return fallback;
  }
}

function readChannels(value: unknown, at: string, findings: Findings): readonly string[] {
  const channels = new Set<string>();
  for (const [index, channel] of list(value, at, findings, "a list of channel names").entries()) {
    if (typeof channel !== "string") {
      findings.add(`${at}[${index}]`, `expected a channel name, found ${describe(channel)}`);
    } else if (!isValidName(channel)) {
      findings.add(
        `${at}[${index}]`,
        `${
          quote(channel)
        } is no channel name: it takes 1 to 255 characters of a-z, A-Z, 0-9, ".", ` +
          `"_" and "-", and is neither "." nor ".."`,
      );
    } else channels.add(channel);
  }
  return [...channels];
}

function readTexts(
  key: TextsKey,
  value: unknown,
  at: string,
  findings: Findings,
): readonly string[] {
  const texts = new Set<string>();
  for (const [index, text] of list(value, at, findings, `a list of ${key.of}`).entries()) {
    const complaint = typeof text !== "string"
      ? `expected a text, found ${describe(text)}`
      : complaintAboutAny(text) ?? key.check?.(text);
    if (complaint === undefined) texts.add(text as string);
    else findings.add(`${at}[${index}]`, complaint);
  }
  return [...texts];
}

function readMap(
  key: MapKey,
  value: unknown,
  at: string,
  findings: Findings,
): Readonly<Record<string, readonly string[]>> {
  const read: Record<string, readonly string[]> = Object.create(null);
  for (const [name, given] of Object.entries(mapping(value, at, findings))) {
    const path = `${at}.${/^[\w.:/-]{1,80}$/.test(name) ? name : quote(name)}`;
    const texts = (Array.isArray(given) ? given : [given]).map((text) =>
      typeof text === "number" || typeof text === "boolean" ? String(text) : text
    );
    if (texts.length > LIST_MAX || texts.some((text) => typeof text !== "string")) {
      findings.add(path, `expected a text or a list of texts, found ${describe(given)}`);
      continue;
    }
    const complaint = complaintAboutAny(name) ?? texts.map(complaintAboutAny).find(Boolean) ??
      key.check?.(name, texts);
    if (complaint === undefined) read[name] = texts;
    else findings.add(path, complaint);
  }
  return read;
}

function complaintAboutAny(text: string): string | undefined {
  if (text === "") return "is empty";
  return CONTROL.test(text) ? `${quote(text)} has a control character in it` : undefined;
}

function list(value: unknown, at: string, findings: Findings, expected: string): unknown[] {
  if (isMissing(value, findings)) return [];
  if (!Array.isArray(value)) {
    findings.add(at, `expected ${expected}, found ${describe(value)}`);
    return [];
  }
  if (value.length <= LIST_MAX) return value;
  findings.add(at, `has ${value.length} entries; the most are ${LIST_MAX}`);
  return [];
}

// A key without a value is null in YAML, and left at its default there.
function isMissing(value: unknown, findings: Findings): value is undefined | null {
  return value === undefined || (value === null && findings.spelling === "snake");
}
