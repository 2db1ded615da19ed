import type { Clock } from "../base/mod.ts";
import type { SqliteFile } from "./sqlite_file.ts";
import { dataOf, numberOf, type Row, storedHeaders } from "./sqlite_rows.ts";
import { CALLERS, REQUESTS, type SqliteWriter } from "./sqlite_writer.ts";
import type { OutgoingRequest, ReplyFrame, SentRequest } from "./transport.ts";

const BLOCK = 256;
const CLEAR_EVERY = 256;

const INSERT = `INSERT INTO bus_requests (subject, data, headers, caller, deadline_ms)
  VALUES (?, ?, ?, ?, ?)`;
const NEW_REPLIES = `SELECT id, request_id, kind, data FROM bus_replies
  WHERE id > ? AND id <= ? AND caller = ? ORDER BY id LIMIT ${BLOCK}`;
const REPLIES_OF_REQUEST = `SELECT id, request_id, kind, data FROM bus_replies
  WHERE request_id = ? AND id > ? AND id <= ? ORDER BY id LIMIT ${BLOCK}`;

interface Pending {
  readonly id: number;
  readonly onReply: (frame: ReplyFrame) => void | Promise<void>;
  readonly failed: (error: Error) => void;
  /** The last reply that was handed over. */
  cursor: number;
  isLagging: boolean;
  handed: number;
  isOver: boolean;
  /** Whether the server has sent its last reply. */
  isAnswered: boolean;
}

/** What {@linkcode SqliteCallers} works with. */
export interface SqliteCallersOptions {
  readonly file: SqliteFile;
  readonly writer: SqliteWriter;
  readonly clock: Clock;
  /** Name of this bus in the file. */
  readonly caller: string;
  readonly guarded: (read: () => Promise<void>) => void;
}

/** Requests of this bus, and their replies: one cursor for all that keep up, as with events. */
export class SqliteCallers {
  readonly #options: SqliteCallersOptions;
  readonly #pending = new Map<number, Pending>();
  #sending = 0;
  #head = 0;
  #reading: Promise<void> | undefined;
  #again = false;

  /** @param options What to write and read, and how. */
  constructor(options: SqliteCallersOptions) {
    this.#options = options;
  }

  /** How many requests wait. */
  get size(): number {
    return this.#pending.size + this.#sending;
  }

  /** Stores a request. */
  async send(
    subject: string,
    request: OutgoingRequest,
    onReply: (frame: ReplyFrame) => void | Promise<void>,
    failed: (error: Error) => void,
  ): Promise<SentRequest> {
    const { file, writer, caller } = this.#options;
    if (this.size === 0) this.#head = file.lastId("bus_replies");
    this.#sending++;
    let id: number;
    try {
      const { data, headers, deadline } = request;
      const stored = storedHeaders(headers);
      const result = await writer.write(
        () => file.statement(INSERT).run(subject, data, stored, caller, deadline),
        REQUESTS,
        { bytes: data.length, isOneStatement: true },
      );
      id = Number(result.lastInsertRowid);
    } finally {
      this.#sending--;
    }
    const pending: Pending = {
      id,
      onReply,
      failed,
      cursor: 0,
      isLagging: false,
      handed: 0,
      isOver: false,
      isAnswered: false,
    };
    this.#pending.set(id, pending);
    return { cancel: () => this.#forget(pending) };
  }

  /** Looks for new replies. */
  read(): Promise<void> {
    this.#again = true;
    this.#reading ??= this.#readAll().finally(() => this.#reading = undefined);
    return this.#reading;
  }

  /** Fails all requests. */
  fail(error: Error): void {
    for (const pending of [...this.#pending.values()]) pending.failed(error);
  }

  async #readAll(): Promise<void> {
    const { file, clock, caller } = this.#options;
    while (this.#again && this.size > 0) {
      this.#again = false;
      const last = file.lastId("bus_replies");
      while (this.#head < last && this.size > 0) {
        const rows = file.statement(NEW_REPLIES).all(this.#head, last, caller) as Row[];
        for (const row of rows) {
          const pending = this.#pending.get(numberOf(row, "request_id"));
          if (pending === undefined || pending.isLagging) continue;
          const full = this.#hand(pending, row);
          if (full === undefined) continue;
          pending.isLagging = true;
          this.#options.guarded(() => this.#catchUp(pending, full));
        }
        this.#head = rows.length < BLOCK ? last : numberOf(rows.at(-1)!, "id");
        if (rows.length === BLOCK) await new Promise<void>((resolve) => clock.soon(resolve));
      }
    }
  }

  async #catchUp(pending: Pending, full: Promise<void> | void): Promise<void> {
    const { file, clock } = this.#options;
    for (;;) {
      await full;
      full = undefined;
      if (pending.isOver) return;
      const statement = file.statement(REPLIES_OF_REQUEST);
      const rows = statement.all(pending.id, pending.cursor, this.#head) as Row[];
      for (const row of rows) {
        full = this.#hand(pending, row);
        if (full !== undefined) break;
      }
      if (full === undefined && rows.length < BLOCK) {
        pending.isLagging = false;
        return;
      }
      if (full === undefined) await new Promise<void>((resolve) => clock.soon(resolve));
    }
  }

  #hand(pending: Pending, row: Row): void | Promise<void> {
    pending.cursor = numberOf(row, "id");
    const frame = frameOf(row);
    if (frame.kind !== "data") pending.isAnswered = true;
    const full = pending.onReply(frame);
    if (++pending.handed % CLEAR_EVERY === 0 && !pending.isOver) this.#clear(pending);
    return full;
  }

  /** Removes what was read, which tells the server that there is room. */
  #clear({ id, cursor }: Pending): void {
    const { file, writer } = this.#options;
    const sql = "DELETE FROM bus_replies WHERE request_id = ? AND id <= ?";
    writer.write(() => file.statement(sql).run(id, cursor), CALLERS).catch(() => {});
  }

  /** Removes the request with its replies, which tells the server that nobody waits any more. */
  #forget(pending: Pending): void {
    const { file, writer } = this.#options;
    const { id } = pending;
    pending.isOver = true;
    this.#pending.delete(id);
    const remove = () => {
      file.statement("DELETE FROM bus_requests WHERE id = ?").run(id);
      file.statement("DELETE FROM bus_replies WHERE request_id = ?").run(id);
    };
    // What cannot be removed now is removed by age.
    writer.write(remove, pending.isAnswered ? 0 : CALLERS).catch(() => {});
  }
}

function frameOf(row: Row): ReplyFrame {
  const data = dataOf(row);
  switch (row["kind"]) {
    case "data":
    case "last":
      return { kind: row["kind"], data };
    case "end":
      return { kind: "end" };
    default:
      return { kind: "error", message: new TextDecoder().decode(data).replace(/^error: /, "") };
  }
}
