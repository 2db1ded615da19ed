import { messageOf, PayloadInvalidError } from "../base/mod.ts";
import type { MessageDefinition } from "./define_message.ts";
import { type Encoding, type EncodingName, loadEncoding } from "./encoding.ts";
import { HEARTBEAT_CODE } from "./message_set.ts";

/** The heartbeat in one encoding. */
export interface Heartbeat {
  /** Asks for an answer. */
  readonly ask: Uint8Array<ArrayBuffer>;
  /** Answers. */
  readonly answer: Uint8Array<ArrayBuffer>;
}

const ASK = 0;
const ANSWER = 1;

/** Writes and reads messages in the encodings that were loaded. */
export class Codec {
  readonly #encodings: ReadonlyMap<EncodingName, Encoding>;
  readonly #heartbeats = new Map<EncodingName, Heartbeat>();
  readonly #maxMessageSize: number;

  private constructor(encodings: readonly Encoding[], maxMessageSize: number) {
    this.#encodings = new Map(encodings.map((encoding) => [encoding.name, encoding]));
    this.#maxMessageSize = maxMessageSize;
    for (const encoding of encodings) {
      // Copies, so that they hold no larger piece of memory.
      const ask = encoding.encode(HEARTBEAT_CODE, ASK).slice();
      const answer = encoding.encode(HEARTBEAT_CODE, ANSWER).slice();
      this.#heartbeats.set(encoding.name, { ask, answer });
    }
  }

  /** Loads encodings. */
  static async load(names: Iterable<EncodingName>, maxMessageSize: number): Promise<Codec> {
    return new Codec(await Promise.all(Array.from(names, loadEncoding)), maxMessageSize);
  }

  /** The heartbeat in an encoding. */
  heartbeat(name: EncodingName): Heartbeat {
    return this.#heartbeats.get(name)!;
  }

  /**
   * Writes a message.
   *
   * @throws {PayloadInvalidError} When the encoding cannot carry the value, or it is too long.
   */
  encode(
    definition: MessageDefinition,
    value: unknown,
    name: EncodingName,
  ): Uint8Array<ArrayBuffer> {
    let bytes: Uint8Array<ArrayBuffer>;
    try {
      bytes = this.#encodings.get(name)!.encode(definition.code, value);
    } catch (error) {
      throw new PayloadInvalidError(definition.name, [`${name}: ${messageOf(error)}`], {
        cause: error,
      });
    }
    if (bytes.length > this.#maxMessageSize) {
      throw new PayloadInvalidError(definition.name, [
        `it takes ${bytes.length} bytes, more than the maxMessageSize of ${this.#maxMessageSize}`,
      ]);
    }
    return bytes;
  }

  /**
   * Reads the value of a message.
   *
   * @throws When that is none of the encoding.
   */
  decode(message: Uint8Array, name: EncodingName): unknown {
    return this.#encodings.get(name)!.decode(message);
  }
}
