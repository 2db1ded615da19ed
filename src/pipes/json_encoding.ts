import { CODE_BYTES, type Encoding, writeCode } from "./encoding.ts";
import { Slab } from "./slab.ts";

/** Bytes of UTF-8 that one UTF-16 unit takes at most. */
const BYTES_PER_UNIT_MAX = 3;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** JSON, as the language itself writes and reads it. */
export class JsonEncoding implements Encoding {
  readonly name = "application/json";
  readonly #slab = new Slab();

  /** Writes a message. */
  encode(code: number, value: unknown): Uint8Array<ArrayBuffer> {
    const text = JSON.stringify(value);
    if (text === undefined) throw new TypeError(`JSON cannot carry ${typeof value}`);
    const room = this.#slab.room(CODE_BYTES + text.length * BYTES_PER_UNIT_MAX);
    writeCode(room, code);
    const { written } = encoder.encodeInto(text, room.subarray(CODE_BYTES));
    return this.#slab.keep(room, CODE_BYTES + written);
  }

  /** Reads the value of a message. */
  decode(message: Uint8Array): unknown {
    return JSON.parse(decoder.decode(message.subarray(CODE_BYTES)));
  }
}
