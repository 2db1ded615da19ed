import { decodeEnvelope, effectiveRoute } from "../envelope/mod.ts";

const encoder = new TextEncoder();
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_LIST = 0x5b;
const CLOSE_LIST = 0x5d;

const START = encoder.encode('{"v":1,"id":"');
const ID_END = START.length + 36;
const ORIGIN = encoder.encode("origin");
const ROUTE = encoder.encode("route");
const PAYLOAD = encoder.encode("payload");

/**
 * The id of a record, read where both implementations write it, or by decoding the whole record when
 * it is written otherwise.
 *
 * @param record The record, without line feed.
 * @returns Undefined when there is none to be found.
 */
export function recordId(record: Uint8Array): string | undefined {
  if (startsCanonical(record)) {
    let id = "";
    for (let at = START.length; at < ID_END; at++) id += String.fromCharCode(record[at]!);
    return id;
  }
  try {
    return decodeEnvelope(record).id;
  } catch {
    return undefined;
  }
}

/** What a scan found out about a record. */
export type Verdict = "send" | "seen" | "malformed";

/**
 * Looks at records before they are sent: whether the peer is on their route. Records that are written
 * as usual are not decoded for that, which would cost more than sending them.
 */
export class RecordScan {
  readonly #names: readonly string[];
  readonly #encoded: readonly Uint8Array[];

  /** @param names Names of the peer. */
  constructor(names: readonly string[]) {
    this.#names = names;
    // A name that JSON writes with an escape is found by the slow way.
    this.#encoded = names.map((name) => encoder.encode(name));
  }

  /** `send`, or `seen` when the peer is on the record's route, or `malformed` when it is no record. */
  look(record: Uint8Array): Verdict {
    const verdict = startsCanonical(record) ? this.#scan(record) : undefined;
    return verdict ?? this.#decode(record);
  }

  /** Walks over the members before the payload; undefined when something is not as usual. */
  #scan(record: Uint8Array): Verdict | undefined {
    let at = ID_END + 1;
    let isOrigin = false;
    while (record[at] === COMMA && record[at + 1] === QUOTE) {
      const keyStart = at + 2;
      const keyEnd = endOfString(record, keyStart);
      if (keyEnd < 0 || record[keyEnd + 1] !== COLON) return undefined;
      if (matches(record, keyStart, keyEnd, PAYLOAD)) return isOrigin ? "seen" : "send";
      at = keyEnd + 2;
      if (record[at] === OPEN_LIST && matches(record, keyStart, keyEnd, ROUTE)) {
        return this.#scanRoute(record, at + 1, isOrigin);
      }
      if (record[at] !== QUOTE) return undefined;
      const end = endOfString(record, at + 1);
      if (end < 0) return undefined;
      if (matches(record, keyStart, keyEnd, ORIGIN)) isOrigin = this.#isName(record, at + 1, end);
      at = end + 1;
    }
    return undefined;
  }

  #scanRoute(record: Uint8Array, start: number, isOrigin: boolean): Verdict | undefined {
    if (record[start] === CLOSE_LIST) return isOrigin ? "seen" : "send";
    let at = start;
    while (record[at] === QUOTE) {
      const end = endOfString(record, at + 1);
      if (end < 0) return undefined;
      if (this.#isName(record, at + 1, end)) return "seen";
      if (record[end + 1] === CLOSE_LIST) return "send";
      if (record[end + 1] !== COMMA) return undefined;
      at = end + 2;
    }
    return undefined;
  }

  #isName(record: Uint8Array, start: number, end: number): boolean {
    for (const name of this.#encoded) if (matches(record, start, end, name)) return true;
    return false;
  }

  #decode(record: Uint8Array): Verdict {
    try {
      const route = effectiveRoute(decodeEnvelope(record));
      return this.#names.some((name) => route.includes(name)) ? "seen" : "send";
    } catch {
      return "malformed";
    }
  }
}

/** Whether version and id stand at the start, as usual. */
function startsCanonical(record: Uint8Array): boolean {
  if (record[ID_END] !== QUOTE || !matches(record, 0, START.length, START)) return false;
  for (let at = START.length; at < ID_END; at++) {
    const byte = record[at]!;
    const isDigit = byte >= 0x30 && byte <= 0x39;
    const isLetter = (byte | 0x20) >= 0x61 && (byte | 0x20) <= 0x66;
    if (!isDigit && !isLetter && byte !== 0x2d) return false;
  }
  return true;
}

function matches(record: Uint8Array, start: number, end: number, text: Uint8Array): boolean {
  if (end - start !== text.length) return false;
  for (let at = 0; at < text.length; at++) if (record[start + at] !== text[at]) return false;
  return true;
}

/** Where the string's closing quote stands; negative when there is none or something is escaped. */
function endOfString(record: Uint8Array, start: number): number {
  for (let at = start; at < record.length; at++) {
    const byte = record[at];
    if (byte === QUOTE) return at;
    if (byte === BACKSLASH) return -1;
  }
  return -1;
}
