import { parse } from "@std/yaml";
import { ConfigError, messageOf } from "../base/mod.ts";
import type { Section } from "./section.ts";

type Mapping = Record<string, unknown>;

// The words that YAML 1.1, and so the original, takes for booleans beside true and false.
const TRUE = /^(?:y|yes|on)$/i;
const FALSE = /^(?:n|no|off)$/i;

/**
 * What a YAML file holds, read the way the original reads it: a scalar is a text where the table says text
 * (`min_version: 1.3`, `name: 007`), and `yes` is true where it says boolean.
 *
 * @param source The file, for the error.
 * @param text Its contents.
 * @param section The table.
 * @throws {ConfigError} When it is no YAML, with line and column.
 */
export function parseYaml(source: string, text: string, section: Section): unknown {
  let value: unknown;
  try {
    value = parse(text);
  } catch (error) {
    throw new ConfigError(source, [{ path: "", message: syntaxProblem(error) }], { cause: error });
  }
  return adopt(section, value, verbatim(text));
}

function syntaxProblem(error: unknown): string {
  const message = messageOf(error);
  const found = /^(.*?) at line (\d+), column (\d+)/s.exec(message);
  if (!found) return `this is no YAML: ${message}`;
  return `line ${found[2]}, column ${found[3]}: this is no YAML: ${found[1]}`;
}

// The same document with every scalar as it is written. Undefined when it leans on typed tags.
function verbatim(text: string): unknown {
  try {
    return parse(text, { schema: "failsafe" });
  } catch {
    return undefined;
  }
}

function adopt(section: Section, value: unknown, written: unknown): unknown {
  if (!isMapping(value)) return value;
  const texts = isMapping(written) ? written : {};
  const adopted: Mapping = Object.assign(Object.create(null), value);
  for (const [name, key] of section.keys) {
    const given = adopted[name];
    const text = Object.hasOwn(texts, name) ? texts[name] : undefined;
    if (key.type === "boolean") adopted[name] = asBoolean(given);
    if (key.type === "text") adopted[name] = asText(given, text);
    if (key.type === "choice" && key.choices.includes(String(text))) adopted[name] = text;
    if (key.type === "raw" && key.section) adopted[name] = adopt(key.section, given, text);
    if (key.type === "map") adopted[name] = asTextMap(given, text);
    if (!Array.isArray(given)) continue;
    const writtenEntries = Array.isArray(text) ? text : [];
    if (key.type === "channels" || key.type === "texts") {
      adopted[name] = given.map((entry, index) => asText(entry, writtenEntries[index]));
    }
    const entries = section.sections.get(`${name}[]`);
    if (entries) {
      adopted[name] = given.map((entry, index) => adopt(entries, entry, writtenEntries[index]));
    }
  }
  for (const [name, below] of section.sections) {
    if (name in adopted) adopted[name] = adopt(below, adopted[name], texts[name]);
  }
  return adopted;
}

function asBoolean(value: unknown): unknown {
  if (typeof value !== "string") return value;
  return TRUE.test(value) ? true : FALSE.test(value) ? false : value;
}

function asTextMap(value: unknown, written: unknown): unknown {
  if (!isMapping(value) || !isMapping(written)) return value;
  const read: Mapping = Object.create(null);
  for (const [name, given] of Object.entries(value)) {
    const text = Object.hasOwn(written, name) ? written[name] : undefined;
    read[name] = Array.isArray(given)
      ? given.map((entry, index) => asText(entry, Array.isArray(text) ? text[index] : undefined))
      : asText(given, text);
  }
  return read;
}

function asText(value: unknown, written: unknown): unknown {
  const scalar = ["number", "boolean"].includes(typeof value) || value instanceof Date;
  return scalar && typeof written === "string" ? written : value;
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value) &&
    !(value instanceof Date);
}
