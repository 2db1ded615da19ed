import { quote } from "../../base/mod.ts";
import { InvalidConfigError } from "../errors.ts";
import { Pipe, type PipeConnection, type PipeSendOptions } from "../pipe.ts";
import type { PipeMessage } from "../pipe_message.ts";
import { wrap } from "./layer.ts";
import { contextOf, textOf } from "./payload_text.ts";

/** The kind of the layer that a signature is in. */
export const SIGNATURE_KIND = "sign";
/** The algorithm that is named in it. */
export const SIGNATURE_ALGORITHM = "EdDSA";

/** Options of {@linkcode sign}. */
export interface SignOptions {
  /** Id of the key, 1 to 100 characters, under which the verifiers know it. */
  readonly keyId: string;
  /** The private key: an Ed25519 key of Web Crypto that may sign, or one in PKCS #8. */
  readonly privateKey: CryptoKey | Uint8Array;
}

/**
 * What is signed: the value's text, and what it belongs to.
 *
 * @param message The message that it is the value of.
 * @param keyId Id of the key.
 * @param text The value as JSON text.
 */
export function signedBytes(
  message: PipeMessage,
  keyId: string,
  text: string,
): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(`${contextOf(SIGNATURE_KIND, keyId, message)}\n${text}`);
}

/**
 * A pipe that signs what is sent, with Ed25519. The signature covers the value, its type, its channel,
 * the message's id and the instance's name; the id of the key goes with it. Values are those that JSON
 * can carry. The other end needs {@linkcode verify}. Needs no permission.
 *
 * @param options The key.
 * @returns The pipe. What is received it passes on as it is.
 * @throws {InvalidConfigError} When the key or its id is none.
 *
 * @example
 * ```ts
 * import { sign } from "@keyop/messenger/pipes";
 *
 * const keys = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]) as CryptoKeyPair;
 * sign({ keyId: "attic-2026", privateKey: keys.privateKey });
 * ```
 */
export function sign(options: SignOptions): Pipe {
  return new SignPipe(options);
}

class SignPipe extends Pipe {
  readonly #keyId: string;
  readonly #key: Promise<CryptoKey>;

  constructor({ keyId, privateKey }: SignOptions) {
    super();
    if (typeof keyId !== "string" || keyId === "" || keyId.length > 100) {
      throw new InvalidConfigError(
        "Cannot make the sign pipe: give a keyId of 1 to 100 characters",
      );
    }
    this.#keyId = keyId;
    this.#key = imported(keyId, privateKey);
    // Who signs hears of it.
    this.#key.catch(() => {});
  }

  override async send(
    message: PipeMessage,
    connections: readonly PipeConnection[],
    options?: PipeSendOptions,
  ): Promise<void> {
    const text = textOf(message);
    const bytes = signedBytes(message, this.#keyId, text);
    const signature = await crypto.subtle.sign("Ed25519", await this.#key, bytes);
    const header = {
      alg: SIGNATURE_ALGORITHM,
      kid: this.#keyId,
      sig: new Uint8Array(signature).toBase64(),
    };
    await super.send(message.with(wrap(SIGNATURE_KIND, header, text)), connections, options);
  }
}

function imported(keyId: string, key: CryptoKey | Uint8Array): Promise<CryptoKey> {
  if (key instanceof CryptoKey) {
    if (key.algorithm.name === "Ed25519" && key.usages.includes("sign")) {
      return Promise.resolve(key);
    }
    throw new InvalidConfigError(
      `Cannot sign with key ${quote(keyId)}: give an Ed25519 key that may sign`,
    );
  }
  if (!(key instanceof Uint8Array)) {
    throw new InvalidConfigError(
      `Cannot sign with key ${quote(keyId)}: give a CryptoKey, or the bytes of PKCS #8`,
    );
  }
  const refuse = (cause: unknown): never => {
    throw new InvalidConfigError(`Cannot sign with key ${quote(keyId)}: it is no PKCS #8`, {
      cause,
    });
  };
  return crypto.subtle.importKey("pkcs8", new Uint8Array(key), "Ed25519", false, ["sign"])
    .catch(refuse);
}
