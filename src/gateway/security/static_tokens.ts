import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { ResolvedToken } from "../config/mod.ts";
import type { User } from "../session/ports.ts";

/**
 * Tokens that are known beforehand. Only their hashes are kept, and they are found by hash, so that neither memory
 * nor timing tells anything of a token that was not shown.
 */
export class StaticTokens {
  readonly #users = new Map<string, User>();

  /** @param tokens As they are configured. */
  constructor(tokens: readonly ResolvedToken[]) {
    for (const { token, sha256, user, claims } of tokens) {
      this.#users.set(sha256.toLowerCase() || hash(token), { id: user, claims });
    }
  }

  /** How many there are. */
  get size(): number {
    return this.#users.size;
  }

  /** Whose token it is. */
  find(token: string): User | undefined {
    return this.#users.get(hash(token));
  }
}

function hash(token: string): string {
  return createHash("sha256").update(Buffer.from(token, "utf8")).digest("hex");
}
