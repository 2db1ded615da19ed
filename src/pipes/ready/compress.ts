import { promisify } from "node:util";
import { gunzip, gunzipSync, gzip, gzipSync } from "node:zlib";
import { messageOf } from "../../base/mod.ts";
import { Pipe, type PipeConnection, type PipeSendOptions } from "../pipe.ts";
import type { PipeMessage } from "../pipe_message.ts";
import { wholeInRange } from "./checks.ts";
import { DecompressionError } from "./errors.ts";
import { layerOf, looksLikeLayer, wrap } from "./layer.ts";
import { textOf, valueOf } from "./payload_text.ts";

const KIND = "compress";
const GZIP = "gzip";
const PLAIN = "none";
const MIB = 1024 * 1024;
/** Beyond it a thread does the work, which for less would cost more than the work. */
const AT_ONCE_BYTES = 64 * 1024;

const compressLater = promisify(gzip);
const decompressLater = promisify<Uint8Array, { maxOutputLength: number }, Uint8Array>(gunzip);

/** Options of {@linkcode compress}. */
export interface CompressOptions {
  /** Values whose JSON text is shorter than so many bytes are sent as they are. From 0. @default {1_024} */
  readonly minBytes?: number;
  /**
   * The longest JSON text in bytes that a received value may have when it is decompressed. Up to 1 GiB.
   * @default {10_485_760}
   */
  readonly maxBytes?: number;
  /** How hard to try, 1 (fast) to 9 (small). @default {6} */
  readonly level?: number;
}

/** What a {@linkcode CompressPipe} has done. */
export interface CompressStats {
  /** Messages that were sent compressed. */
  readonly compressed: number;
  /** Messages that were sent as they were: short, or not shorter when compressed. */
  readonly plain: number;
  /** Bytes of JSON text that were compressed. */
  readonly bytesBefore: number;
  /** Characters that were sent instead. */
  readonly bytesAfter: number;
}

/** Compresses values. Made by {@linkcode compress}. */
export class CompressPipe extends Pipe {
  readonly #minBytes: number;
  readonly #maxBytes: number;
  readonly #level: number;
  readonly #encoder = new TextEncoder();
  #compressed = 0;
  #plain = 0;
  #bytesBefore = 0;
  #bytesAfter = 0;

  /**
   * Makes the pipe.
   *
   * @param options What is worth it, and what is too much.
   * @throws {InvalidConfigError} When an option is out of its range.
   */
  constructor({ minBytes = 1_024, maxBytes = 10 * MIB, level = 6 }: CompressOptions = {}) {
    super();
    this.#minBytes = wholeInRange(KIND, "minBytes", minBytes, 0);
    this.#maxBytes = wholeInRange(KIND, "maxBytes", maxBytes, 1, 1024 * MIB);
    this.#level = wholeInRange(KIND, "level", level, 1, 9);
  }

  /** What the pipe has done. */
  stats(): CompressStats {
    return {
      compressed: this.#compressed,
      plain: this.#plain,
      bytesBefore: this.#bytesBefore,
      bytesAfter: this.#bytesAfter,
    };
  }

  /** Compresses a value on its way out. */
  override async send(
    message: PipeMessage,
    connections: readonly PipeConnection[],
    options?: PipeSendOptions,
  ): Promise<void> {
    const text = textOf(message);
    const bytes = this.#encoder.encode(text);
    const level = { level: this.#level };
    let body: string | undefined;
    if (bytes.length >= this.#minBytes) {
      const packed = bytes.length <= AT_ONCE_BYTES
        ? gzipSync(bytes, level)
        : await compressLater(bytes, level);
      const base64 = new Uint8Array(packed).toBase64();
      if (base64.length < bytes.length) body = base64;
    }
    let passed = message;
    if (body !== undefined) {
      this.#compressed++;
      this.#bytesBefore += bytes.length;
      this.#bytesAfter += body.length;
      passed = message.with(wrap(KIND, { alg: GZIP }, body));
    } else {
      this.#plain++;
      // A value that looks as if this pipe had made it would be taken for such a one.
      if (looksLikeLayer(KIND, message.value)) {
        passed = message.with(wrap(KIND, { alg: PLAIN }, text));
      }
    }
    await super.send(passed, connections, options);
  }

  /** Decompresses a value on its way in. */
  override async handle(connection: PipeConnection, message: PipeMessage): Promise<void> {
    if (!looksLikeLayer(KIND, message.value)) return await super.handle(connection, message);
    const layer = layerOf(KIND, message.value);
    const { alg } = layer?.header ?? {};
    let value: unknown;
    try {
      if (layer !== undefined && alg === GZIP) value = valueOf(await this.#unpacked(layer.body));
      else if (layer !== undefined && alg === PLAIN) value = JSON.parse(layer.body);
      else throw new Error("it is not in a form that is known here");
    } catch (error) {
      const tooLong = (error as { code?: unknown } | undefined)?.code === "ERR_BUFFER_TOO_LARGE";
      const why = tooLong ? `it is longer than ${this.#maxBytes} bytes` : messageOf(error);
      throw new DecompressionError(message, why, { cause: error });
    }
    await super.handle(connection, message.with(value));
  }

  async #unpacked(body: string): Promise<Uint8Array> {
    const packed = Uint8Array.fromBase64(body);
    const limit = { maxOutputLength: this.#maxBytes };
    return packed.length <= AT_ONCE_BYTES / 8
      ? gunzipSync(packed, limit)
      : await decompressLater(packed, limit);
  }
}

/**
 * A pipe that compresses what is sent, with gzip, and decompresses what is received. What is short, or
 * would not get shorter, is sent as it is. A value that is damaged, or too long when it is decompressed,
 * fails with {@linkcode DecompressionError}; it is not decompressed further than that. Put it behind
 * `encrypt` in the list of pipes: what is encrypted cannot be compressed. Values are those that JSON can
 * carry. Needs no permission.
 *
 * @param options What is worth it, and what is too much.
 * @returns The pipe, with `stats()`.
 * @throws {InvalidConfigError} When an option is out of its range.
 *
 * @example
 * ```ts
 * import { compress } from "@keyop/messenger/pipes";
 *
 * compress({ minBytes: 4_096, maxBytes: 1_000_000 });
 * ```
 */
export function compress(options: CompressOptions = {}): CompressPipe {
  return new CompressPipe(options);
}
