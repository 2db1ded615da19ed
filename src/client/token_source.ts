import { GatewayTokenError } from "./errors.ts";

/** Why a token is asked for. */
export type TokenReason =
  /** The first connection. */
  | "connect"
  /** The connection broke. */
  | "reconnect"
  /** The gateway refused the last one. */
  | "refused"
  /** The last one says that it ends soon. */
  | "expiring";

/** A token, or what gives one. */
export type Token = string | ((reason: TokenReason) => string | Promise<string>);

/** Gives the token for each connection. */
export class TokenSource {
  readonly #token: Token;
  #refused = false;

  /**
   * Makes it.
   *
   * @param token The token, or what gives one.
   */
  constructor(token: Token) {
    this.#token = token;
  }

  /**
   * The token for the next connection.
   *
   * @throws {GatewayTokenError} When the function fails.
   */
  async next(reason: TokenReason): Promise<string> {
    if (typeof this.#token === "string") return this.#token;
    try {
      return await this.#token(this.#refused ? "refused" : reason);
    } catch (cause) {
      throw new GatewayTokenError({ cause });
    }
  }

  /** The gateway refused it. Returns whether another one may help: not twice in a row. */
  refused(): boolean {
    const again = typeof this.#token === "function" && !this.#refused;
    this.#refused = true;
    return again;
  }

  /** The gateway took it. */
  accepted(): void {
    this.#refused = false;
  }

  /**
   * When a token should be replaced: milliseconds from now, shortly before it says that it ends.
   * Undefined when it says nothing (only JSON Web Tokens do) or there is no other.
   */
  refreshInMs(token: string, leadMs: number): number | undefined {
    if (typeof this.#token === "string") return undefined;
    try {
      const claims = token.split(".")[1]!.replaceAll("-", "+").replaceAll("_", "/");
      const { exp } = JSON.parse(atob(claims));
      if (typeof exp !== "number") return undefined;
      // Not more often than once in a second, and no longer than a timer can wait.
      return Math.min(2 ** 31 - 1, Math.max(1_000, exp * 1_000 - Date.now() - leadMs));
    } catch {
      return undefined;
    }
  }
}
