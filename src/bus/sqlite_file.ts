import { DatabaseSync, type StatementSync } from "node:sqlite";
import { type Clock, delay, messageOf } from "../base/mod.ts";
import { BusStorageError } from "./errors.ts";

/** Milliseconds that SQLite itself blocks the process for a lock; longer waits leave it running. */
const BUSY_TIMEOUT_MS = 10;
const RETRY_MS = 20;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS bus_events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  subject TEXT NOT NULL,
  data BLOB NOT NULL,
  headers TEXT,
  created_ms INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS bus_requests (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  subject TEXT NOT NULL,
  data BLOB NOT NULL,
  headers TEXT,
  caller TEXT NOT NULL,
  server TEXT,
  deadline_ms INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS bus_requests_waiting ON bus_requests (subject) WHERE server IS NULL;
CREATE TABLE IF NOT EXISTS bus_replies (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  request_id INTEGER NOT NULL,
  caller TEXT NOT NULL,
  kind TEXT NOT NULL,
  data BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS bus_replies_of_request ON bus_replies (request_id);
`;

/** Fails to prepare where tables of these names were made by somebody else. */
const SHAPES = [
  "SELECT id, subject, data, headers, created_ms FROM bus_events",
  "SELECT id, subject, data, headers, caller, server, deadline_ms FROM bus_requests",
  "SELECT id, request_id, caller, kind, data FROM bus_replies",
  "SELECT name, seq FROM sqlite_sequence",
];

/** The database of a bus: one connection, with the bus's tables, whose errors name the file. */
export class SqliteFile {
  /** The connection. */
  readonly db: DatabaseSync;
  /** The file's path, `:memory:` without one. */
  readonly path: string;
  /** What buses of this process that share the file have in common: its path, or the connection. */
  readonly key: string | DatabaseSync;
  readonly #own: boolean;
  readonly #statements = new Map<string, StatementSync>();

  private constructor(db: DatabaseSync, path: string, own: boolean) {
    this.db = db;
    this.path = path;
    this.key = db.location() ?? db;
    this.#own = own;
  }

  /**
   * Opens a file, or takes a connection, and makes the tables that are missing.
   *
   * @param lockTimeoutMs Milliseconds to wait for the lock of another program.
   * @throws {BusStorageError} When the file cannot be opened, is damaged or stays locked.
   */
  static async open(
    place: string | DatabaseSync,
    lockTimeoutMs: number,
    clock: Clock,
  ): Promise<SqliteFile> {
    const path = typeof place === "string" ? place : place.location() ?? ":memory:";
    const giveUpAt = clock.monotonic() + lockTimeoutMs;
    for (;;) {
      let db: DatabaseSync | undefined;
      try {
        db = typeof place === "string"
          ? new DatabaseSync(place, { timeout: BUSY_TIMEOUT_MS })
          : place;
        db.exec("PRAGMA journal_mode = WAL");
        if (typeof place === "string") db.exec("PRAGMA synchronous = NORMAL");
        db.exec(SCHEMA);
        for (const sql of SHAPES) db.prepare(sql);
        return new SqliteFile(db, path, typeof place === "string");
      } catch (error) {
        if (typeof place === "string") db?.close();
        if (!isLocked(error)) throw storageError(path, error);
        if (clock.monotonic() >= giveUpAt) throw lockedError(path, lockTimeoutMs, error);
        await delay(clock, RETRY_MS);
      }
    }
  }

  /** The file on the disk that other processes may share; undefined for a database in memory. */
  get location(): string | undefined {
    return this.db.location() ?? undefined;
  }

  /** A prepared statement; the same text is prepared once. */
  statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      this.#statements.set(sql, statement = this.db.prepare(sql));
    }
    return statement;
  }

  /** The id that was given last in a table; 0 when none was. */
  lastId(table: "bus_events" | "bus_replies"): number {
    const row = this.statement("SELECT seq FROM sqlite_sequence WHERE name = ?").get(table);
    return Number(row?.["seq"] ?? 0);
  }

  /** A number that differs when another connection has changed the file. */
  version(): number {
    return Number(this.statement("PRAGMA data_version").get()?.["data_version"]);
  }

  /** Closes the connection, if it was opened here. */
  close(): void {
    this.#statements.clear();
    if (this.#own) this.db.close();
  }
}

/** Whether an error says that another connection has the lock: it may work later. */
export function isLocked(error: unknown): boolean {
  // The runtime tells SQLite's errors apart by their text alone.
  return /database (table |schema )?is locked/.test(messageOf(error));
}

/** The error of a lock that was not released in time. */
export function lockedError(path: string, waitedMs: number, cause?: unknown): BusStorageError {
  return new BusStorageError(
    path,
    `another program has kept it locked for ${waitedMs} ms; end its transaction`,
    { cause },
  );
}

/** What went wrong with a file, by name. */
export function storageError(path: string, error: unknown): BusStorageError {
  if (error instanceof BusStorageError) return error;
  const text = messageOf(error);
  const why = /not a database|malformed/.test(text)
    ? `the file is damaged or no SQLite database (${text}); restore it or use another file`
    : /unable to open/.test(text)
    ? "it cannot be opened; check its folder and its permissions"
    : /readonly/.test(text)
    ? "it cannot be written; check its permissions"
    : /disk is full/.test(text)
    ? "the disk is full; make room"
    : /no such column|has no column/.test(text)
    ? `it has tables of other makes called bus_events, bus_requests or bus_replies (${text}); use another file`
    : text;
  return new BusStorageError(path, why, { cause: error });
}
