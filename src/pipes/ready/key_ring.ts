import { quote } from "../../base/mod.ts";
import { InvalidConfigError } from "../errors.ts";

const ID_LENGTH_MAX = 100;
const KEYS_MAX = 1_000;
const KEY_BYTES = [16, 32];

/** A secret key: 16 or 32 bytes, or an AES-GCM key of Web Crypto that may encrypt and decrypt. */
export type SecretKey = Uint8Array | CryptoKey;

/** Options of a {@linkcode KeyRing}. */
export interface KeyRingOptions {
  /** The keys by their ids; both ends give one key the same id. An id is 1 to 100 characters. */
  readonly keys: Readonly<Record<string, SecretKey>>;
  /** Id of the key that encrypts. The others decrypt what was encrypted with them. */
  readonly current: string;
}

/**
 * Secret keys that change while the program runs. To rotate: `add` the new key on every host, then
 * `use` it on every host, and `remove` the old one when nothing that it has encrypted is needed any
 * more. Holds up to 1,000 keys.
 *
 * @example
 * ```ts
 * import { KeyRing } from "@keyop/messenger/pipes";
 * import { assertEquals } from "@std/assert";
 *
 * const key = () => crypto.getRandomValues(new Uint8Array(32));
 * const ring = new KeyRing({ keys: { "2026-10": key() }, current: "2026-10" });
 * ring.add("2026-11", key());
 * ring.use("2026-11");
 * assertEquals([ring.current, ring.ids], ["2026-11", ["2026-10", "2026-11"]]);
 * ```
 */
export class KeyRing {
  readonly #keys = new Map<string, Promise<CryptoKey>>();
  #current: string;

  /**
   * Makes the ring.
   *
   * @param options The keys, and which of them encrypts.
   * @throws {InvalidConfigError} When a key or an id is none, or the current one is not among them.
   */
  constructor({ keys, current }: KeyRingOptions) {
    for (const [id, key] of Object.entries(keys)) this.add(id, key);
    this.#current = current;
    this.use(current);
  }

  /** Id of the key that encrypts. */
  get current(): string {
    return this.#current;
  }

  /** Ids of all keys. */
  get ids(): readonly string[] {
    return [...this.#keys.keys()];
  }

  /**
   * Adds a key, which decrypts from now on.
   *
   * @param id Its id.
   * @param key The key.
   * @throws {InvalidConfigError} When it is none, its id is taken, or there are 1,000.
   */
  add(id: string, key: SecretKey): void {
    if (typeof id !== "string" || id === "" || id.length > ID_LENGTH_MAX) {
      throw new InvalidConfigError(
        `Cannot add key ${quote(id)}: its id takes 1 to ${ID_LENGTH_MAX} characters`,
      );
    }
    if (this.#keys.has(id)) {
      throw new InvalidConfigError(`Cannot add key ${quote(id)}: there is one of that id`);
    }
    if (this.#keys.size >= KEYS_MAX) {
      throw new InvalidConfigError(`Cannot add key ${quote(id)}: there are ${KEYS_MAX} already`);
    }
    this.#keys.set(id, imported(id, key));
  }

  /**
   * Makes a key the one that encrypts.
   *
   * @param id Its id.
   * @throws {InvalidConfigError} When there is none of that id.
   */
  use(id: string): void {
    if (!this.#keys.has(id)) {
      throw new InvalidConfigError(`Cannot use key ${quote(id)}: it is not among the keys`);
    }
    this.#current = id;
  }

  /**
   * Forgets a key: what it has encrypted cannot be read here any more.
   *
   * @param id Its id.
   * @throws {InvalidConfigError} When it is the one that encrypts.
   */
  remove(id: string): void {
    if (id === this.#current) {
      throw new InvalidConfigError(`Cannot remove key ${quote(id)}: use another one first`);
    }
    this.#keys.delete(id);
  }

  /**
   * The key of an id.
   *
   * @param id Its id.
   * @returns The key; undefined when there is none.
   */
  get(id: string): Promise<CryptoKey> | undefined {
    return this.#keys.get(id);
  }
}

function imported(id: string, key: SecretKey): Promise<CryptoKey> {
  if (key instanceof CryptoKey) {
    if (
      key.algorithm.name === "AES-GCM" && key.usages.includes("encrypt") &&
      key.usages.includes("decrypt")
    ) return Promise.resolve(key);
    throw new InvalidConfigError(
      `Cannot add key ${quote(id)}: give an AES-GCM key that may encrypt and decrypt`,
    );
  }
  if (!(key instanceof Uint8Array) || !KEY_BYTES.includes(key.length)) {
    throw new InvalidConfigError(`Cannot add key ${quote(id)}: give 16 or 32 bytes`);
  }
  const bytes = new Uint8Array(key);
  const importing = crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
  // Whoever uses the key hears of it.
  importing.catch(() => {});
  return importing;
}
