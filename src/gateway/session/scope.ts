import type { Clock } from "../../base/mod.ts";
import type { ScopeLimits, SharedScopeLimits } from "./limits.ts";

/** Lets so many through in a second, and as many at once after a pause of a second. */
class Rate {
  readonly #perSecond: number;
  #left: number;
  #atMs: number;

  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#left = Math.max(1, perSecond);
    this.#atMs = nowMs;
  }

  has(amount: number, nowMs: number): boolean {
    if (this.#perSecond === 0) return true;
    const burst = Math.max(1, this.#perSecond);
    this.#left = Math.min(burst, this.#left + (nowMs - this.#atMs) * this.#perSecond / 1000);
    this.#atMs = nowMs;
    // More than ever fits at once passes when nothing was taken for a while, and is paid off later.
    return this.#left >= Math.min(amount, burst);
  }

  take(amount: number): void {
    if (this.#perSecond !== 0) this.#left -= amount;
  }
}

/** What one connection, or all of one user or address, have and do now, beside what they may. */
export class Scope {
  readonly limits: ScopeLimits & Partial<SharedScopeLimits>;
  connections = 0;
  subscriptions = 0;
  rpcs = 0;
  readonly publishes: Rate;
  readonly bytes: Rate;

  constructor(limits: ScopeLimits & Partial<SharedScopeLimits>, nowMs: number) {
    this.limits = limits;
    this.publishes = new Rate(limits.publishesPerSecond, nowMs);
    this.bytes = new Rate(limits.bytesPerSecond, nowMs);
  }
}

/** Counts that a limit holds for. */
export type Counted = "connections" | "subscriptions" | "rpcs";

const LIMIT_OF = {
  connections: "connections",
  subscriptions: "subscriptions",
  rpcs: "pendingRpcs",
} as const;

/** Every scope that a connection falls under. */
export class Scopes {
  readonly #clock: Clock;
  #all: readonly Scope[];

  constructor(clock: Clock, all: readonly Scope[]) {
    this.#clock = clock;
    this.#all = all;
  }

  /** Adds a scope that became known; what is counted before is not counted there. */
  add(scope: Scope): void {
    this.#all = [...this.#all, scope];
  }

  /** Whether there is room for so many more in every scope. */
  hasRoom(what: Counted, count = 1): boolean {
    return this.#all.every((scope) => {
      const limit = scope.limits[LIMIT_OF[what]] ?? 0;
      return limit === 0 || scope[what] + count <= limit;
    });
  }

  /** Counts. */
  count(what: Counted, change: number): void {
    for (const scope of this.#all) scope[what] += change;
  }

  /** Takes from every scope's rate, or from none when one has too little left. */
  take(what: "publishes" | "bytes", amount: number): boolean {
    const now = this.#clock.monotonic();
    for (const scope of this.#all) if (!scope[what].has(amount, now)) return false;
    for (const scope of this.#all) scope[what].take(amount);
    return true;
  }
}
