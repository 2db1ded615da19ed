import {
  createLocalJWKSet,
  type CryptoKey,
  errors,
  importSPKI,
  type JSONWebKeySet,
  type JWTPayload,
  jwtVerify,
  type JWTVerifyOptions,
} from "jose";
import { type Clock, ConfigError, messageOf } from "../../base/mod.ts";
import type { ResolvedJwt } from "../config/mod.ts";
import type { User } from "../session/ports.ts";

/** Where the keys of tokens come from. */
type Keys =
  | { readonly kind: "secret"; readonly secret: Uint8Array }
  | { readonly kind: "public"; readonly keys: ReadonlyMap<string, CryptoKey> }
  | { readonly kind: "set"; readonly file: KeySetFile };

/** Shortest time between two looks at the file of a key set. */
const LOOK_INTERVAL_MS = 2000;
/** Keys of one set that a token without a key id is tried with. */
const TRIED_KEYS_MAX = 8;
const SHAPE = /^[\w-]+\.[\w-]+\.[\w-]*$/;

/** What may be given to {@linkcode JwtVerifier.open}. */
export interface JwtVerifierOptions {
  /** Time. */
  readonly clock: Clock;
  /** Reads a file as text. @default {Deno.readTextFile} */
  readonly readText?: (path: string) => Promise<string>;
  /** When a file changed, in milliseconds since 1970. @default by `Deno.stat` */
  readonly changedAtMs?: (path: string) => Promise<number>;
}

/** Checks JSON Web Tokens. */
export class JwtVerifier {
  readonly #config: ResolvedJwt;
  readonly #keys: Keys;
  readonly #clock: Clock;

  private constructor(config: ResolvedJwt, keys: Keys, clock: Clock) {
    this.#config = config;
    this.#keys = keys;
    this.#clock = clock;
  }

  /**
   * Reads the keys. Needs `--allow-read` for their files.
   *
   * @param config Which tokens are accepted.
   * @param options Time, and how files are read.
   * @throws {ConfigError} When a key cannot be read or does not fit the algorithms.
   */
  static async open(config: ResolvedJwt, options: JwtVerifierOptions): Promise<JwtVerifier> {
    return new JwtVerifier(config, await readKeys(config, options), options.clock);
  }

  /** Whether a text has the form of a token of this kind. */
  static looksLikeOne(token: string): boolean {
    return SHAPE.test(token);
  }

  /**
   * Checks a token.
   *
   * @returns Whose it is; undefined when it is not accepted.
   */
  async verify(token: string): Promise<User | undefined> {
    const payload = await this.#payload(token);
    if (payload === undefined) return undefined;
    const id = payload[this.#config.userClaim];
    const named = typeof id === "string" || typeof id === "number";
    if (!named || id === "" || String(id).length > 255) return undefined;
    if (payload.exp === undefined && !this.#config.allowNoExpiry) return undefined;
    return {
      id: String(id),
      claims: payload,
      ...(payload.exp === undefined
        ? {}
        : { expiresAtMs: payload.exp * 1000 + this.#config.leewayMs }),
    };
  }

  async #payload(token: string): Promise<JWTPayload | undefined> {
    const { algorithms, issuer, audience, leewayMs } = this.#config;
    const options: JWTVerifyOptions = {
      algorithms: algorithms.flatMap((name) => name === "EdDSA" ? ["EdDSA", "Ed25519"] : [name]),
      clockTolerance: leewayMs / 1000,
      currentDate: new Date(this.#clock.now()),
      ...(issuer === "" ? {} : { issuer }),
      ...(audience === "" ? {} : { audience }),
    };
    try {
      return await this.#verifyWith(token, options);
    } catch (error) {
      if (error instanceof errors.JOSEError) return undefined;
      throw error;
    }
  }

  async #verifyWith(token: string, options: JWTVerifyOptions): Promise<JWTPayload> {
    const keys = this.#keys;
    if (keys.kind === "secret") return (await jwtVerify(token, keys.secret, options)).payload;
    if (keys.kind === "public") {
      const choose = ({ alg }: { alg?: string }): CryptoKey => {
        const key = keys.keys.get(alg === "Ed25519" ? "EdDSA" : alg ?? "");
        if (key === undefined) throw new errors.JWKSNoMatchingKey();
        return key;
      };
      return (await jwtVerify(token, choose, options)).payload;
    }
    const set = await keys.file.current();
    try {
      return (await jwtVerify(token, set, options)).payload;
    } catch (error) {
      if (!(error instanceof errors.JWKSMultipleMatchingKeys)) throw error;
      let tried = 0;
      for await (const key of error) {
        if (++tried > TRIED_KEYS_MAX) break;
        try {
          return (await jwtVerify(token, key, options)).payload;
        } catch (inner) {
          if (!(inner instanceof errors.JWSSignatureVerificationFailed)) throw inner;
        }
      }
      throw new errors.JWSSignatureVerificationFailed();
    }
  }
}

async function readKeys(config: ResolvedJwt, options: JwtVerifierOptions): Promise<Keys> {
  const read = options.readText ?? Deno.readTextFile;
  if (config.secret !== "") return secretOf(config.secret, "security.jwt.secret");
  if (config.secretFile !== "") {
    const path = "security.jwt.secret_file";
    // An editor ends a file with a line end, which is no part of the secret.
    const text = (await reading(path, () => read(config.secretFile))).replace(/\r?\n$/, "");
    return secretOf(text, path);
  }
  if (config.jwksFile !== "") {
    const changedAtMs = options.changedAtMs ?? changedAt;
    const file = new KeySetFile(config.jwksFile, read, changedAtMs, options.clock);
    await file.open();
    return { kind: "set", file };
  }
  const path = "security.jwt.public_key_file";
  const pem = await reading(path, () => read(config.publicKeyFile));
  const keys = new Map<string, CryptoKey>();
  let reason = "";
  for (const algorithm of config.algorithms) {
    try {
      keys.set(algorithm, await importSPKI(pem.trim(), algorithm));
    } catch (error) {
      reason = messageOf(error);
    }
  }
  if (keys.size > 0) return { kind: "public", keys };
  throw problem(path, `is no PEM public key for ${config.algorithms.join(" or ")}: ${reason}`);
}

function secretOf(text: string, path: string): Keys {
  const secret = new TextEncoder().encode(text);
  if (secret.length >= 32) return { kind: "secret", secret };
  throw problem(path, "has fewer than 32 bytes, which HS256 needs");
}

/** A key set on disk, read again when it changed: keys are rotated without a restart. */
class KeySetFile {
  #set: ReturnType<typeof createLocalJWKSet> | undefined;
  #changedAtMs = Number.NaN;
  #lookedAtMs = -Infinity;

  constructor(
    readonly path: string,
    readonly read: (path: string) => Promise<string>,
    readonly changedAtMs: (path: string) => Promise<number>,
    readonly clock: Clock,
  ) {}

  async open(): Promise<void> {
    await reading("security.jwt.jwks_file", () => this.#refresh());
  }

  /** The keys; those that were read last when the file cannot be read now. */
  async current(): Promise<ReturnType<typeof createLocalJWKSet>> {
    const now = this.clock.monotonic();
    if (now - this.#lookedAtMs >= LOOK_INTERVAL_MS) {
      await this.#refresh().catch(() => {});
    }
    return this.#set!;
  }

  async #refresh(): Promise<void> {
    this.#lookedAtMs = this.clock.monotonic();
    const changedAtMs = await this.changedAtMs(this.path);
    if (changedAtMs === this.#changedAtMs) return;
    const json = JSON.parse(await this.read(this.path)) as JSONWebKeySet;
    // A secret among public keys would be a mistake of the operator's.
    if (Array.isArray(json?.keys) && json.keys.some((key) => key?.kty === "oct")) {
      throw new TypeError("it holds a secret key");
    }
    this.#set = createLocalJWKSet(json);
    this.#changedAtMs = changedAtMs;
  }
}

async function changedAt(path: string): Promise<number> {
  return (await Deno.stat(path)).mtime?.getTime() ?? 0;
}

async function reading<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw problem(path, `cannot be read: ${messageOf(error)}`, error);
  }
}

function problem(path: string, message: string, cause?: unknown): ConfigError {
  return new ConfigError("configuration", [{ path, message }], { cause });
}
