import { type Msg, type MsgHdrs, MsgHdrsImpl } from "@nats-io/transport-node";
import type { BusHeaders } from "./bus.ts";
import { NO_HEADERS } from "./headers.ts";
import type { Frame, ReplyFrame } from "./transport.ts";

/** Milliseconds that the caller waits. Names with capitals are no user's. */
const TIMEOUT = "Bus-Timeout-Ms";
/** What a reply is, where it is not the only one: `data` or `end`. */
const REPLY = "Bus-Reply";
/** What NATS services say of a handler that failed. */
const SERVICE_ERROR = "Nats-Service-Error";
const SERVICE_ERROR_CODE = "Nats-Service-Error-Code";
/** Asks the caller to say when it has room for more replies. */
const MORE = "Bus-More";
const RESERVED = new Set([TIMEOUT, REPLY, MORE, SERVICE_ERROR, SERVICE_ERROR_CODE]);

/** What a header's line carries as it is. */
const PLAIN = /^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/;
const ENCODED = "*";
const MAX_ERROR_LENGTH = 4_096;

/** The NATS subject of a subject. NATS has no empty tokens: they become `~`, which no subject has. */
export function natsSubject(subject: string): string {
  if (!subject.includes("..") && !subject.startsWith(".") && !subject.endsWith(".")) return subject;
  return subject.split(".").map((token) => token === "" ? "~" : token).join(".");
}

/** The NATS subject on which servers learn what callers say of their requests. */
export function controlSubject(subject: string): string {
  return `~bus.${natsSubject(subject)}`;
}

/** Headers as NATS carries them; undefined when there are none. */
export function toNatsHeaders(headers: BusHeaders, timeoutMs?: number): MsgHdrs | undefined {
  const entries = Object.entries(headers);
  if (entries.length === 0 && timeoutMs === undefined) return undefined;
  const out = new MsgHdrsImpl();
  for (const [name, value] of entries) {
    if (PLAIN.test(value)) out.append(name, value);
    else out.append(name + ENCODED, encodeURIComponent(value));
  }
  if (timeoutMs !== undefined) out.append(TIMEOUT, String(Math.ceil(timeoutMs)));
  return out;
}

/** A message as the bus takes it. Its bytes are its own: the client's are a part of a larger piece. */
export function fromNats(message: Msg): Frame {
  return { data: message.data.slice(), headers: fromNatsHeaders(message.headers) };
}

/** How long the caller of a request waits, in milliseconds; undefined when it does not say. */
export function timeoutOf(message: Msg): number | undefined {
  const text = message.headers?.get(TIMEOUT);
  const timeoutMs = text ? Number(text) : NaN;
  return timeoutMs >= 0 && timeoutMs < Infinity ? timeoutMs : undefined;
}

/** Whether the server says that nobody serves the subject. */
export function isNoResponder(message: Msg): boolean {
  return message.data.length === 0 && message.headers?.code === 503;
}

/** A reply as NATS carries it: the only one is plain, so that any NATS client understands it. */
export function toNatsReply(
  frame: ReplyFrame,
  asks: boolean,
): { data: Uint8Array; headers?: MsgHdrs } {
  if (frame.kind === "last") return { data: frame.data };
  const headers = new MsgHdrsImpl();
  if (frame.kind === "error") {
    const text = frame.message.slice(0, MAX_ERROR_LENGTH).toWellFormed();
    headers.append(SERVICE_ERROR, PLAIN.test(text) ? text : text.replaceAll(/[\r\n]+/g, " "));
    headers.append(SERVICE_ERROR_CODE, "500");
    return { data: new TextEncoder().encode(text), headers };
  }
  headers.append(REPLY, frame.kind);
  if (asks) headers.append(MORE, "1");
  return { data: frame.kind === "data" ? frame.data : new Uint8Array(), headers };
}

/** Whether the server waits to hear that the caller has room for more replies. */
export function asksForMore(message: Msg): boolean {
  return message.headers?.has(MORE) ?? false;
}

/** A reply as the bus takes it. One without headers, of any NATS client, is the only one. */
export function fromNatsReply(message: Msg): ReplyFrame {
  const { headers } = message;
  const data = message.data.slice();
  if (headers === undefined) return { kind: "last", data };
  if (headers.has(SERVICE_ERROR)) {
    const text = data.length > 0 ? new TextDecoder().decode(data) : headers.get(SERVICE_ERROR);
    return { kind: "error", message: text };
  }
  const kind = headers.get(REPLY);
  if (kind === "end") return { kind };
  return { kind: kind === "data" ? kind : "last", data };
}

function fromNatsHeaders(headers: MsgHdrs | undefined): BusHeaders {
  if (headers === undefined) return NO_HEADERS;
  const out: Record<string, string> = {};
  for (const [name, values] of headers) {
    if (RESERVED.has(name)) continue;
    const value = values[0] ?? "";
    if (!name.endsWith(ENCODED)) out[name.toLowerCase()] = value;
    else out[name.slice(0, -1).toLowerCase()] = decoded(value);
  }
  return Object.freeze(out);
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    // Another client's header; it means something else by the star.
    return value;
  }
}
