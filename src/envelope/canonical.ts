import type { DecodedRecord } from "./decode.ts";
import { ENVELOPE_VERSION } from "./envelope.ts";

const START = `{"v":${ENVELOPE_VERSION},"id":"`;
const ID_END = START.length + 36;
const TS = '","ts":"';
const TS_START = ID_END + TS.length;
const CHANNEL = '","channel":"';
const ORIGIN = '","origin":"';
const PAYLOAD_TYPE = '","payload_type":"';
const CORRELATION_ID = ',"correlation_id":"';
const SERVICE_NAME = ',"service_name":"';
const ROUTE = ',"route":[';
const PAYLOAD = ',"payload":';
const NO_ROUTE: readonly string[] = [];
const CLOSING_BRACE = 0x7d;
/** JSON forbids these inside strings. */
// deno-lint-ignore no-control-regex -- they are what is looked for
const CONTROL = /[\0-\x1f]/;

/** What stands between a record's time and its payload: mostly the same in one record after another. */
interface Header {
  readonly text: string;
  readonly channel: string;
  readonly origin: string;
  readonly payloadType: string;
  readonly correlationId: string;
  readonly serviceName: string;
  readonly route: readonly string[];
}

/** Id and time are cut out of the line only for those who ask. */
class CanonicalRecord implements DecodedRecord {
  constructor(
    readonly text: string,
    readonly header: Header,
    readonly tsEnd: number,
    readonly payload: unknown,
  ) {}

  get payloadAt(): number {
    return this.tsEnd + this.header.text.length - PAYLOAD.length;
  }
  get id(): string {
    return this.text.slice(START.length, ID_END);
  }
  get ts(): string {
    return this.text.slice(TS_START, this.tsEnd);
  }
  get channel(): string {
    return this.header.channel;
  }
  get origin(): string {
    return this.header.origin;
  }
  get payloadType(): string {
    return this.header.payloadType;
  }
  get correlationId(): string {
    return this.header.correlationId;
  }
  get serviceName(): string {
    return this.header.serviceName;
  }
  get route(): readonly string[] {
    return this.header.route;
  }
}

/** The header that was read last. Channels repeat theirs: comparing is quicker than reading again. */
let known: Header = {
  text: "\n",
  channel: "",
  origin: "",
  payloadType: "",
  correlationId: "",
  serviceName: "",
  route: NO_ROUTE,
};

/**
 * Reads a line as both implementations write it: keys in their order, no space between them, nothing
 * escaped before the payload.
 *
 * @param text The line.
 * @returns The record; undefined for any other line, be it right or wrong.
 */
export function decodeCanonical(text: string): DecodedRecord | undefined {
  if (!hasAt(text, START, 0) || text.indexOf('"', START.length) !== ID_END) return undefined;
  if (!hasAt(text, TS, ID_END)) return undefined;
  const tsEnd = text.indexOf('"', TS_START);
  if (tsEnd < 0) return undefined;
  if (!hasAt(text, known.text, tsEnd)) {
    const header = readHeader(text, tsEnd);
    if (header === undefined) return undefined;
    known = header;
  }
  const payloadStart = tsEnd + known.text.length;
  const escape = text.indexOf("\\");
  if (escape >= 0 && escape < payloadStart) return undefined;
  const end = text.length - 1;
  if (text.charCodeAt(end) !== CLOSING_BRACE) return undefined;
  try {
    return new CanonicalRecord(text, known, tsEnd, JSON.parse(text.slice(payloadStart, end)));
  } catch {
    return undefined;
  }
}

/** `text.startsWith(part, at)`, which takes five times as long where the part is long. */
function hasAt(text: string, part: string, at: number): boolean {
  return text.slice(at, at + part.length) === part;
}

function readHeader(text: string, start: number): Header | undefined {
  const channel = stringAfter(text, start, CHANNEL);
  if (channel === undefined) return undefined;
  const origin = stringAfter(text, channel.end, ORIGIN);
  if (origin === undefined) return undefined;
  const payloadType = stringAfter(text, origin.end, PAYLOAD_TYPE);
  if (payloadType === undefined) return undefined;
  let at = payloadType.end + 1;
  const correlationId = stringAfter(text, at, CORRELATION_ID);
  if (correlationId !== undefined) at = correlationId.end + 1;
  const serviceName = stringAfter(text, at, SERVICE_NAME);
  if (serviceName !== undefined) at = serviceName.end + 1;
  let route = NO_ROUTE;
  if (text.startsWith(ROUTE, at)) {
    const end = text.indexOf("]", at);
    const names = splitRoute(text.slice(at + ROUTE.length, end));
    if (end < 0 || names === undefined) return undefined;
    route = names;
    at = end + 1;
  }
  if (!text.startsWith(PAYLOAD, at)) return undefined;
  const headerText = text.slice(start, at + PAYLOAD.length);
  if (CONTROL.test(headerText)) return undefined;
  return {
    text: headerText,
    channel: channel.value,
    origin: origin.value,
    payloadType: payloadType.value,
    correlationId: correlationId?.value ?? "",
    serviceName: serviceName?.value ?? "",
    route,
  };
}

function stringAfter(
  text: string,
  at: number,
  key: string,
): { readonly value: string; readonly end: number } | undefined {
  if (!text.startsWith(key, at)) return undefined;
  const start = at + key.length;
  const end = text.indexOf('"', start);
  return end < 0 ? undefined : { value: text.slice(start, end), end };
}

/** `"a","b"` to its names; undefined for anything that is not plainly that. */
function splitRoute(inner: string): readonly string[] | undefined {
  if (inner.length < 2 || inner[0] !== '"' || inner[inner.length - 1] !== '"') return undefined;
  const names = inner.slice(1, -1).split('","');
  return names.some((name) => name.includes('"')) ? undefined : names;
}
