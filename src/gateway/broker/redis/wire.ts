import {
  type AttributeValue,
  BYTES_CONTENT_TYPE,
  type GatewayEvent,
  TEXT_CONTENT_TYPE,
} from "../../event.ts";
import { decodeBase64, encodeBase64 } from "../base64.ts";
import { attributesOfJson, attributesToJson, isObject } from "../event_json.ts";
import type { Member, Publication } from "../broker.ts";

const NO_ATTRIBUTES: ReadonlyMap<string, AttributeValue> = new Map();
const NO_BYTES = new Uint8Array();
const TIME_MAX = 8_640_000_000_000_000;
/** Content types whose data the original marks as text. */
const ORIGINAL_TEXTS = new Set(["text/plain", "text/html", "application/json"]);

/**
 * The payload of a publication: the keys of the original, which reads `t`, `ch`, `p`, `isText` and
 * `eventType`, and ours. A kept one gets `seq` and `ep` at its end, in Redis.
 */
export function encodePublication(
  channel: string,
  id: string,
  timeMs: number,
  event: GatewayEvent,
): string {
  const { attributes, contentType, data, isText, source, type } = event;
  const marked = isText || ORIGINAL_TEXTS.has(contentType);
  return JSON.stringify({
    t: "pub",
    ch: channel,
    p: encodeBase64(data),
    ...(marked && { isText: true }),
    ...(type !== "" && { eventType: type }),
    id,
    ts: timeMs,
    ct: contentType,
    ...(marked && !isText && { bin: true }),
    ...(event.id !== "" && { eid: event.id }),
    ...(source !== "" && { src: source }),
    ...(attributes.size > 0 && { x: attributesToJson(attributes) }),
  });
}

/** The payload of a join or leave. */
export function encodePresence(action: "join" | "leave", channel: string, member: Member): string {
  return JSON.stringify({ t: action, ch: channel, i: memberToJson(member) });
}

/** A member as it is kept. */
export function memberToJson(member: Member): Record<string, unknown> {
  return {
    client_id: member.clientId,
    session_id: member.sessionId,
    user_id: member.userId,
    connected_at: member.connectedAtMs,
  };
}

/** What a payload says. */
export type Payload =
  | { readonly kind: "publication"; readonly publication: Publication; readonly isForeign: boolean }
  | { readonly kind: "join" | "leave"; readonly member: Member };

/** What an entry of an original node lacks, made up by whoever read it. */
export interface Missing {
  readonly id: () => string;
  readonly timeMs: () => number;
}

/**
 * Reads a payload, whoever wrote it.
 *
 * @param channel The channel that it came on; what the payload says of it does not count.
 * @param text The payload.
 * @param missing What a node of the original leaves out.
 * @returns What it says; undefined when it is none.
 */
export function decodePayload(
  channel: string,
  text: string,
  missing: Missing,
): Payload | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (!isObject(json)) return undefined;
  switch (json.t) {
    case "join":
    case "leave": {
      const member = memberOfJson(json.i);
      return member && { kind: json.t, member };
    }
    case "pub":
      return publicationOf(channel, json, missing);
    default:
      return undefined;
  }
}

function publicationOf(
  channel: string,
  json: Readonly<Record<string, unknown>>,
  missing: Missing,
): Payload | undefined {
  const { p, seq, ep } = json;
  // The original leaves the data out when there is none, or writes null.
  const data = typeof p === "string" ? decodeBase64(p) : p == null ? NO_BYTES : undefined;
  if (data === undefined) return undefined;
  const marked = json.isText === true;
  const isOurs = typeof json.id === "string" && json.id !== "";
  const isKept = Number.isSafeInteger(seq) && (seq as number) > 0 && typeof ep === "string";
  return {
    kind: "publication",
    isForeign: !isOurs,
    publication: {
      id: isOurs ? json.id as string : missing.id(),
      channel,
      offset: isKept ? seq as number : 0,
      epoch: isKept ? ep as string : "",
      timeMs: isTime(json.ts) ? json.ts : missing.timeMs(),
      event: {
        id: textAt(json, "eid"),
        source: textAt(json, "src"),
        type: textAt(json, "eventType"),
        contentType: textAt(json, "ct") || (marked ? TEXT_CONTENT_TYPE : BYTES_CONTENT_TYPE),
        data,
        isText: marked && json.bin !== true,
        attributes: json.x === undefined ? NO_ATTRIBUTES : attributesOfJson(json.x),
      },
    },
  };
}

/** The member in a JSON value; undefined when it is none. */
export function memberOfJson(json: unknown): Member | undefined {
  if (!isObject(json) || textAt(json, "session_id") === "") return undefined;
  return {
    sessionId: textAt(json, "session_id"),
    clientId: textAt(json, "client_id"),
    userId: textAt(json, "user_id"),
    connectedAtMs: isTime(json.connected_at) ? json.connected_at : 0,
  };
}

/** Whether a value is a time in milliseconds since 1970 that a date can have. */
function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && (value as number) <= TIME_MAX;
}

function textAt(json: Readonly<Record<string, unknown>>, key: string): string {
  const value = json[key];
  return typeof value === "string" ? value : "";
}
