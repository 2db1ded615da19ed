import { quote } from "../base/mod.ts";
import { InvalidEncodingError } from "./errors.ts";

/** How values are written on the wire. */
export type EncodingName = "application/json" | "application/msgpack" | "application/cbor";

/** Every encoding, the preferred one first. */
export const ENCODING_NAMES: readonly EncodingName[] = [
  "application/json",
  "application/msgpack",
  "application/cbor",
];

/** Writes and reads the messages of a connection. */
export interface Encoding {
  readonly name: EncodingName;
  /**
   * Writes a message: its code as four bytes, big-endian, and its value.
   *
   * @throws When the encoding cannot carry the value.
   */
  encode(code: number, value: unknown): Uint8Array<ArrayBuffer>;
  /**
   * Reads the value behind the code.
   *
   * @throws When that is no value of this encoding.
   */
  decode(message: Uint8Array): unknown;
}

/** Bytes of a message's code. */
export const CODE_BYTES = 4;

/** The code of a message of at least {@linkcode CODE_BYTES} bytes. */
export function codeOf(message: Uint8Array): number {
  return (message[0]! << 24 | message[1]! << 16 | message[2]! << 8 | message[3]!) >>> 0;
}

/** Writes a code where a message begins. */
export function writeCode(bytes: Uint8Array, at: number, code: number): void {
  bytes[at] = code >>> 24;
  bytes[at + 1] = code >>> 16;
  bytes[at + 2] = code >>> 8;
  bytes[at + 3] = code;
}

/** Whether there is such an encoding. */
export function isEncodingName(name: unknown): name is EncodingName {
  return (ENCODING_NAMES as readonly unknown[]).includes(name);
}

/** The error of an encoding that does not exist. */
export function unknownEncoding(name: unknown): InvalidEncodingError {
  return new InvalidEncodingError(
    `There is no encoding ${quote(String(name))}: there are ${ENCODING_NAMES.join(", ")}`,
  );
}

/**
 * The name as a WebSocket subprotocol, which cannot have a slash in it: neither browsers nor servers
 * let it pass. `application/json` is `application.json` there.
 */
export function subprotocolOf(name: EncodingName): string {
  return name.replace("/", ".");
}

/** What to answer an offer with. */
export interface Choice {
  readonly encoding: EncodingName;
  /** As it was offered: with a dot, or with the slash of clients that care for no rules. */
  readonly protocol: string;
}

/**
 * Chooses an encoding.
 *
 * @param offered Value of the header `Sec-WebSocket-Protocol`: the client's preference comes first.
 * @param accepted Encodings that are spoken here.
 * @returns The first that both speak; undefined when there is none.
 */
export function chooseEncoding(
  offered: string | null | undefined,
  accepted: readonly EncodingName[],
): Choice | undefined {
  for (const part of offered?.split(",") ?? []) {
    const protocol = part.trim();
    const encoding = accepted.find((name) => name === protocol || subprotocolOf(name) === protocol);
    if (encoding !== undefined) return { encoding, protocol };
  }
  return undefined;
}

/** Loads an encoding: those that nobody uses cost no time to start. */
export async function loadEncoding(name: EncodingName): Promise<Encoding> {
  switch (name) {
    case "application/json":
      return new (await import("./json_encoding.ts")).JsonEncoding();
    case "application/msgpack":
      return new (await import("./msgpack_encoding.ts")).MsgpackEncoding();
    case "application/cbor":
      return new (await import("./cbor_encoding.ts")).CborEncoding();
  }
}
