import { quote } from "../../base/mod.ts";
import { InvalidConfigError } from "../errors.ts";
import { Pipe, type PipeConnection } from "../pipe.ts";
import type { PipeMessage } from "../pipe_message.ts";
import {
  MissingSignatureError,
  TamperedMessageError,
  UnknownKeyError,
  WrongSignerError,
} from "./errors.ts";
import { layerOf } from "./layer.ts";
import { SIGNATURE_ALGORITHM, SIGNATURE_KIND, signedBytes } from "./sign.ts";

const SIGNERS_MAX = 10_000;

/** Who is believed. */
export interface Signer {
  /** The public key: an Ed25519 key of Web Crypto that may verify, or its 32 bytes. */
  readonly publicKey: CryptoKey | Uint8Array;
  /** Instances whose messages it may sign. A broker's messages have no origin. @default any */
  readonly origins?: readonly string[];
}

/** Options of {@linkcode verify}. */
export interface VerifyOptions {
  /** Who is believed, by the ids of their keys; up to 10,000. One signer may have several keys. */
  readonly signers: Readonly<Record<string, Signer>>;
  /** Whether a message without a signature is let in. @default {false} */
  readonly allowUnsigned?: boolean;
}

/**
 * A pipe that lets in what {@linkcode sign} has signed with a known key, and takes the signature off. What
 * is not right fails: {@linkcode MissingSignatureError}, {@linkcode UnknownKeyError},
 * {@linkcode WrongSignerError}, {@linkcode TamperedMessageError}. What is sent it passes on as it is. An old
 * message that comes again is signed rightly: `dedupe` knows it. Needs no permission.
 *
 * @param options Who is believed.
 * @returns The pipe.
 * @throws {InvalidConfigError} When a key is none.
 *
 * @example
 * ```ts
 * import { verify } from "@keyop/messenger/pipes";
 *
 * const keys = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]) as CryptoKeyPair;
 * verify({ signers: { "attic-2026": { publicKey: keys.publicKey, origins: ["attic"] } } });
 * ```
 */
export function verify(options: VerifyOptions): Pipe {
  return new VerifyPipe(options);
}

interface KnownSigner {
  readonly key: Promise<CryptoKey>;
  readonly origins: ReadonlySet<string> | undefined;
}

class VerifyPipe extends Pipe {
  readonly #signers = new Map<string, KnownSigner>();
  readonly #allowUnsigned: boolean;

  constructor({ signers, allowUnsigned = false }: VerifyOptions) {
    super();
    const entries = Object.entries(signers);
    if (entries.length > SIGNERS_MAX) {
      throw new InvalidConfigError(
        `Cannot make the verify pipe with ${entries.length} signers: give up to ${SIGNERS_MAX}`,
      );
    }
    for (const [keyId, { publicKey, origins }] of entries) {
      const key = imported(keyId, publicKey);
      // Who verifies hears of it.
      key.catch(() => {});
      this.#signers.set(keyId, { key, origins: origins && new Set(origins) });
    }
    this.#allowUnsigned = allowUnsigned;
  }

  override async handle(connection: PipeConnection, message: PipeMessage): Promise<void> {
    const layer = layerOf(SIGNATURE_KIND, message.value);
    if (layer !== undefined) {
      const { alg = "", kid = "", sig = "" } = layer.header;
      const value = await this.#verified(message, alg, kid, sig, layer.body);
      await super.handle(connection, message.with(value));
    } else if (this.#allowUnsigned) await super.handle(connection, message);
    else throw new MissingSignatureError(message);
  }

  async #verified(
    message: PipeMessage,
    alg: string,
    keyId: string,
    signature: string,
    text: string,
  ): Promise<unknown> {
    if (alg !== SIGNATURE_ALGORITHM) {
      throw new TamperedMessageError(message, `it names the algorithm ${quote(alg)}`);
    }
    const signer = this.#signers.get(keyId);
    if (signer === undefined) throw new UnknownKeyError(message, keyId);
    const origin = message.headers.origin ?? "";
    if (signer.origins !== undefined && !signer.origins.has(origin)) {
      throw new WrongSignerError(message, keyId, origin);
    }
    const key = await signer.key;
    try {
      const bytes = signedBytes(message, keyId, text);
      if (await crypto.subtle.verify("Ed25519", key, Uint8Array.fromBase64(signature), bytes)) {
        return JSON.parse(text);
      }
    } catch (error) {
      throw new TamperedMessageError(message, "its signature cannot be read", { cause: error });
    }
    throw new TamperedMessageError(message, "it was changed after it was signed");
  }
}

function imported(keyId: string, key: CryptoKey | Uint8Array): Promise<CryptoKey> {
  if (key instanceof CryptoKey) {
    if (key.algorithm.name === "Ed25519" && key.usages.includes("verify")) {
      return Promise.resolve(key);
    }
  } else if (key instanceof Uint8Array && key.length === 32) {
    return crypto.subtle.importKey("raw", new Uint8Array(key), "Ed25519", false, ["verify"]);
  }
  throw new InvalidConfigError(
    `Cannot verify with key ${quote(keyId)}: give 32 bytes, or an Ed25519 key that may verify`,
  );
}
