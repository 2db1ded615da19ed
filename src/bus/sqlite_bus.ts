import type { DatabaseSync } from "node:sqlite";
import { consoleLogger, guardedLogger, systemClock } from "../base/mod.ts";
import { SqliteFile } from "./sqlite_file.ts";
import { SqliteTransport } from "./sqlite_transport.ts";
import { type BusOptions, TransportBus } from "./transport_bus.ts";

/** Options of {@linkcode SqliteBus.open}. All times are in milliseconds. */
export interface SqliteBusOptions extends BusOptions {
  /**
   * Time between two looks for messages of other processes, 1 to 2,147,483,647. As a rule the system
   * tells at once that another process has written, so that this is a safety net. @default {200}
   */
  readonly eventPollMs?: number;
  /** The same for requests and replies. @default {100} */
  readonly requestPollMs?: number;
  /** How long messages are kept for slow readers, 1 to 2,147,483,647. @default {300_000} */
  readonly retentionMs?: number;
  /** How long to wait when another program has the file locked, 0 to 2,147,483,647. @default {5_000} */
  readonly lockTimeoutMs?: number;
}

const MAX_MS = 2_147_483_647;

/**
 * A bus through a SQLite file, which several processes of one host may share; no server is needed. Needs
 * read and write permission for the file and for the ones beside it that end in `-wal` and `-shm`.
 *
 * A server that comes within the time limit of a request answers it. A slow reader loses nothing that is
 * younger than `retentionMs`. Payloads have up to 16 MiB. The file is put into WAL mode and not synced at
 * each commit: it survives a process that is killed, and after a power cut the last moments may be missing.
 *
 * @example
 * ```ts
 * import { SqliteBus } from "@keyop/messenger/bus";
 * import { assertEquals } from "@std/assert";
 *
 * const path = `${await Deno.makeTempDir()}/bus.db`;
 * await using server = await SqliteBus.open(path);
 * await using caller = await SqliteBus.open(path);
 * await server.serve("greet", (data) => `hello ${new TextDecoder().decode(data)}`);
 * const answer = await caller.request("greet", "world");
 * assertEquals(new TextDecoder().decode(answer), "hello world");
 * ```
 */
export class SqliteBus extends TransportBus {
  private constructor(transport: SqliteTransport, options: BusOptions) {
    super(transport, options);
  }

  /**
   * Opens a bus; the file and its tables `bus_events`, `bus_requests` and `bus_replies` are made when they
   * are missing.
   *
   * @param place The file's path, `:memory:`, or an open connection, which is not closed with the bus. While
   *   the connection is in a transaction of its own, the bus waits.
   * @param options How often to look, how long to keep and to wait.
   * @throws {BusStorageError} When the file cannot be opened, is damaged or stays locked.
   * @throws {RangeError} When an option is out of its range.
   */
  static async open(
    place: string | DatabaseSync,
    options: SqliteBusOptions = {},
  ): Promise<SqliteBus> {
    const { clock = systemClock, logger = consoleLogger() } = options;
    const transportOptions = {
      clock,
      logger: guardedLogger(logger),
      eventPollMs: checked("eventPollMs", options.eventPollMs ?? 200, 1),
      requestPollMs: checked("requestPollMs", options.requestPollMs ?? 100, 1),
      retentionMs: checked("retentionMs", options.retentionMs ?? 300_000, 1),
      lockTimeoutMs: checked("lockTimeoutMs", options.lockTimeoutMs ?? 5_000, 0),
    };
    const file = await SqliteFile.open(place, transportOptions.lockTimeoutMs, clock);
    return new SqliteBus(new SqliteTransport(file, transportOptions), { ...options, logger });
  }
}

function checked(name: string, value: number, least: number): number {
  if (value >= least && value <= MAX_MS) return value;
  throw new RangeError(`${name} is ${value}: give ${least} to ${MAX_MS} milliseconds`);
}
