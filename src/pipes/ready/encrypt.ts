import { quote, type Random, systemRandom } from "../../base/mod.ts";
import { InvalidConfigError } from "../errors.ts";
import { Pipe, type PipeConnection, type PipeSendOptions } from "../pipe.ts";
import type { PipeMessage } from "../pipe_message.ts";
import { wholeInRange } from "./checks.ts";
import {
  KeyExhaustedError,
  NotEncryptedError,
  TamperedMessageError,
  UnknownKeyError,
} from "./errors.ts";
import { KeyRing, type KeyRingOptions } from "./key_ring.ts";
import { layerOf, wrap } from "./layer.ts";
import { contextOf, textOf, valueOf } from "./payload_text.ts";

const KIND = "encrypt";
const ALGORITHM = "A256GCM";
const IV_BYTES = 12;
/** With so many random initial vectors the chance that two are equal is still below one in 2^32. */
const MESSAGES_PER_KEY_MAX = 2 ** 32;

/** Options of {@linkcode encrypt}. */
export interface EncryptOptions {
  /** The keys: a {@linkcode KeyRing}, to change them while the program runs, or what it is made of. */
  readonly keys: KeyRing | KeyRingOptions;
  /**
   * Whether a message that is not encrypted is let in, as while hosts get their keys one after the other.
   * Whoever can send then need not have a key. @default {false}
   */
  readonly allowPlain?: boolean;
  /**
   * Messages that one key encrypts in this process before it has to be replaced. 1 to 4,294,967,296.
   * @default {4_294_967_296}
   */
  readonly maxMessagesPerKey?: number;
  /** Replaces randomness, for tests. @default the system's */
  readonly random?: Random;
}

/**
 * A pipe that encrypts what is sent and decrypts what is received, with AES-GCM: a hub between two
 * hosts stores and forwards what it cannot read. Channel, payload type, ids and times are not
 * encrypted; they are protected: a sealed value cannot be put into another message.
 *
 * The id of the key goes with the message, so that keys can change while old messages are still read.
 * Values are those that JSON can carry. What cannot be opened fails: {@linkcode NotEncryptedError},
 * {@linkcode UnknownKeyError}, {@linkcode TamperedMessageError}. When a key is used up, sending fails with
 * {@linkcode KeyExhaustedError}. Needs no permission.
 *
 * @param options The keys.
 * @returns The pipe.
 * @throws {InvalidConfigError} When a key is none, or an option is out of its range.
 *
 * @example
 * ```ts
 * import { encrypt } from "@keyop/messenger/pipes";
 *
 * const key = crypto.getRandomValues(new Uint8Array(32)); // The same on every host.
 * encrypt({ keys: { keys: { "2026-11": key }, current: "2026-11" } });
 * ```
 */
export function encrypt(options: EncryptOptions): Pipe {
  return new EncryptPipe(options);
}

class EncryptPipe extends Pipe {
  readonly #keys: KeyRing;
  readonly #allowPlain: boolean;
  readonly #maxMessagesPerKey: number;
  readonly #random: Random;
  /** How many each key has encrypted. Keys are few. */
  readonly #used = new Map<string, number>();
  readonly #encoder = new TextEncoder();

  constructor(options: EncryptOptions) {
    super();
    const { keys, allowPlain = false, maxMessagesPerKey = MESSAGES_PER_KEY_MAX } = options;
    if (typeof keys !== "object" || keys === null) {
      throw new InvalidConfigError("Cannot make the encrypt pipe: give its keys");
    }
    this.#keys = keys instanceof KeyRing ? keys : new KeyRing(keys);
    this.#allowPlain = allowPlain;
    this.#maxMessagesPerKey = wholeInRange(
      KIND,
      "maxMessagesPerKey",
      maxMessagesPerKey,
      1,
      MESSAGES_PER_KEY_MAX,
    );
    this.#random = options.random ?? systemRandom;
  }

  override async send(
    message: PipeMessage,
    connections: readonly PipeConnection[],
    options?: PipeSendOptions,
  ): Promise<void> {
    // Taken before the first wait: afterwards the program may change the value.
    const plain = this.#encoder.encode(textOf(message));
    const keyId = this.#keys.current;
    const key = this.#keys.get(keyId)!;
    this.#count(keyId);
    const iv = new Uint8Array(IV_BYTES);
    this.#random.fill(iv);
    const sealed = await crypto.subtle.encrypt(this.#params(iv, keyId, message), await key, plain);
    const header = { alg: ALGORITHM, kid: keyId, iv: iv.toBase64() };
    const layer = wrap(KIND, header, new Uint8Array(sealed).toBase64());
    await super.send(message.with(layer), connections, options);
  }

  override async handle(connection: PipeConnection, message: PipeMessage): Promise<void> {
    const layer = layerOf(KIND, message.value);
    if (layer !== undefined) {
      const { alg = "", kid = "", iv = "" } = layer.header;
      await super.handle(
        connection,
        message.with(await this.#open(message, alg, kid, iv, layer.body)),
      );
    } else if (this.#allowPlain) await super.handle(connection, message);
    else throw new NotEncryptedError(message);
  }

  async #open(
    message: PipeMessage,
    alg: string,
    keyId: string,
    iv: string,
    body: string,
  ): Promise<unknown> {
    if (alg !== ALGORITHM) {
      throw new TamperedMessageError(message, `it names the algorithm ${quote(alg)}`);
    }
    const key = this.#keys.get(keyId);
    if (key === undefined) throw new UnknownKeyError(message, keyId);
    const usable = await key;
    try {
      const params = this.#params(Uint8Array.fromBase64(iv), keyId, message);
      const sealed = Uint8Array.fromBase64(body);
      return valueOf(new Uint8Array(await crypto.subtle.decrypt(params, usable, sealed)));
    } catch (error) {
      throw new TamperedMessageError(
        message,
        `it was changed after it was encrypted, or with another key of the id ${quote(keyId)}`,
        { cause: error },
      );
    }
  }

  #params(iv: Uint8Array<ArrayBuffer>, keyId: string, message: PipeMessage): AesGcmParams {
    const additionalData = this.#encoder.encode(contextOf(KIND, keyId, message));
    return { name: "AES-GCM", iv, additionalData };
  }

  #count(keyId: string): void {
    const used = this.#used.get(keyId) ?? 0;
    if (used >= this.#maxMessagesPerKey) throw new KeyExhaustedError(keyId, used);
    this.#used.set(keyId, used + 1);
  }
}
