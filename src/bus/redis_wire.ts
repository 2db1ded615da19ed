import { Buffer } from "node:buffer";
import type { BusHeaders } from "./bus.ts";
import { NO_HEADERS } from "./headers.ts";
import type { Frame, ReplyFrame } from "./transport.ts";

/** Begins a published message that has headers. */
const MARK = Buffer.from("\0bus1");
const LINE_FEED = 0x0a;
/** Digits of the deadline that Redis puts before a request. */
const DEADLINE_DIGITS = 13;

/** A request as Redis keeps it. */
export interface StoredRequest extends Frame {
  /** Names it among the requests of its caller. */
  readonly id: string;
  /** The list that takes the replies. */
  readonly to: string;
  /** By the clock of the Redis server, in milliseconds since 1970. */
  readonly deadline: number;
}

/** A published message: its bytes alone where there are no headers, for any Redis client. */
export function encodeMessage({ data, headers }: Frame): Buffer {
  const bytes = bufferOf(data);
  if (headers === NO_HEADERS && !startsWithMark(bytes)) return bytes;
  return Buffer.concat([MARK, line(headers), bytes]);
}

/** A published message, whoever published it. */
export function decodeMessage(bytes: Buffer): Frame {
  const parts = startsWithMark(bytes) ? splitLine(bytes.subarray(MARK.length)) : undefined;
  if (parts === undefined) return { data: Uint8Array.from(bytes), headers: NO_HEADERS };
  return { data: parts.data, headers: headersOf(parts.head) };
}

/** A request, without the deadline that Redis puts before it. */
export function encodeRequest(id: string, to: string, { data, headers }: Frame): Buffer {
  return Buffer.concat([line({ id, to, headers }), bufferOf(data)]);
}

/** A request; undefined when it is none. */
export function decodeRequest(bytes: Buffer): StoredRequest | undefined {
  const deadline = Number(bytes.toString("latin1", 0, DEADLINE_DIGITS));
  const parts = splitLine(bytes.subarray(DEADLINE_DIGITS));
  const { id, to, headers } = parts?.head ?? {};
  if (!Number.isSafeInteger(deadline) || typeof id !== "string" || typeof to !== "string") return;
  return { id, to, deadline, data: parts!.data, headers: headersOf(headers) };
}

/** A reply as Redis keeps it. */
export interface StoredReply {
  /** Names the request. */
  readonly id: string;
  /** Whether the server waits to hear that the caller has room for more. */
  readonly asks: boolean;
  readonly frame: ReplyFrame;
}

/** A reply. */
export function encodeReply({ id, asks, frame }: StoredReply): Buffer {
  if (frame.kind === "error") return line({ id, kind: "error", message: frame.message });
  const head = line({ id, kind: frame.kind, ...(asks && { asks }) });
  return frame.kind === "end" ? head : Buffer.concat([head, bufferOf(frame.data)]);
}

/** A reply; undefined when it is none. */
export function decodeReply(bytes: Buffer): StoredReply | undefined {
  const parts = splitLine(bytes);
  const { id, kind, message } = parts?.head ?? {};
  const asks = parts?.head.asks === true;
  if (typeof id !== "string") return;
  if (kind === "end") return { id, asks, frame: { kind } };
  if (kind === "error") return { id, asks, frame: { kind, message: String(message) } };
  if (kind === "data" || kind === "last") return { id, asks, frame: { kind, data: parts!.data } };
}

function line(head: unknown): Buffer {
  return Buffer.from(`${JSON.stringify(head)}\n`);
}

function splitLine(bytes: Buffer): { head: Record<string, unknown>; data: Uint8Array } | undefined {
  const end = bytes.indexOf(LINE_FEED);
  if (end < 0) return;
  try {
    const head = JSON.parse(bytes.toString("utf8", 0, end));
    if (typeof head !== "object" || head === null) return;
    return { head, data: Uint8Array.from(bytes.subarray(end + 1)) };
  } catch {
    return;
  }
}

function headersOf(value: unknown): BusHeaders {
  if (typeof value !== "object" || value === null) return NO_HEADERS;
  const texts = Object.entries(value).filter(([, text]) => typeof text === "string");
  return texts.length === 0 ? NO_HEADERS : Object.freeze(Object.fromEntries(texts));
}

function startsWithMark(bytes: Buffer): boolean {
  return bytes.length >= MARK.length && bytes.compare(MARK, 0, MARK.length, 0, MARK.length) === 0;
}

function bufferOf(data: Uint8Array): Buffer {
  return Buffer.from(data.buffer, data.byteOffset, data.byteLength);
}
