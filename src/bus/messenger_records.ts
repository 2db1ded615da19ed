import { PayloadTypeAlreadyRegisteredError } from "../base/mod.ts";
import type { Messenger, StoredMessage } from "../messenger/mod.ts";
import type { BusHeaders } from "./bus.ts";
import { CORRELATION_ID, NO_HEADERS, SERVICE_NAME } from "./headers.ts";
import type { Frame, ReplyFrame } from "./transport.ts";

/** Payload type of what is published. */
export const MESSAGE_TYPE = "keyop.bus.message";
/** Payload type of a request. */
export const REQUEST_TYPE = "keyop.bus.request";
/** Payload type of a reply. */
export const REPLY_TYPE = "keyop.bus.reply";
/** Payload type of a caller's giving up. */
export const CANCEL_TYPE = "keyop.bus.cancel";
/** Payload type of an instance's taking a request. */
export const CLAIM_TYPE = "keyop.bus.claim";
/** Payload type of an instance's beginning or ending to serve. */
export const SERVER_TYPE = "keyop.bus.server";

/** Bytes up to this size are stored as text where they are text: beyond, escapes could double them. */
const TEXT_BYTES_MAX = 64 * 1024;
const ERROR_MARK = "error: ";

/** Bytes in JSON: as text where they are text, so that people can read the channel. */
export interface DataRecord {
  readonly text?: string;
  readonly base64?: string;
}

/** What is published. */
export interface MessageRecord extends DataRecord {
  readonly headers?: BusHeaders;
}

/** A request. It comes from the instance that is the origin of its message. */
export interface RequestRecord extends MessageRecord {
  readonly id: string;
  /** Milliseconds since 1970 after which nobody waits. */
  readonly until: number;
}

/** A reply. */
export interface ReplyRecord extends DataRecord {
  readonly id: string;
  /** Its place among the replies to the request, from 0. */
  readonly number: number;
  readonly kind: ReplyFrame["kind"];
  /** When nobody waits for it any more. */
  readonly until: number;
}

/** A caller's giving up, or an instance's taking a request: the message's origin says which. */
export interface RequestNote {
  readonly id: string;
}

/** An instance begins to serve, or ends it. */
export interface ServerRecord {
  readonly serves: boolean;
  /** Whether those who serve already should say so. */
  readonly asks: boolean;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Makes the payload types of the bus known to a messenger. */
export function registerRecords(messenger: Messenger): void {
  const types: [string, (value: unknown) => unknown][] = [
    [MESSAGE_TYPE, (value) => checkData(value)],
    [REQUEST_TYPE, (value) => checkData(checkNumber(checkId(value), "until"))],
    [REPLY_TYPE, (value) => {
      const { kind } = value as ReplyRecord;
      if (!["data", "last", "end", "error"].includes(kind)) throw new TypeError("kind: none known");
      return checkData(checkNumber(checkNumber(checkId(value), "until"), "number"));
    }],
    [CANCEL_TYPE, checkId],
    [CLAIM_TYPE, checkId],
    [SERVER_TYPE, (value) => {
      if (typeof (value as ServerRecord).serves !== "boolean") {
        throw new TypeError("serves: missing");
      }
      return value;
    }],
  ];
  for (const [type, parse] of types) {
    try {
      messenger.registerPayloadType(type, parse);
    } catch (error) {
      // Another bus over the same messenger did it.
      if (!(error instanceof PayloadTypeAlreadyRegisteredError)) throw error;
    }
  }
}

/** Whether a message is one of the bus's own, other than what was published. */
export function isCallRecord(payloadType: string): boolean {
  return payloadType === REQUEST_TYPE || payloadType === REPLY_TYPE ||
    payloadType === CANCEL_TYPE || payloadType === CLAIM_TYPE || payloadType === SERVER_TYPE;
}

/** A frame as a record, without the ids that the envelope carries. */
export function messageRecord({ data, headers }: Frame): MessageRecord {
  const { [CORRELATION_ID]: _id, [SERVICE_NAME]: _name, ...others } = headers;
  const record = dataRecord(data);
  return Object.keys(others).length === 0 ? record : { ...record, headers: others };
}

/** What the envelope carries of a frame's headers. */
export function envelopeOptions(headers: BusHeaders): {
  correlationId: string;
  serviceName: string;
} {
  return {
    correlationId: headers[CORRELATION_ID] ?? "",
    serviceName: headers[SERVICE_NAME] ?? "",
  };
}

/** A frame out of a stored message. What others publish to the channel comes as its JSON. */
export function frameOf(message: StoredMessage): Frame {
  const isOurs = message.payloadType === MESSAGE_TYPE || message.payloadType === REQUEST_TYPE;
  const record = isOurs ? message.payload as MessageRecord : undefined;
  const data = record === undefined
    ? encoder.encode(JSON.stringify(message.payload) ?? "null")
    : dataOf(record);
  const { correlationId, serviceName } = message;
  if (correlationId === "" && serviceName === "" && record?.headers === undefined) {
    return { data, headers: NO_HEADERS };
  }
  return {
    data,
    headers: Object.freeze({
      ...record?.headers,
      ...(correlationId !== "" && { [CORRELATION_ID]: correlationId }),
      ...(serviceName !== "" && { [SERVICE_NAME]: serviceName }),
    }),
  };
}

/** A reply as a record. */
export function replyRecord(
  id: string,
  number: number,
  until: number,
  frame: ReplyFrame,
): ReplyRecord {
  const { kind } = frame;
  if (kind === "end") return { id, number, kind, until };
  if (kind === "error") return { id, number, kind, until, text: ERROR_MARK + frame.message };
  return { id, number, kind, until, ...dataRecord(frame.data) };
}

/** A reply out of a record. */
export function replyFrameOf(record: ReplyRecord): ReplyFrame {
  const { kind } = record;
  if (kind === "end") return { kind };
  if (kind !== "error") return { kind, data: dataOf(record) };
  const text = record.text ?? "";
  return { kind, message: text.startsWith(ERROR_MARK) ? text.slice(ERROR_MARK.length) : text };
}

function dataRecord(data: Uint8Array): DataRecord {
  if (data.length <= TEXT_BYTES_MAX) {
    try {
      return { text: decoder.decode(data) };
    } catch {
      // It is no text.
    }
  }
  return { base64: data.toBase64() };
}

function dataOf({ text, base64 }: DataRecord): Uint8Array {
  return base64 === undefined ? encoder.encode(text ?? "") : Uint8Array.fromBase64(base64);
}

function checkId(value: unknown): unknown {
  const id = (value as RequestNote | null)?.id;
  if (typeof id !== "string" || id === "" || id.length > 255) {
    throw new TypeError("id: expected 1 to 255 characters");
  }
  return value;
}

function checkNumber(value: unknown, name: "until" | "number"): unknown {
  if (!Number.isFinite((value as Record<string, unknown>)[name])) {
    throw new TypeError(`${name}: expected a number`);
  }
  return value;
}

function checkData(value: unknown): unknown {
  const { text, base64, headers } = (value ?? {}) as MessageRecord;
  if (text !== undefined && typeof text !== "string") throw new TypeError("text: expected text");
  if (base64 !== undefined) Uint8Array.fromBase64(base64);
  if (headers === undefined) return value;
  if (typeof headers !== "object" || headers === null) {
    throw new TypeError("headers: not an object");
  }
  for (const [name, header] of Object.entries(headers)) {
    if (typeof header !== "string") throw new TypeError(`headers.${name}: expected text`);
  }
  return value;
}
