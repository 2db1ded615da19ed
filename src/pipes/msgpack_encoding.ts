import { Decoder, Encoder } from "@msgpack/msgpack";
import { CODE_BYTES, type Encoding, writeCode } from "./encoding.ts";
import { checkMsgpackClaims } from "./msgpack_claims.ts";
import { Slab } from "./slab.ts";

/** MessagePack. */
export class MsgpackEncoding implements Encoding {
  readonly name = "application/msgpack";
  readonly #slab = new Slab();
  readonly #encoder = new Encoder();
  readonly #decoder = new Decoder();

  /** Writes a message. */
  encode(code: number, value: unknown): Uint8Array<ArrayBuffer> {
    const bytes = this.#encoder.encodeSharedRef(value);
    const slab = this.#slab;
    const at = slab.reserve(CODE_BYTES + bytes.length);
    writeCode(slab.piece, at, code);
    slab.piece.set(bytes, at + CODE_BYTES);
    return slab.take(CODE_BYTES + bytes.length);
  }

  /** Reads the value of a message. */
  decode(message: Uint8Array): unknown {
    const bytes = message.subarray(CODE_BYTES);
    checkMsgpackClaims(bytes);
    return this.#decoder.decode(bytes);
  }
}
