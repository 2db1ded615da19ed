import type { Clock } from "../base/mod.ts";
import type { BusHeaders } from "./bus.ts";
import { Room } from "./room.ts";
import type { SqliteFile } from "./sqlite_file.ts";
import { dataOf, headersOf, numberOf, type Row } from "./sqlite_rows.ts";
import { REPLIES, type SqliteWriter } from "./sqlite_writer.ts";
import type { IncomingRequest, ReplyFrame, TransportSubscription } from "./transport.ts";

/** Requests that are claimed at once: more would be kept from servers that are idle. */
const MAX_CLAIM = 16;
const UNREAD_REPLIES = 1_024;
const COUNT_EVERY = 256;

const IS_WAITING = `SELECT 1 FROM bus_requests
  WHERE subject = ? AND server IS NULL AND deadline_ms > ? LIMIT 1`;
const CLAIM = `UPDATE bus_requests SET server = ? WHERE id IN (
    SELECT id FROM bus_requests WHERE subject = ? AND server IS NULL AND deadline_ms > ?
    ORDER BY id LIMIT ?
  ) RETURNING id, data, headers, caller, deadline_ms`;
const REPLY = `INSERT INTO bus_replies (request_id, caller, kind, data)
  SELECT id, caller, ?, ? FROM bus_requests WHERE id = ?`;
const GONE = `SELECT value AS id FROM json_each(?)
  WHERE value NOT IN (SELECT id FROM bus_requests)`;
const UNREAD = "SELECT count(*) AS count FROM bus_replies WHERE request_id = ?";

const EMPTY = new Uint8Array();
const encoder = new TextEncoder();

interface Server {
  readonly subject: string;
  readonly concurrency: number;
  readonly take: (request: IncomingRequest) => void | Promise<void>;
  readonly ended: (error?: Error) => void;
  readonly running: Map<number, StoredRequest>;
  claiming: Promise<void> | undefined;
  again: boolean;
  isClosed: boolean;
}

/** What {@linkcode SqliteServers} works with. */
export interface SqliteServersOptions {
  readonly file: SqliteFile;
  readonly writer: SqliteWriter;
  readonly clock: Clock;
  /** Name of this bus in the file. */
  readonly server: string;
  readonly guarded: (read: () => Promise<void>) => void;
}

/** Claims requests for the servers of this bus, as many as they have room for, and stores replies. */
export class SqliteServers {
  readonly #options: SqliteServersOptions;
  readonly #servers = new Set<Server>();
  readonly #running = new Map<number, StoredRequest>();

  /** @param options What to read and write, and how. */
  constructor(options: SqliteServersOptions) {
    this.#options = options;
  }

  /** How many servers there are, and requests that they are at work on. */
  get size(): number {
    return this.#servers.size + this.#running.size;
  }

  /** Adds a server. */
  serve(
    subject: string,
    concurrency: number,
    take: (request: IncomingRequest) => void | Promise<void>,
    ended: (error?: Error) => void,
    closed: () => void,
  ): TransportSubscription {
    const server: Server = {
      subject,
      concurrency,
      take,
      ended,
      running: new Map(),
      claiming: undefined,
      again: false,
      isClosed: false,
    };
    this.#servers.add(server);
    this.#options.guarded(() => this.#claim(server));
    return {
      dropped: 0,
      close: async () => {
        server.isClosed = true;
        this.#servers.delete(server);
        // What is being claimed is still taken.
        await server.claiming?.catch(() => {});
        closed();
      },
    };
  }

  /** Looks for new requests. */
  async claim(): Promise<void> {
    await Promise.all([...this.#servers].map((server) => this.#claim(server)));
  }

  /** Looks for requests whose callers have gone, and for replies that were read. */
  look(): void {
    const { file } = this.#options;
    if (this.#running.size === 0) return;
    const ids = JSON.stringify([...this.#running.keys()]);
    for (const row of file.statement(GONE).all(ids) as Row[]) {
      this.#running.get(numberOf(row, "id"))?.cancel();
    }
    for (const request of this.#running.values()) request.callerRead.open();
  }

  /** Ends all servers. */
  fail(error: Error): void {
    for (const server of [...this.#servers]) {
      server.isClosed = true;
      this.#servers.delete(server);
      server.ended(error);
    }
  }

  #claim(server: Server): Promise<void> {
    server.again = true;
    server.claiming ??= this.#claimAll(server).finally(() => server.claiming = undefined);
    return server.claiming;
  }

  async #claimAll(server: Server): Promise<void> {
    const { file, writer, clock, server: name } = this.#options;
    const { subject, concurrency, running } = server;
    while (server.again && !server.isClosed) {
      server.again = false;
      const room = Math.min(MAX_CLAIM, concurrency - running.size);
      if (room <= 0 || file.statement(IS_WAITING).get(subject, clock.now()) === undefined) continue;
      const claim = () => file.statement(CLAIM).all(name, subject, clock.now(), room) as Row[];
      const rows = await writer.write(claim, 0, { isOneStatement: true });
      server.again ||= rows.length === room;
      for (const row of rows.toSorted((a, b) => numberOf(a, "id") - numberOf(b, "id"))) {
        this.#take(server, row);
      }
    }
  }

  #take(server: Server, row: Row): void {
    const { clock } = this.#options;
    const request: StoredRequest = new StoredRequest(row, {
      send: (frame) => this.#reply(request, frame),
      over: () => {
        this.#running.delete(request.id);
        if (!server.running.delete(request.id) || server.isClosed) return;
        this.#options.guarded(() => this.#claim(server));
      },
    });
    server.running.set(request.id, request);
    this.#running.set(request.id, request);
    const late = clock.after(request.deadline - clock.now(), () => request.cancel(), {
      unref: true,
    });
    request.ended = () => late.cancel();
    // There is room for it: only so many were claimed.
    server.take(request);
  }

  async #reply(request: StoredRequest, frame: ReplyFrame): Promise<void> {
    const { file, writer } = this.#options;
    const { id } = request;
    const data = "data" in frame
      ? frame.data
      : frame.kind === "error"
      ? encoder.encode(`error: ${frame.message}`)
      : EMPTY;
    const write = () => file.statement(REPLY).run(frame.kind, data, id).changes;
    const changes = await writer.write(write, REPLIES, {
      bytes: data.length,
      isOneStatement: true,
    });
    if (Number(changes) === 0) return request.cancel();
    if (frame.kind !== "data") return request.finish();
    if (++request.replies % COUNT_EVERY > 0) return;
    for (;;) {
      const read = request.callerRead.wait();
      const unread = numberOf(file.statement(UNREAD).get(id) as Row, "count");
      if (unread < UNREAD_REPLIES || request.cancelled.aborted) return;
      await read;
    }
  }
}

interface RequestParent {
  readonly send: (frame: ReplyFrame) => Promise<void>;
  readonly over: () => void;
}

/** A request that this bus has claimed. */
class StoredRequest implements IncomingRequest {
  readonly id: number;
  readonly data: Uint8Array;
  readonly headers: BusHeaders;
  readonly deadline: number;
  /** Opened when the caller has read replies, or is gone. */
  readonly callerRead = new Room();
  /** Replies that were sent. */
  replies = 0;
  /** Called once, when it is over. */
  ended: () => void = () => {};
  readonly #parent: RequestParent;
  readonly #cancelled = new AbortController();
  #isOver = false;

  constructor(row: Row, parent: RequestParent) {
    this.id = numberOf(row, "id");
    this.data = dataOf(row);
    this.headers = headersOf(row);
    this.deadline = numberOf(row, "deadline_ms");
    this.#parent = parent;
  }

  get cancelled(): AbortSignal {
    return this.#cancelled.signal;
  }

  reply(frame: ReplyFrame): Promise<void> {
    if (this.#isOver) return Promise.resolve();
    return this.#parent.send(frame);
  }

  /** The caller has gone, or does not wait any more. */
  cancel(): void {
    if (this.#isOver) return;
    this.finish();
    this.#cancelled.abort(new DOMException("The caller does not wait any more", "AbortError"));
    this.callerRead.open();
  }

  /** Its last reply was sent. */
  finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.ended();
    this.#parent.over();
  }
}
