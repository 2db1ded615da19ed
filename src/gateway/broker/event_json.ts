import { decodeBase64, encodeBase64 } from "./base64.ts";
import { type AttributeValue, BYTES_CONTENT_TYPE, type GatewayEvent } from "../event.ts";

const utf8 = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const NO_BYTES = new Uint8Array();
/** Names of attributes, as the standard has them. */
const WELL_FORMED = /^[A-Za-z0-9]+$/;
/** Deeper JSON is kept as text, so that no reader of a record must parse it. */
export const DEPTH_MAX = 500;

/** The data as text; undefined when it is no UTF-8. */
export function strictTextOf(data: Uint8Array): string | undefined {
  try {
    return strict.decode(data);
  } catch {
    return undefined;
  }
}

/** Attributes as JSON: `{"subject":{"string":"x"}}`. */
export function attributesToJson(
  attributes: ReadonlyMap<string, AttributeValue>,
): Record<string, unknown> {
  const json: Record<string, unknown> = Object.create(null);
  for (const [name, { kind, value }] of attributes) {
    json[name] = { [kind]: value instanceof Uint8Array ? encodeBase64(value) : value };
  }
  return json;
}

/** The attributes in a JSON value; those that are none are left out. */
export function attributesOfJson(json: unknown): ReadonlyMap<string, AttributeValue> {
  const attributes = new Map<string, AttributeValue>();
  if (!isObject(json)) return attributes;
  for (const [name, value] of Object.entries(json)) {
    if (!WELL_FORMED.test(name)) continue;
    const attribute = isObject(value) ? attributeOf(value) : undefined;
    if (attribute !== undefined) attributes.set(name, attribute);
  }
  return attributes;
}

function attributeOf(json: Readonly<Record<string, unknown>>): AttributeValue | undefined {
  const [entry, more] = Object.entries(json);
  if (entry === undefined || more !== undefined) return undefined;
  const [kind, value] = entry;
  switch (kind) {
    case "boolean":
      return typeof value === "boolean" ? { kind, value } : undefined;
    case "integer":
      return value === ((value as number) | 0) ? { kind, value } : undefined;
    case "bytes": {
      const bytes = typeof value === "string" ? decodeBase64(value) : undefined;
      return bytes && { kind, value: bytes };
    }
    case "string":
    case "uri":
    case "uri_ref":
    case "timestamp":
      return typeof value === "string" ? { kind, value } : undefined;
    default:
      return undefined;
  }
}

/**
 * A whole event as a JSON value that loses nothing, with the data readable where that is possible:
 * `json` for JSON that is the same when written again, `text`, or `base64`.
 */
export function eventToJson(event: GatewayEvent): Record<string, unknown> {
  const json: Record<string, unknown> = {};
  if (event.id !== "") json.id = event.id;
  if (event.source !== "") json.source = event.source;
  if (event.type !== "") json.type = event.type;
  json.content_type = event.contentType;
  json.is_text = event.isText;
  if (event.attributes.size > 0) json.attributes = attributesToJson(event.attributes);
  const text = event.isText || isJsonType(event.contentType) ? strictTextOf(event.data) : undefined;
  if (text === undefined) return { ...json, base64: encodeBase64(event.data) };
  const value = depthOf(event.data) > DEPTH_MAX ? undefined : sameWhenWritten(text);
  return value === undefined ? { ...json, text } : { ...json, json: value };
}

/** The event in a JSON value that {@linkcode eventToJson} made; undefined when it is none. */
export function eventOfJson(json: unknown): GatewayEvent | undefined {
  if (!isObject(json)) return undefined;
  const data = dataOf(json);
  if (data === undefined) return undefined;
  return {
    id: textAt(json, "id"),
    source: textAt(json, "source"),
    type: textAt(json, "type"),
    contentType: textAt(json, "content_type") || BYTES_CONTENT_TYPE,
    data,
    isText: json.is_text === true,
    attributes: attributesOfJson(json.attributes),
  };
}

function dataOf(json: Readonly<Record<string, unknown>>): Uint8Array | undefined {
  if (typeof json.base64 === "string") return decodeBase64(json.base64);
  if (typeof json.text === "string") return json.text === "" ? NO_BYTES : utf8.encode(json.text);
  return json.json === undefined ? undefined : utf8.encode(JSON.stringify(json.json));
}

/** How deep brackets nest, at most; those inside strings make it only more. */
export function depthOf(json: Uint8Array): number {
  let depth = 0;
  let deepest = 0;
  for (const byte of json) {
    if (byte === 0x5b || byte === 0x7b) deepest = Math.max(deepest, ++depth);
    else if (byte === 0x5d || byte === 0x7d) depth--;
  }
  return deepest;
}

/** An object or array that JSON writes again as it is; undefined for any other text. */
function sameWhenWritten(text: string): unknown {
  if (text[0] !== "{" && text[0] !== "[") return undefined;
  try {
    const value: unknown = JSON.parse(text);
    return JSON.stringify(value) === text ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whether a content type is that of JSON. */
export function isJsonType(contentType: string): boolean {
  return /^(?:application|text)\/(?:[\w.-]+\+)?json(?:;|$)/i.test(contentType);
}

function textAt(json: Readonly<Record<string, unknown>>, key: string): string {
  const value = json[key];
  return typeof value === "string" ? value : "";
}

/** Whether a JSON value is an object with keys. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
