import { messageOf, quote } from "../base/mod.ts";
import { CloseCode } from "./close_codes.ts";
import type { Frame } from "./link.ts";

/** Version of the protocol. */
export const WIRE_VERSION = "1";

/** Longest handshake or acknowledgement in bytes. */
export const TEXT_FRAME_BYTES_MAX = 64 * 1024;

const NAME_LENGTH_MAX = 255;
const LENGTH_BYTES = 4;

const encoder = new TextEncoder();

/** A frame that is not of this protocol, and the close code that says so. */
export class WireError extends Error {
  /** The name of the class. */
  override readonly name = "WireError";
  /** What to close the link with. */
  readonly closeCode: number;

  /**
   * Makes the error.
   *
   * @param message What is wrong; it is sent as the reason.
   * @param closeCode What to close the link with.
   */
  constructor(message: string, closeCode: number = CloseCode.badProtocol) {
    super(message);
    this.closeCode = closeCode;
  }
}

/** Which side of a link speaks. */
export type Role = "client" | "hub";

/** The first frame of either side. */
export interface Handshake {
  /** The speaker's name; it counts only on a link without certificates. */
  readonly instanceName: string;
  /** Which side speaks. */
  readonly role: Role;
  /** Channels that a client wants. */
  readonly subscribe: readonly string[];
  /** Whether the client keeps nothing and wants only what is new. */
  readonly ephemeral: boolean;
  /** Frames that may be unacknowledged; undefined for an original, which announces none. */
  readonly window: number | undefined;
  /** Longest record that the speaker takes; undefined for an original. */
  readonly maxRecordBytes: number | undefined;
}

/** Writes a handshake. */
export function encodeHandshake(handshake: Handshake): string {
  return JSON.stringify({
    instance_name: handshake.instanceName,
    role: handshake.role,
    version: WIRE_VERSION,
    ...(handshake.subscribe.length > 0 && { subscribe: handshake.subscribe }),
    ...(handshake.ephemeral && { ephemeral: true }),
    window: handshake.window,
    max_record_bytes: handshake.maxRecordBytes,
  });
}

/**
 * Reads the other side's first frame.
 *
 * @param frame What came in.
 * @param role What the other side has to be.
 * @returns The handshake.
 * @throws {WireError} When it is no handshake of this version and role.
 */
export function parseHandshake(frame: Frame, role: Role): Handshake {
  const fields = parseObject(frame, "handshake");
  if (fields.version !== WIRE_VERSION) {
    const said = typeof fields.version === "string" ? quote(fields.version) : "none";
    throw new WireError(`handshake: version ${said} is not "${WIRE_VERSION}"`);
  }
  if (fields.role !== role) throw new WireError(`handshake: "role" is not "${role}"`);
  const name = fields.instance_name;
  if (typeof name !== "string" || name.length > NAME_LENGTH_MAX) {
    throw new WireError('handshake: "instance_name" is no string of at most 255 characters');
  }
  const subscribe = fields.subscribe ?? [];
  if (!Array.isArray(subscribe) || !subscribe.every((channel) => typeof channel === "string")) {
    throw new WireError('handshake: "subscribe" is no list of strings');
  }
  const ephemeral = fields.ephemeral ?? false;
  if (typeof ephemeral !== "boolean") throw new WireError('handshake: "ephemeral" is no boolean');
  return {
    instanceName: name,
    role,
    subscribe,
    ephemeral,
    window: optionalCount(fields, "window"),
    maxRecordBytes: optionalCount(fields, "max_record_bytes"),
  };
}

/** Writes an acknowledgement. */
export function encodeAck(lastId: string): string {
  return `{"last_id":${JSON.stringify(lastId)}}`;
}

/**
 * Reads an acknowledgement.
 *
 * @returns Id of the last record handled; empty when an original names none.
 * @throws {WireError} When it is none.
 */
export function parseAck(frame: string): string {
  const { last_id: lastId } = parseObject(frame, "acknowledgement");
  if (typeof lastId !== "string") throw new WireError('acknowledgement: no string "last_id"');
  return lastId;
}

/**
 * Puts records into a frame, each behind its length, with one copy.
 *
 * @param records At least one, none of them empty.
 * @returns The frame.
 */
export function encodeDataFrame(records: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let size = 0;
  for (const record of records) size += LENGTH_BYTES + record.length;
  const frame = new Uint8Array(size);
  let at = 0;
  for (const record of records) {
    const { length } = record;
    frame[at] = length >>> 24;
    frame[at + 1] = length >>> 16;
    frame[at + 2] = length >>> 8;
    frame[at + 3] = length;
    frame.set(record, at + LENGTH_BYTES);
    at += LENGTH_BYTES + length;
  }
  return frame;
}

/**
 * Takes a frame apart.
 *
 * @param frame What came in.
 * @param maxRecordBytes Longest record that is taken.
 * @returns The records, as parts of the frame.
 * @throws {WireError} When it holds no record, an empty one, one that is too long, or is cut short.
 */
export function decodeDataFrame(frame: Uint8Array, maxRecordBytes: number): Uint8Array[] {
  if (frame.length === 0) throw new WireError("data frame: no record in it");
  const records: Uint8Array[] = [];
  let at = 0;
  while (at < frame.length) {
    const start = at + LENGTH_BYTES;
    if (start > frame.length) throw new WireError("data frame: cut short in a length");
    const length = frame[at]! * 0x1000000 +
      (frame[at + 1]! << 16 | frame[at + 2]! << 8 | frame[at + 3]!);
    if (length === 0) throw new WireError("data frame: an empty record");
    if (length > maxRecordBytes) {
      throw new WireError(
        `data frame: a record of ${length} bytes, more than ${maxRecordBytes}`,
        CloseCode.tooBig,
      );
    }
    at = start + length;
    if (at > frame.length) throw new WireError("data frame: cut short in a record");
    records.push(frame.subarray(start, at));
  }
  return records;
}

function parseObject(frame: Frame, what: string): Record<string, unknown> {
  if (typeof frame !== "string") throw new WireError(`${what}: a binary frame in place of text`);
  if (
    frame.length > TEXT_FRAME_BYTES_MAX ||
    (frame.length * 3 > TEXT_FRAME_BYTES_MAX &&
      encoder.encode(frame).length > TEXT_FRAME_BYTES_MAX)
  ) {
    throw new WireError(`${what}: more than ${TEXT_FRAME_BYTES_MAX} bytes`);
  }
  let value: unknown;
  try {
    value = JSON.parse(frame);
  } catch (error) {
    throw new WireError(`${what}: not JSON: ${messageOf(error)}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new WireError(`${what}: no JSON object`);
  }
  return value as Record<string, unknown>;
}

function optionalCount(fields: Record<string, unknown>, key: string): number | undefined {
  const value = fields[key];
  if (value === undefined || value === null) return undefined;
  if (!Number.isSafeInteger(value) || (value as number) < 1) {
    throw new WireError(`handshake: "${key}" is no whole number from 1`);
  }
  return value as number;
}
