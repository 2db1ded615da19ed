import { type Clock, type Logger, messageOf, type Timer } from "../base/mod.ts";
import type { BusStorageError } from "./errors.ts";
import { type BellMember, SqliteBell } from "./sqlite_bell.ts";
import { SqliteCallers } from "./sqlite_callers.ts";
import { SqliteEvents } from "./sqlite_events.ts";
import { type SqliteFile, storageError } from "./sqlite_file.ts";
import { SqliteRetention } from "./sqlite_retention.ts";
import { storedHeaders } from "./sqlite_rows.ts";
import { SqliteServers } from "./sqlite_servers.ts";
import { CALLERS, EVENTS, EVERYTHING, REPLIES, REQUESTS, SqliteWriter } from "./sqlite_writer.ts";
import type {
  BusTransport,
  Frame,
  IncomingRequest,
  OutgoingRequest,
  ReplyFrame,
  SentRequest,
  TransportSubscription,
} from "./transport.ts";

const MAX_PAYLOAD_BYTES = 16 * 1024 * 1024;
const RETRY_MS = 100;
/**
 * When to look again after the file's log was written to: a commit can be seen a moment after its bytes
 * are there, and longer when the process that commits has to wait for its turn in between.
 */
const LOOK_AGAIN_MS = [1, 5, 25, 100];

const INSERT = "INSERT INTO bus_events (subject, data, headers, created_ms) VALUES (?, ?, ?, ?)";

/** How a {@linkcode SqliteTransport} works. */
export interface SqliteTransportOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Milliseconds between two looks for other processes' events, where the file cannot be watched. */
  readonly eventPollMs: number;
  /** The same for requests and replies. */
  readonly requestPollMs: number;
  /** Milliseconds that events are kept. */
  readonly retentionMs: number;
  /** Milliseconds to wait for another program's lock. */
  readonly lockTimeoutMs: number;
}

/** Goes through the tables of a SQLite file. */
export class SqliteTransport implements BusTransport, BellMember {
  readonly name = "sqlite";
  readonly maxPayloadBytes = MAX_PAYLOAD_BYTES;
  readonly #file: SqliteFile;
  readonly #options: SqliteTransportOptions;
  readonly #writer: SqliteWriter;
  readonly #events: SqliteEvents;
  readonly #callers: SqliteCallers;
  readonly #servers: SqliteServers;
  readonly #retention: SqliteRetention;
  readonly #bell: SqliteBell;
  #changes = 0;
  #isTouched = false;
  #isScheduled = false;
  #version: number;
  #lookAgain: Timer | undefined;
  #poll: Timer | undefined;
  #pollMs = 0;
  #isClosed = false;

  /**
   * @param file The file; closed with the transport.
   * @param options How it works.
   */
  constructor(file: SqliteFile, options: SqliteTransportOptions) {
    this.#file = file;
    this.#options = options;
    const { clock, logger, lockTimeoutMs, retentionMs } = options;
    const bus = crypto.randomUUID();
    const guarded = (read: () => Promise<void>) => this.#guarded(read);
    const onCommit = (changes: number) => void (changes > 0 && this.#bell.ring(changes));
    const writer = new SqliteWriter({ file, clock, lockTimeoutMs, onCommit });
    this.#writer = writer;
    this.#events = new SqliteEvents({ file, clock, logger, guarded });
    this.#callers = new SqliteCallers({ file, writer, clock, caller: bus, guarded });
    this.#servers = new SqliteServers({ file, writer, clock, server: bus, guarded });
    this.#retention = new SqliteRetention({ file, writer, clock, logger, retentionMs });
    this.#bell = SqliteBell.join(file.key, this);
    this.#version = file.version();
  }

  publish(subject: string, { data, headers }: Frame, signal?: AbortSignal): Promise<void> {
    const file = this.#file;
    const now = this.#options.clock.now();
    return this.#writer.write(
      () => void file.statement(INSERT).run(subject, data, storedHeaders(headers), now),
      EVENTS,
      { bytes: data.length, signal, isOneStatement: true },
    );
  }

  // deno-lint-ignore require-await -- what it throws is a rejection
  async subscribe(
    subject: string,
    deliver: (frame: Frame) => void | Promise<void>,
    ended: (error?: Error) => void,
  ): Promise<TransportSubscription> {
    return this.#reading(() => {
      const closed = () => this.#listen();
      const subscription = this.#events.subscribe(subject, deliver, ended, closed);
      const close = async () => {
        // Its own bus's messages that are not stored yet come before its end.
        if (!this.#isClosed) await this.#writer.idle();
        await subscription.close();
      };
      return {
        get dropped() {
          return subscription.dropped;
        },
        close,
      };
    });
  }

  async request(
    subject: string,
    request: OutgoingRequest,
    onReply: (frame: ReplyFrame) => void | Promise<void>,
    failed: (error: Error) => void,
  ): Promise<SentRequest> {
    const sending = this.#reading(() => this.#callers.send(subject, request, onReply, failed));
    const sent = await sending;
    return {
      cancel: () => {
        sent.cancel();
        this.#listen();
      },
    };
  }

  // deno-lint-ignore require-await -- what it throws is a rejection
  async serve(
    subject: string,
    take: (request: IncomingRequest) => void | Promise<void>,
    ended: (error?: Error) => void,
    concurrency: number,
  ): Promise<TransportSubscription> {
    return this.#reading(() =>
      this.#servers.serve(subject, concurrency, take, ended, () => this.#listen())
    );
  }

  async close(): Promise<void> {
    this.#retention.close();
    await this.#writer.idle();
    this.#isClosed = true;
    this.#poll?.cancel();
    this.#lookAgain?.cancel();
    this.#bell.leave(this);
    this.#file.close();
  }

  changed(changes: number): void {
    const interesting = changes & (
      (this.#events.size > 0 ? EVENTS : 0) |
      (this.#servers.size > 0 ? REQUESTS | CALLERS : 0) |
      (this.#callers.size > 0 ? REPLIES : 0)
    );
    if (interesting === 0) return;
    this.#changes |= interesting;
    this.#schedule();
  }

  touched(): void {
    this.#isTouched = true;
    this.#lookAgain?.cancel();
    this.#lookAgainAfter(0);
    this.#schedule();
  }

  #lookAgainAfter(times: number): void {
    const ms = LOOK_AGAIN_MS[times];
    this.#lookAgain = ms === undefined || this.#isClosed ? undefined : this.#options.clock.after(
      ms,
      () => {
        this.#isTouched = true;
        this.#schedule();
        this.#lookAgainAfter(times + 1);
      },
    );
  }

  #schedule(): void {
    if (this.#isScheduled || this.#isClosed) return;
    this.#isScheduled = true;
    this.#options.clock.soon(() => {
      this.#isScheduled = false;
      this.#guarded(() => this.#look());
    });
  }

  /** Reads what has changed. */
  async #look(): Promise<void> {
    if (this.#isClosed) return;
    if (this.#isTouched) {
      this.#isTouched = false;
      const version = this.#file.version();
      if (version !== this.#version) this.#changes = EVERYTHING;
      this.#version = version;
    }
    const changes = this.#changes;
    this.#changes = 0;
    if ((changes & CALLERS) !== 0) this.#servers.look();
    const reading: Promise<void>[] = [];
    if ((changes & REPLIES) !== 0 && this.#callers.size > 0) reading.push(this.#callers.read());
    if ((changes & REQUESTS) !== 0) reading.push(this.#servers.claim());
    if ((changes & EVENTS) !== 0 && this.#events.size > 0) reading.push(this.#events.read());
    await Promise.all(reading);
  }

  /** Calls what reads the file: again later where that may help, else everything that reads ends. */
  #guarded(read: () => Promise<void>): void {
    read().catch((error: unknown) => {
      if (this.#isClosed) return;
      const { clock, logger } = this.#options;
      const failure = storageError(this.#file.path, error);
      if (/damaged/.test(failure.message)) {
        logger.error("the file of a bus is damaged", { error: failure.message });
        return this.#fail(failure);
      }
      logger.warn("the file of a bus cannot be read now; trying again", {
        error: messageOf(error),
      });
      clock.after(RETRY_MS, () => {
        if (!this.#isClosed) this.#guarded(read);
      });
    });
  }

  #fail(error: BusStorageError): void {
    this.#events.fail(error);
    this.#servers.fail(error);
    this.#callers.fail(error);
  }

  /** Calls what adds somebody who reads, for whom the file is then watched. */
  #reading<T>(add: () => T): T {
    try {
      return add();
    } catch (error) {
      throw storageError(this.#file.path, error);
    } finally {
      this.#listen();
    }
  }

  /** Watches and polls for other processes as long as somebody waits for them. */
  #listen(): void {
    if (this.#isClosed) return;
    const { clock, logger, eventPollMs, requestPollMs } = this.#options;
    const pollMs = Math.min(
      this.#events.size > 0 ? eventPollMs : Infinity,
      this.#servers.size > 0 || this.#callers.size > 0 ? requestPollMs : Infinity,
    );
    if (this.#file.location !== undefined) {
      this.#bell.listen(this, Number.isFinite(pollMs), logger);
    }
    if (pollMs === this.#pollMs) return;
    this.#pollMs = pollMs;
    this.#poll?.cancel();
    this.#poll = undefined;
    if (!Number.isFinite(pollMs)) return;
    const poll = () => {
      this.#poll = clock.after(pollMs, () => {
        this.#isTouched = true;
        this.#schedule();
        poll();
      });
    };
    poll();
  }
}
