/** Sessions that are remembered after their end. */
const REMEMBERED = 10_000;

/** Whose the sessions were that ended lately. */
export class RecentSessions {
  /** Oldest first. */
  readonly #users = new Map<string, string>();

  /** Remembers one. */
  add(sessionId: string, userId: string): void {
    this.#users.set(sessionId, userId);
    if (this.#users.size <= REMEMBERED) return;
    this.#users.delete(this.#users.keys().next().value!);
  }

  /** The user that it belonged to; undefined when it is not known any more. */
  get(sessionId: string): string | undefined {
    return this.#users.get(sessionId);
  }
}
