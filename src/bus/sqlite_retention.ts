import { type Clock, type Logger, messageOf, type Timer } from "../base/mod.ts";
import type { SqliteFile } from "./sqlite_file.ts";
import { numberOf, type Row } from "./sqlite_rows.ts";
import type { SqliteWriter } from "./sqlite_writer.ts";

const MAX_INTERVAL_MS = 30_000;
const MIN_INTERVAL_MS = 50;
const BLOCK = 5_000;

const OLD_EVENTS = `SELECT max(id) AS id, count(*) AS count FROM (
  SELECT id, created_ms FROM bus_events ORDER BY id LIMIT ${BLOCK}
) WHERE created_ms < ?`;
const OLD_REQUESTS = "SELECT 1 FROM bus_requests WHERE deadline_ms < ? LIMIT 1";

/** What {@linkcode SqliteRetention} works with. */
export interface SqliteRetentionOptions {
  readonly file: SqliteFile;
  readonly writer: SqliteWriter;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Milliseconds that events are kept. */
  readonly retentionMs: number;
}

/**
 * Removes events by age, and requests that nobody waits for any more with their replies, also those of
 * processes that have gone.
 */
export class SqliteRetention {
  readonly #options: SqliteRetentionOptions;
  #timer: Timer | undefined;
  #isClosed = false;

  /** @param options What to remove, and when. */
  constructor(options: SqliteRetentionOptions) {
    this.#options = options;
    this.#start();
  }

  /** Removes what is old. */
  async sweep(): Promise<void> {
    const { file, writer, clock, retentionMs } = this.#options;
    const now = clock.now();
    while (!this.#isClosed) {
      const row = file.statement(OLD_EVENTS).get(now - retentionMs) as Row;
      const count = numberOf(row, "count");
      if (count === 0) break;
      const id = numberOf(row, "id");
      const sql = "DELETE FROM bus_events WHERE id <= ?";
      await writer.write(() => file.statement(sql).run(id), 0);
      if (count < BLOCK) break;
    }
    if (this.#isClosed || file.statement(OLD_REQUESTS).get(now) === undefined) return;
    await writer.write(() => {
      file.statement("DELETE FROM bus_requests WHERE deadline_ms < ?").run(now);
      file.statement(
        "DELETE FROM bus_replies WHERE request_id NOT IN (SELECT id FROM bus_requests)",
      ).run();
    }, 0);
  }

  /** Ends it. */
  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
  }

  #start(): void {
    const { clock, logger, retentionMs } = this.#options;
    const interval = Math.min(MAX_INTERVAL_MS, Math.max(MIN_INTERVAL_MS, retentionMs / 4));
    this.#timer = clock.after(interval, () => {
      this.sweep().catch((error: unknown) => {
        if (this.#isClosed) return;
        logger.warn("old rows of a bus could not be removed", { error: messageOf(error) });
      }).finally(() => {
        if (!this.#isClosed) this.#start();
      });
    }, { unref: true });
  }
}
