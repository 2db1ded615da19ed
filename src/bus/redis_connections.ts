import type { Socket } from "node:net";
import { Redis } from "ioredis";
import { type Logger, messageOf } from "../base/mod.ts";
import { BusConnectionError, withoutPassword } from "./errors.ts";

/** Milliseconds before the first and before every later attempt to connect again. */
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 2_000;
/** A command that gets no answer for so long ends its connection. */
const SILENCE_MAX_MS = 15_000;

/** Options of {@linkcode RedisConnections}. */
export interface RedisConnectionsOptions {
  /** Where the server is, with credentials. */
  readonly url: string;
  /** Certificates, as PEM, for `rediss:`. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /** Milliseconds for each attempt to connect. */
  readonly connectTimeoutMs: number;
  readonly logger: Logger;
}

/** Makes the connections of one bus to Redis, and ends them. */
export class RedisConnections {
  /** The URL without credentials. */
  readonly shownUrl: string;
  readonly #options: RedisConnectionsOptions;
  readonly #open = new Set<Redis>();
  #isClosed = false;

  constructor(options: RedisConnectionsOptions) {
    this.#options = options;
    this.shownUrl = withoutPassword(options.url);
  }

  /** Whether they have been ended. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Opens another connection. Once open it connects again by itself; commands fail meanwhile.
   *
   * @param use What it is for, for the log.
   * @throws {BusConnectionError} When the server cannot be reached, or refuses.
   */
  async open(use: string): Promise<Redis> {
    let hasConnected = false;
    let firstError: unknown;
    const { url, tls, connectTimeoutMs } = this.#options;
    const client = new Redis(url, {
      lazyConnect: true,
      connectTimeout: connectTimeoutMs,
      socketTimeout: SILENCE_MAX_MS,
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      disableClientInfo: true,
      retryStrategy: (times) =>
        hasConnected ? Math.min(RETRY_MAX_MS, RETRY_MIN_MS * 2 ** Math.min(times, 10)) : null,
      ...(url.startsWith("rediss:") && { tls: { ...tls } }),
    });
    client.on("error", (error) => firstError ??= error);
    client.on("connect", () => {
      // The client listens for one error of each socket; a second one would end the process.
      socketOf(client)?.on("error", () => {});
    });
    try {
      await client.connect();
    } catch (error) {
      client.disconnect();
      throw this.error(explain(firstError ?? error), firstError ?? error);
    }
    hasConnected = true;
    this.#watch(client, use);
    if (this.#isClosed) {
      client.disconnect();
      throw this.error("it is closed");
    }
    this.#open.add(client);
    return client;
  }

  /** Ends one connection. */
  close(client: Redis): void {
    this.#open.delete(client);
    const socket = socketOf(client);
    client.disconnect();
    // A server that is silent would not answer the farewell.
    socket?.destroySoon();
  }

  /** Ends all of them. */
  closeAll(): void {
    this.#isClosed = true;
    for (const client of [...this.#open]) this.close(client);
  }

  /** Settles when a connection is up, or was ended for good. */
  whenReady(client: Redis): Promise<void> {
    if (client.status === "ready" || client.status === "end") return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        client.off("ready", done);
        client.off("end", done);
        resolve();
      };
      client.on("ready", done);
      client.on("end", done);
    });
  }

  /** What a failed command means. */
  failed(cause: unknown): BusConnectionError {
    if (cause instanceof BusConnectionError) return cause;
    if ((cause as Error | undefined)?.name === "ReplyError") {
      return this.error(`the server answers: ${messageOf(cause)}`, cause);
    }
    const why = this.#isClosed
      ? "it is closed"
      : "the server is down or cannot be reached; the bus keeps trying";
    return this.error(why, cause);
  }

  /** An error that names the server. */
  error(why: string, cause?: unknown): BusConnectionError {
    return new BusConnectionError(this.shownUrl, why, cause === undefined ? undefined : { cause });
  }

  #watch(client: Redis, use: string): void {
    const { logger } = this.#options;
    const fields = { url: this.shownUrl, use };
    let isUp = true;
    client.on("close", () => {
      if (isUp && this.#open.has(client)) logger.warn("lost a connection to Redis", fields);
      isUp = false;
    });
    client.on("ready", () => {
      if (!isUp) logger.info("is connected to Redis again", fields);
      isUp = true;
    });
  }
}

/** The client's own socket, of which its types do not tell. */
function socketOf(client: Redis): Socket | undefined {
  return (client as unknown as { stream?: Socket }).stream;
}

function explain(error: unknown): string {
  const message = messageOf(error);
  if (/ECONNREFUSED/.test(message)) {
    return "nobody listens there; start the server, or correct the address";
  }
  if (/WRONGPASS|NOAUTH|invalid password|without any password/i.test(message)) {
    return `it refuses user or password: ${message}`;
  }
  return message;
}
