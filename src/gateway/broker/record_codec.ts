import {
  DEAD_LETTER_TYPE,
  type DecodedRecord,
  decodeEnvelope,
  decodeEnvelopeText,
  isUuid,
} from "../../envelope/mod.ts";
import type { StoredRecord } from "../../storage/mod.ts";
import { type AttributeValue, type GatewayEvent, JSON_CONTENT_TYPE } from "../event.ts";
import { DEPTH_MAX, depthOf, eventOfJson, eventToJson, strictTextOf } from "./event_json.ts";

/** Payload type of records that carry an event which no plain record can hold. */
export const GATEWAY_EVENT_TYPE = "com.keyop.messenger.GatewayEvent";

const TYPE_LENGTH_MAX = 255;
const SOURCE_LENGTH_MAX = 1_000;
const PAYLOAD_KEY = ',"payload":';
const utf8 = new TextEncoder();

/** What of an event goes into a record, and where. */
export interface RecordDraft {
  readonly payloadType: string;
  /** The payload's text, without a line feed. */
  readonly json: string;
  /** What the text is, for schemas. */
  readonly value: unknown;
  /** Id of the record; a new one when left out. */
  readonly id?: string;
  readonly serviceName: string;
}

/**
 * What a record of an event holds. JSON that has a type and no attributes is a plain record, which
 * subscribers of the messenger read like any other: its source is the service name. Anything else is
 * wrapped, see {@linkcode GATEWAY_EVENT_TYPE}.
 *
 * @param channel The channel.
 * @param event The event.
 * @param isUsed Whether a record may have that id already.
 */
export function draftOf(
  channel: string,
  event: GatewayEvent,
  isUsed: (id: string) => boolean,
): RecordDraft {
  const id = isUuid(event.id) && !isUsed(event.id) ? { id: event.id } : {};
  const isNamed = event.id === "" || id.id !== undefined;
  const plain = isNamed ? plainJson(event) : undefined;
  if (plain !== undefined) {
    const payloadType = event.type === "" ? `${channel}.message` : event.type;
    return { payloadType, ...plain, ...id, serviceName: event.source };
  }
  const value = eventToJson(event);
  const json = JSON.stringify(value);
  return { payloadType: GATEWAY_EVENT_TYPE, json, value, ...id, serviceName: "" };
}

// deno-lint-ignore no-control-regex -- they are what JSON escapes
const ESCAPED = /["\\\x00-\x1f]/;

function plainJson(event: GatewayEvent): { json: string; value: unknown } | undefined {
  const { attributes, contentType, data, source, type } = event;
  if (contentType !== JSON_CONTENT_TYPE || attributes.size > 0) return undefined;
  if (type.length > TYPE_LENGTH_MAX || source.length > SOURCE_LENGTH_MAX) return undefined;
  if (type === GATEWAY_EVENT_TYPE || type === DEAD_LETTER_TYPE) return undefined;
  // Behind a text with escapes in it, a reader does not find the payload as it stands.
  if (ESCAPED.test(type + source) || !(type + source).isWellFormed()) return undefined;
  if (depthOf(data) > DEPTH_MAX) return undefined;
  const text = strictTextOf(data);
  if (text === undefined) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    // JSON has line feeds only between its tokens, where a space does as well.
    return { json: text.includes("\n") ? text.replaceAll("\n", " ") : text, value };
  } catch {
    return undefined;
  }
}

/** What a record says as a publication, but for its place. */
export interface RecordContent {
  readonly id: string;
  readonly timeMs: number;
  readonly event: GatewayEvent;
}

/**
 * Reads a record, whoever wrote it.
 *
 * @param stored The record.
 * @param instanceName The instance that a plain record's origin need not be named for.
 * @throws {EnvelopeError} When it is no record.
 */
export function contentOf(stored: StoredRecord, instanceName: string): RecordContent {
  const { bytes, text } = stored;
  const record = text === undefined ? decodeEnvelope(bytes) : decodeEnvelopeText(text);
  const timeMs = millisecondsOf(record.ts);
  const wrapped = record.payloadType === GATEWAY_EVENT_TYPE
    ? eventOfJson(record.payload)
    : undefined;
  return {
    id: record.id,
    timeMs,
    event: wrapped ?? {
      id: record.id,
      source: record.serviceName || record.origin,
      type: record.payloadType,
      contentType: JSON_CONTENT_TYPE,
      data: payloadBytes(record, bytes),
      isText: true,
      attributes: attributesOf(record, timeMs, instanceName),
    },
  };
}

let lastTs = "";
let lastMs = 0;

/** Many records in a row have the same time. */
function millisecondsOf(ts: string): number {
  if (ts !== lastTs) {
    lastTs = ts;
    lastMs = Date.parse(ts) || 0;
  }
  return lastMs;
}

/** The payload's bytes as they stand in the record; the record's own bytes are its reader's. */
function payloadBytes(record: DecodedRecord, bytes: Uint8Array): Uint8Array {
  const { payloadAt, text } = record;
  if (payloadAt < 0) return utf8.encode(JSON.stringify(record.payload));
  const start = payloadAt + PAYLOAD_KEY.length;
  if (text.length === bytes.length) return bytes.slice(start, -1);
  return utf8.encode(text.slice(start, -1));
}

function attributesOf(
  record: DecodedRecord,
  timeMs: number,
  instanceName: string,
): ReadonlyMap<string, AttributeValue> {
  const attributes = new Map<string, AttributeValue>();
  if (timeMs > 0) {
    attributes.set("time", { kind: "timestamp", value: timestampOf(record.ts, timeMs) });
  }
  if (record.correlationId !== "") {
    attributes.set("correlationid", { kind: "string", value: record.correlationId });
  }
  if (record.serviceName !== "" && record.origin !== instanceName) {
    attributes.set("origin", { kind: "string", value: record.origin });
  }
  return attributes;
}

function timestampOf(ts: string, timeMs: number): string {
  const isUsual = (ts.length === 24 || ts.length === 30) && ts.endsWith("Z");
  return isUsual ? ts : new Date(timeMs).toISOString();
}
