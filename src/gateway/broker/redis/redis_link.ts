import { Redis } from "ioredis";
import { type Clock, delay, type Logger, messageOf, type Timer } from "../../../base/mod.ts";
import { BrokerUnavailableError } from "../errors.ts";

const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 2_000;
const PING_MS = 10_000;
/** How long a command waits for a connection where it may wait for its answer without a limit. */
const CONNECTION_WAIT_MS = 5_000;

/** Where a Redis server is, and how long to wait for it. */
export interface RedisAddress {
  /** `host:port`; a host with colons stands in brackets. */
  readonly addr: string;
  /** User name. @default none */
  readonly username?: string;
  /** Password. @default none */
  readonly password?: string;
  /** Number of the database. Pub/sub knows no databases: gateways that share a server share it. @default {0} */
  readonly db?: number;
  /** TLS, with certificates as PEM text. @default off */
  readonly tls?: {
    /** The authorities that the server's certificate may come from. @default the system's */
    readonly ca?: string;
    /** The name that the certificate must have. @default the host in `addr` */
    readonly serverName?: string;
    /** A certificate to show. */
    readonly cert?: string;
    /** The key of the certificate. */
    readonly key?: string;
  };
  /** Milliseconds for each attempt to connect. @default {5_000} */
  readonly connectTimeoutMs?: number;
  /**
   * Milliseconds that a command waits for a connection and then for its answer; 0 waits for an answer
   * without a limit. @default {5_000}
   */
  readonly commandTimeoutMs?: number;
}

/** What a {@linkcode RedisLink} works with. */
export interface RedisLinkOptions extends RedisAddress {
  /** What it is for, in the log. */
  readonly use: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called whenever the connection is there again after it was lost. */
  readonly onReconnect: () => void;
  /** Called whenever it is lost. */
  readonly onLost: () => void;
}

/** One connection to Redis that comes back by itself. No command is ever sent twice. */
export class RedisLink {
  readonly client: Redis;
  readonly #options: RedisLinkOptions;
  readonly #commandTimeoutMs: number;
  #firstError: unknown;
  #wasReady = false;
  #isLostTold = false;
  #isClosed = false;
  #pinging: Timer | undefined;

  /**
   * @param options Where to, and who is told.
   * @throws {RangeError} When the address is none.
   */
  constructor(options: RedisLinkOptions) {
    this.#options = options;
    this.#commandTimeoutMs = options.commandTimeoutMs ?? 5_000;
    this.client = new Redis({ ...this.#clientOptions(), lazyConnect: true });
    // The first error of an attempt to connect is its reason; later ones are the same again.
    this.client.on("error", (error) => this.#firstError ??= error);
    this.client.on("connect", () => this.#guardSocket());
    this.client.on("ready", () => this.#ready());
    this.client.on("close", () => this.#lost());
  }

  /** Whether commands can be sent now. */
  get isReady(): boolean {
    return this.client.status === "ready";
  }

  /**
   * Connects for the first time.
   *
   * @throws {BrokerUnavailableError} When the server cannot be reached, or refuses.
   */
  async open(): Promise<void> {
    try {
      await this.client.connect();
    } catch (error) {
      const failure = this.failure("connect", this.#firstError ?? error);
      this.close();
      throw failure;
    }
  }

  /**
   * Sends a command, waiting a while for a connection when there is none.
   *
   * @param what What it is for, for the error.
   * @param send Sends it.
   * @throws {BrokerUnavailableError} When it was not answered; it may have been carried out.
   */
  async send<T>(what: string, send: () => Promise<T>): Promise<T> {
    try {
      if (!this.isReady) await this.#becomeReady();
      return await send();
    } catch (error) {
      throw this.failure(what, error);
    }
  }

  /** The error that a failed command means. */
  failure(what: string, error: unknown): BrokerUnavailableError {
    if (error instanceof BrokerUnavailableError) return error;
    const { addr } = this.#options;
    const why = this.#isClosed ? "it is closed" : explain(error);
    const where = what === "connect" ? "to Redis" : "on Redis";
    return new BrokerUnavailableError(`Cannot ${what} ${where} at ${addr}: ${why}`, {
      cause: error,
    });
  }

  /** Ends it for good. */
  close(): void {
    this.#isClosed = true;
    this.#pinging?.cancel();
    this.client.disconnect();
  }

  #clientOptions() {
    const { addr, connectTimeoutMs = 5_000, db = 0, password, tls, username } = this.#options;
    const { host, port } = parseAddress(addr);
    return {
      host,
      port,
      db,
      ...(username && { username }),
      ...(password && { password }),
      ...(tls && {
        tls: {
          ...(tls.ca !== undefined && { ca: tls.ca }),
          ...(tls.cert !== undefined && { cert: tls.cert, key: tls.key ?? "" }),
          servername: tls.serverName ?? host,
        },
      }),
      connectTimeout: connectTimeoutMs,
      ...(this.#commandTimeoutMs > 0 && {
        commandTimeout: this.#commandTimeoutMs,
        socketTimeout: this.#commandTimeoutMs,
      }),
      enableOfflineQueue: false,
      autoResubscribe: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      disableClientInfo: true,
      retryStrategy: (times: number) =>
        this.#wasReady ? Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(times - 1, 10)) : null,
    };
  }

  #ready(): void {
    this.#firstError = undefined;
    const { addr, logger, onReconnect, use } = this.#options;
    if (this.#wasReady) {
      logger.info("is connected to Redis again", { addr, use });
      onReconnect();
    }
    this.#wasReady = true;
    this.#ping();
  }

  #lost(): void {
    const { addr, logger, onLost, use } = this.#options;
    if (!this.#wasReady || this.#isClosed) return;
    if (!this.#isLostTold) logger.warn("lost the connection to Redis", { addr, use });
    this.#isLostTold = true;
    this.client.once("ready", () => this.#isLostTold = false);
    onLost();
  }

  /** A peer that vanished without a word is noticed because it does not answer. */
  #ping(): void {
    this.#pinging?.cancel();
    this.#pinging = this.#options.clock.after(PING_MS, () => {
      if (this.isReady) this.client.ping().catch(() => {});
      this.#ping();
    }, { unref: true });
  }

  /** The client listens for one error of each socket; a second one would end the process. */
  #guardSocket(): void {
    const { stream } = this.client as unknown as {
      stream: { on(event: "error", run: () => void): void };
    };
    stream.on("error", () => {});
  }

  async #becomeReady(): Promise<void> {
    const { client } = this;
    const { clock } = this.#options;
    if (this.#isClosed || client.status === "end") throw new Error("Connection is closed.");
    const ended = new AbortController();
    const ready = new Promise<void>((resolve) => {
      client.once("ready", resolve);
      ended.signal.addEventListener("abort", () => client.off("ready", resolve));
    });
    const timeout = delay(clock, this.#commandTimeoutMs || CONNECTION_WAIT_MS, ended.signal).then(
      () => {
        throw new Error(messageOf(this.#firstError ?? "it cannot be reached"));
      },
    );
    timeout.catch(() => {});
    try {
      await Promise.race([ready, timeout]);
    } finally {
      ended.abort();
    }
  }
}

/** Takes `host:port` apart. */
export function parseAddress(addr: string): { host: string; port: number } {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(addr) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  if (host !== undefined && port > 0 && port < 65_536) return { host, port };
  throw new RangeError(`Cannot use ${JSON.stringify(addr)} as an address: give host:port`);
}

function explain(error: unknown): string {
  const message = messageOf(error);
  if (/ECONNREFUSED|Connection refused/i.test(message)) {
    return "nobody listens there; start the server, or correct the address";
  }
  if (/WRONGPASS|NOAUTH|invalid password/i.test(message)) {
    return `it refuses user or password: ${message}`;
  }
  if (/Command timed out/.test(message)) return "it does not answer in time";
  if (
    /Connection is closed|aborted due to connection|writeable|max retries per request/i.test(
      message,
    )
  ) {
    return "the connection was lost; it may or may not have been done";
  }
  return message;
}
