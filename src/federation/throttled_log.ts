import type { Clock, LogFields, Logger } from "../base/mod.ts";

const INTERVAL_MS = 10_000;
const KEYS_MAX = 1_000;

interface Entry {
  loggedAt: number;
  suppressed: number;
}

/**
 * Logs what a peer can cause as often as it likes: each kind at once the first time, then at most
 * every 10 s with the count of what was left out in between.
 */
export class ThrottledLog {
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #entries = new Map<string, Entry>();

  /**
   * Makes it.
   *
   * @param logger Where to log.
   * @param clock What measures the 10 s.
   */
  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger;
    this.#clock = clock;
  }

  /**
   * Logs a warning, unless one of its kind was logged just now.
   *
   * @param kind What counts as the same.
   * @param message What to log.
   * @param fields Values that go with it.
   */
  warn(kind: string, message: string, fields: LogFields): void {
    const now = this.#clock.monotonic();
    const entry = this.#entries.get(kind);
    if (entry !== undefined && now - entry.loggedAt < INTERVAL_MS) {
      entry.suppressed++;
      return;
    }
    const suppressed = entry?.suppressed ?? 0;
    this.#remember(kind, now);
    this.#logger.warn(message, suppressed > 0 ? { ...fields, not_logged: suppressed } : fields);
  }

  #remember(kind: string, now: number): void {
    this.#entries.delete(kind);
    if (this.#entries.size >= KEYS_MAX) {
      const [oldest] = this.#entries.keys();
      this.#entries.delete(oldest!);
    }
    this.#entries.set(kind, { loggedAt: now, suppressed: 0 });
  }
}
