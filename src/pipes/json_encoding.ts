import { Buffer } from "node:buffer";
import { CODE_BYTES, type Encoding, writeCode } from "./encoding.ts";
import { Slab } from "./slab.ts";

/** Bytes of UTF-8 that one UTF-16 unit takes at most. */
const BYTES_PER_UNIT_MAX = 3;
/** What takes the place of bytes that are no UTF-8. */
const REPLACEMENT = "\ufffd";

const encoder = new TextEncoder();
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** JSON, as the language itself writes and reads it. */
export class JsonEncoding implements Encoding {
  readonly name = "application/json";
  readonly #slab = new Slab();

  /** Writes a message. */
  encode(code: number, value: unknown): Uint8Array<ArrayBuffer> {
    const text = JSON.stringify(value);
    if (text === undefined) throw new TypeError(`JSON cannot carry ${typeof value}`);
    const slab = this.#slab;
    const at = slab.reserve(CODE_BYTES + text.length * BYTES_PER_UNIT_MAX);
    writeCode(slab.piece, at, code);
    const { written } = encoder.encodeInto(
      text,
      new Uint8Array(slab.piece.buffer, at + CODE_BYTES),
    );
    return slab.take(CODE_BYTES + written);
  }

  /** Reads the value of a message. */
  decode(message: Uint8Array): unknown {
    const bytes = message instanceof Buffer
      ? message
      : Buffer.from(message.buffer, message.byteOffset, message.byteLength);
    // Several times as fast as the strict decoder, which is asked where it may have something to say.
    const text = bytes.toString("utf8", CODE_BYTES);
    return JSON.parse(
      text.includes(REPLACEMENT) ? strict.decode(message.subarray(CODE_BYTES)) : text,
    );
  }
}
