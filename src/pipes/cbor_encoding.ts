import { decode, type DecodeOptions, encode } from "cborg";
import { CODE_BYTES, type Encoding, writeCode } from "./encoding.ts";
import { Slab } from "./slab.ts";

const OPTIONS: DecodeOptions = { allowIndefinite: true, rejectDuplicateMapKeys: true };

/** CBOR. */
export class CborEncoding implements Encoding {
  readonly name = "application/cbor";
  readonly #slab = new Slab();

  /** Writes a message. */
  encode(code: number, value: unknown): Uint8Array<ArrayBuffer> {
    const bytes = encode(value);
    const room = this.#slab.room(CODE_BYTES + bytes.length);
    writeCode(room, code);
    room.set(bytes, CODE_BYTES);
    return this.#slab.keep(room, room.length);
  }

  /** Reads the value of a message. */
  decode(message: Uint8Array): unknown {
    return decode(message.subarray(CODE_BYTES), OPTIONS);
  }
}
