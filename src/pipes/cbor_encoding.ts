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
    const slab = this.#slab;
    const at = slab.reserve(CODE_BYTES + bytes.length);
    writeCode(slab.piece, at, code);
    slab.piece.set(bytes, at + CODE_BYTES);
    return slab.take(CODE_BYTES + bytes.length);
  }

  /** Reads the value of a message. */
  decode(message: Uint8Array): unknown {
    return decode(message.subarray(CODE_BYTES), OPTIONS);
  }
}
