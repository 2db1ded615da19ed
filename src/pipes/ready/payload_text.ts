import { messageOf, PayloadInvalidError } from "../../base/mod.ts";
import type { PipeMessage } from "../pipe_message.ts";

/**
 * A message's value as JSON text, for pipes that change its bytes.
 *
 * @throws {PayloadInvalidError} When JSON cannot carry it, or would make something else of it.
 */
export function textOf({ type, value }: PipeMessage): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value, refuseOthers);
  } catch (error) {
    throw new PayloadInvalidError(type, [`JSON cannot carry it: ${messageOf(error)}`], {
      cause: error,
    });
  }
  if (text !== undefined) return text;
  throw new PayloadInvalidError(type, [`JSON cannot carry ${typeof value}`]);
}

/** JSON would silently make an object of numbered members of bytes, and an empty one of a map. */
function refuseOthers(_key: string, value: unknown): unknown {
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) {
    throw new TypeError("it has bytes");
  }
  if (value instanceof Map || value instanceof Set) throw new TypeError("it has a Map or a Set");
  return value;
}

/**
 * What a signature or a sealed value belongs to, beside itself: it cannot be put into another message.
 * The same bytes at both ends.
 */
export function contextOf(kind: string, keyId: string, message: PipeMessage): string {
  const { type, channel = "", headers } = message;
  return JSON.stringify([kind, keyId, type, channel, headers.id ?? "", headers.origin ?? ""]);
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The value of bytes of JSON text. @throws When they are none. */
export function valueOf(bytes: Uint8Array): unknown {
  return JSON.parse(decoder.decode(bytes));
}
