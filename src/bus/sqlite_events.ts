import { type Clock, delay, type Logger } from "../base/mod.ts";
import { Room } from "./room.ts";
import type { SqliteFile } from "./sqlite_file.ts";
import { dataOf, headersOf, numberOf, type Row } from "./sqlite_rows.ts";
import type { Frame, TransportSubscription } from "./transport.ts";

const BLOCK = 512;
const CLOSE_MS = 1_000;

const NEW_ROWS = `SELECT id, subject, data, headers FROM bus_events
  WHERE id > ? AND id <= ? AND subject IN (SELECT value FROM json_each(?)) ORDER BY id LIMIT ${BLOCK}`;
const ROWS_OF_SUBJECT = `SELECT id, subject, data, headers FROM bus_events
  WHERE id > ? AND id <= ? AND subject = ? ORDER BY id LIMIT ${BLOCK}`;

interface Reader {
  readonly subject: string;
  readonly deliver: (frame: Frame) => void | Promise<void>;
  readonly ended: (error?: Error) => void;
  /** Gets what has a greater id. */
  readonly from: number;
  /** While it lags: the last id that it has got. */
  cursor: number;
  isLagging: boolean;
  readonly caughtUp: Room;
  dropped: number;
  isClosed: boolean;
}

/** What {@linkcode SqliteEvents} works with. */
export interface SqliteEventsOptions {
  readonly file: SqliteFile;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Calls what reads the file; what it throws is not the caller's affair. */
  readonly guarded: (read: () => Promise<void>) => void;
}

/**
 * Hands events to readers: one cursor for all that keep up, and one of its own for each that does not.
 */
export class SqliteEvents {
  readonly #options: SqliteEventsOptions;
  readonly #readers = new Set<Reader>();
  #subjects = "[]";
  #head = 0;
  #reading: Promise<void> | undefined;
  #again = false;

  /** @param options What to read, and how. */
  constructor(options: SqliteEventsOptions) {
    this.#options = options;
  }

  /** How many readers there are. */
  get size(): number {
    return this.#readers.size;
  }

  /** Adds a reader of what is published from now on. */
  subscribe(
    subject: string,
    deliver: (frame: Frame) => void | Promise<void>,
    ended: (error?: Error) => void,
    closed: () => void,
  ): TransportSubscription {
    const from = this.#options.file.lastId("bus_events");
    if (this.#readers.size === 0) this.#head = from;
    const reader: Reader = {
      subject,
      deliver,
      ended,
      from,
      cursor: from,
      isLagging: false,
      caughtUp: new Room(),
      dropped: 0,
      isClosed: false,
    };
    this.#readers.add(reader);
    this.#noteSubjects();
    return {
      get dropped() {
        return reader.dropped;
      },
      close: async () => {
        try {
          await this.#handOver(reader);
        } finally {
          this.#remove(reader);
          closed();
        }
      },
    };
  }

  /** Looks for new events. */
  read(): Promise<void> {
    this.#again = true;
    this.#reading ??= this.#readAll().finally(() => this.#reading = undefined);
    return this.#reading;
  }

  /** Ends all readers. */
  fail(error: Error): void {
    for (const reader of [...this.#readers]) {
      this.#remove(reader);
      reader.ended(error);
    }
  }

  async #readAll(): Promise<void> {
    const { file, clock } = this.#options;
    while (this.#again && this.#readers.size > 0) {
      this.#again = false;
      const last = file.lastId("bus_events");
      while (this.#head < last && this.#readers.size > 0) {
        const rows = file.statement(NEW_ROWS).all(this.#head, last, this.#subjects) as Row[];
        // A reader that comes now has a later start; no await may come between reading and handing out.
        for (const row of rows) this.#handOut(row);
        this.#head = rows.length < BLOCK ? last : numberOf(rows.at(-1)!, "id");
        if (rows.length === BLOCK) await new Promise<void>((resolve) => clock.soon(resolve));
      }
    }
  }

  #handOut(row: Row): void {
    const id = numberOf(row, "id");
    let frame: Frame | undefined;
    for (const reader of this.#readers) {
      if (reader.subject !== row["subject"] || reader.isLagging || id <= reader.from) continue;
      frame = frame === undefined
        ? { data: dataOf(row), headers: headersOf(row) }
        : { data: frame.data.slice(), headers: frame.headers };
      const full = reader.deliver(frame);
      if (full !== undefined) this.#fallBehind(reader, id, full);
    }
  }

  #fallBehind(reader: Reader, id: number, full: Promise<void>): void {
    reader.isLagging = true;
    reader.cursor = id;
    this.#options.guarded(() => this.#catchUp(reader, full));
  }

  async #catchUp(reader: Reader, full: Promise<void> | void): Promise<void> {
    const { file, clock } = this.#options;
    for (;;) {
      await full;
      full = undefined;
      if (reader.isClosed) return;
      this.#noteRemoved(reader);
      const head = this.#head;
      const statement = file.statement(ROWS_OF_SUBJECT);
      const rows = statement.all(reader.cursor, head, reader.subject) as Row[];
      for (const row of rows) {
        reader.cursor = numberOf(row, "id");
        full = reader.deliver({ data: dataOf(row), headers: headersOf(row) });
        if (full !== undefined) break;
      }
      if (full === undefined && rows.length < BLOCK) {
        // The head has not moved since it was read: there was no await.
        reader.isLagging = false;
        reader.caughtUp.open();
        return;
      }
      if (full === undefined) await new Promise<void>((resolve) => clock.soon(resolve));
    }
  }

  /** Messages that were removed by age before a slow reader came to them are lost, and said to be. */
  #noteRemoved(reader: Reader): void {
    const { file, logger } = this.#options;
    const first = file.statement("SELECT min(id) AS id FROM bus_events").get() as Row;
    const removed = Number(first["id"] ?? this.#head + 1) - 1 - reader.cursor;
    if (removed <= 0) return;
    reader.cursor += removed;
    reader.dropped += removed;
    logger.warn("a reader is too slow: messages were removed by age before it came to them", {
      subject: reader.subject,
      at_most: removed,
    });
  }

  /** What was published before a reader closes is still handed to it, for a limited time. */
  async #handOver(reader: Reader): Promise<void> {
    if (reader.isClosed) return;
    const { clock } = this.#options;
    const limit = new AbortController();
    const late = delay(clock, CLOSE_MS, limit.signal).catch(() => {});
    const all = (async () => {
      await this.read();
      while (reader.isLagging && !reader.isClosed) await reader.caughtUp.wait();
    })();
    await Promise.race([all, late]);
    limit.abort();
    all.catch(() => {});
  }

  #remove(reader: Reader): void {
    reader.isClosed = true;
    reader.caughtUp.open();
    if (this.#readers.delete(reader)) this.#noteSubjects();
  }

  #noteSubjects(): void {
    this.#subjects = JSON.stringify([...new Set([...this.#readers].map(({ subject }) => subject))]);
  }
}
