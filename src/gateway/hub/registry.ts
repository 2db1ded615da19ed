import { isPattern, PatternIndex } from "../pattern/mod.ts";
import type { Session } from "../session/mod.ts";

const NOBODY: ReadonlySet<Session> = new Set();

/** Which sessions are subscribed to what. */
export class Registry {
  readonly #exact = new Map<string, Set<Session>>();
  readonly #patterns = new PatternIndex<Set<Session>>();
  #subscriptions = 0;

  /** Subscriptions in all. */
  get size(): number {
    return this.#subscriptions;
  }

  /** Adds a subscription. @returns Whether it is the first of that name. */
  add(name: string, session: Session): boolean {
    const known = this.#of(name);
    const sessions = known ?? new Set();
    if (sessions.has(session)) return false;
    sessions.add(session);
    this.#subscriptions++;
    if (known !== undefined) return false;
    if (isPattern(name)) this.#patterns.set(name, sessions);
    else this.#exact.set(name, sessions);
    return true;
  }

  /** Removes one. @returns Whether there was one, and whether it was the last of that name. */
  remove(name: string, session: Session): { readonly removed: boolean; readonly empty: boolean } {
    const sessions = this.#of(name);
    if (!sessions?.delete(session)) return { removed: false, empty: sessions === undefined };
    this.#subscriptions--;
    if (sessions.size > 0) return { removed: true, empty: false };
    if (isPattern(name)) this.#patterns.delete(name);
    else this.#exact.delete(name);
    return { removed: true, empty: true };
  }

  /** The sessions that are subscribed to exactly that name. */
  subscribers(name: string): ReadonlySet<Session> {
    return this.#of(name) ?? NOBODY;
  }

  /** Everyone who gets what is published to a channel, each once. */
  receivers(channel: string): ReadonlySet<Session> {
    const exact = this.#exact.get(channel);
    if (this.#patterns.size === 0) return exact ?? NOBODY;
    const matching = this.#patterns.match(channel);
    if (matching.length === 0) return exact ?? NOBODY;
    if (matching.length === 1 && exact === undefined) return matching[0]!;
    const all = new Set(exact);
    for (const sessions of matching) for (const session of sessions) all.add(session);
    return all;
  }

  #of(name: string): Set<Session> | undefined {
    return isPattern(name) ? this.#patterns.get(name) : this.#exact.get(name);
  }
}
