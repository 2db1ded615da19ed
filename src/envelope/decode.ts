import { type Envelope, ENVELOPE_VERSION, EnvelopeError } from "./envelope.ts";

const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });

const START = `{"v":${ENVELOPE_VERSION},"id":"`;
const UUID_LENGTH = 36;
const TS = '","ts":"';
const CHANNEL = '","channel":"';
const ORIGIN = '","origin":"';
const PAYLOAD_TYPE = '","payload_type":"';
const CORRELATION_ID = ',"correlation_id":"';
const SERVICE_NAME = ',"service_name":"';
const ROUTE = ',"route":[';
const PAYLOAD = ',"payload":';
const NO_ROUTE: readonly string[] = [];

/** A record, with its text and the place where a route is written into it. */
export interface DecodedRecord extends Envelope {
  /** The whole line. */
  readonly text: string;
}

/** The bytes of a line as text; throws `EnvelopeError` when they are no UTF-8. */
export function decodeText(line: Uint8Array): string {
  const text = lenient.decode(line);
  // The lenient decoder is four times as fast. What it replaces shows as U+FFFD, which may also
  // stand in the text rightly: only then is the strict one asked.
  if (!text.includes("\uFFFD")) return text;
  try {
    return strict.decode(line);
  } catch {
    throw new EnvelopeError("malformed", "it is not UTF-8");
  }
}

/**
 * Reads a record.
 *
 * @param line The line, without its line feed.
 * @returns The record.
 * @throws {EnvelopeError} When the line is no record of this format.
 */
export function decodeEnvelope(line: Uint8Array): DecodedRecord {
  return decodeEnvelopeText(decodeText(line));
}

/** {@linkcode decodeEnvelope} of text. */
export function decodeEnvelopeText(text: string): DecodedRecord {
  return decodeCanonical(text) ?? decodeAny(text);
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
// deno-lint-ignore no-control-regex -- they are what is looked for
const CONTROL = /[\0-\x1f]/;

/**
 * Reads a record that another instance sent, trusting nothing: the quick way of
 * {@linkcode decodeEnvelope} would let a raw control character pass in a header, which JSON forbids.
 *
 * @param line The record, without line feed.
 * @returns The record.
 * @throws {EnvelopeError} When it is no record of this format, or its id is no UUID.
 */
export function decodeForeignEnvelope(line: Uint8Array): DecodedRecord {
  const text = decodeText(line);
  const record = CONTROL.test(text) ? decodeAny(text) : decodeEnvelopeText(text);
  if (!UUID.test(record.id)) throw new EnvelopeError("malformed", 'its "id" is not a UUID');
  if (text.includes("\n")) throw new EnvelopeError("malformed", "it has a line feed in it");
  return record;
}

class Decoded implements DecodedRecord {
  constructor(
    readonly id: string,
    readonly ts: string,
    readonly channel: string,
    readonly origin: string,
    readonly payloadType: string,
    readonly correlationId: string,
    readonly serviceName: string,
    readonly route: readonly string[],
    readonly payload: unknown,
    readonly text: string,
  ) {}
}

/**
 * The quick way, for lines as both implementations write them: keys in their order, no space between
 * them, nothing escaped before the payload. Anything else is left to `decodeAny`.
 */
function decodeCanonical(text: string): DecodedRecord | undefined {
  if (!text.startsWith(START)) return undefined;
  const idEnd = START.length + UUID_LENGTH;
  if (!text.startsWith(TS, idEnd)) return undefined;
  const tsStart = idEnd + TS.length;
  const tsEnd = text.indexOf('"', tsStart);
  if (!text.startsWith(CHANNEL, tsEnd)) return undefined;
  const channelStart = tsEnd + CHANNEL.length;
  const channelEnd = text.indexOf('"', channelStart);
  if (!text.startsWith(ORIGIN, channelEnd)) return undefined;
  const originStart = channelEnd + ORIGIN.length;
  const originEnd = text.indexOf('"', originStart);
  if (!text.startsWith(PAYLOAD_TYPE, originEnd)) return undefined;
  const typeStart = originEnd + PAYLOAD_TYPE.length;
  const typeEnd = text.indexOf('"', typeStart);
  if (typeEnd < 0) return undefined;

  let at = typeEnd + 1;
  let correlationId = "";
  let serviceName = "";
  let route = NO_ROUTE;
  if (text.startsWith(CORRELATION_ID, at)) {
    const end = text.indexOf('"', at + CORRELATION_ID.length);
    if (end < 0) return undefined;
    correlationId = text.slice(at + CORRELATION_ID.length, end);
    at = end + 1;
  }
  if (text.startsWith(SERVICE_NAME, at)) {
    const end = text.indexOf('"', at + SERVICE_NAME.length);
    if (end < 0) return undefined;
    serviceName = text.slice(at + SERVICE_NAME.length, end);
    at = end + 1;
  }
  if (text.startsWith(ROUTE, at)) {
    const end = text.indexOf("]", at + ROUTE.length);
    if (end < 0) return undefined;
    const names = splitRoute(text.slice(at + ROUTE.length, end));
    if (names === undefined) return undefined;
    route = names;
    at = end + 1;
  }
  if (!text.startsWith(PAYLOAD, at)) return undefined;
  const escape = text.indexOf("\\");
  if (escape >= 0 && escape < at) return undefined;
  let payload: unknown;
  try {
    payload = JSON.parse(text.slice(at + PAYLOAD.length, -1));
  } catch {
    return undefined;
  }
  if (text.charCodeAt(text.length - 1) !== 0x7d) return undefined;
  return new Decoded(
    text.slice(START.length, idEnd),
    text.slice(tsStart, tsEnd),
    text.slice(channelStart, channelEnd),
    text.slice(originStart, originEnd),
    text.slice(typeStart, typeEnd),
    correlationId,
    serviceName,
    route,
    payload,
    text,
  );
}

/** `"a","b"` to its names; undefined for anything that is not plainly that. */
function splitRoute(inner: string): readonly string[] | undefined {
  if (inner.length < 2 || inner[0] !== '"' || inner[inner.length - 1] !== '"') return undefined;
  const names = inner.slice(1, -1).split('","');
  return names.some((name) => name.includes('"')) ? undefined : names;
}

function decodeAny(text: string): DecodedRecord {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new EnvelopeError("malformed", `it is not JSON: ${(error as Error).message}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new EnvelopeError("malformed", "it is not a JSON object");
  }
  const fields = value as Record<string, unknown>;
  if (fields.v !== ENVELOPE_VERSION) {
    if (typeof fields.v === "number") {
      throw new EnvelopeError("version", `it is of version ${fields.v}, not ${ENVELOPE_VERSION}`);
    }
    throw new EnvelopeError("malformed", 'it has no version number "v"');
  }
  if (!Object.hasOwn(fields, "payload")) {
    throw new EnvelopeError("malformed", 'it has no "payload"');
  }
  return new Decoded(
    required(fields, "id"),
    required(fields, "ts"),
    required(fields, "channel"),
    required(fields, "origin"),
    required(fields, "payload_type"),
    optional(fields, "correlation_id"),
    optional(fields, "service_name"),
    routeOf(fields),
    fields.payload,
    text,
  );
}

function required(fields: Record<string, unknown>, key: string): string {
  const value = fields[key];
  if (typeof value === "string") return value;
  throw new EnvelopeError("malformed", `its "${key}" is ${describe(value)}, not a string`);
}

function optional(fields: Record<string, unknown>, key: string): string {
  return fields[key] === undefined || fields[key] === null ? "" : required(fields, key);
}

function routeOf(fields: Record<string, unknown>): readonly string[] {
  const route = fields.route;
  if (route === undefined || route === null) return NO_ROUTE;
  if (Array.isArray(route) && route.every((name) => typeof name === "string")) return route;
  throw new EnvelopeError("malformed", 'its "route" is not a list of strings');
}

function describe(value: unknown): string {
  if (value === undefined) return "missing";
  return value === null ? "null" : typeof value;
}
