import type { Buffer } from "node:buffer";
import type { Redis } from "ioredis";
import { delay, type Logger, messageOf, systemClock } from "../base/mod.ts";
import type { RedisConnections } from "./redis_connections.ts";
import { decodeRequest, type StoredRequest } from "./redis_wire.ts";
import { within } from "./within.ts";

/** How long one command waits for a request. */
const BLOCK_SECONDS = 5;
/** Requests that are taken at once when several wait. */
const BATCH = 16;
const UNBLOCK_EVERY_MS = 20;
/** How long closing waits for a server that is silent. */
const CLOSE_MS = 2_000;
const RETRY_MS = 200;

/** Options of {@linkcode RedisServing}. */
export interface RedisServingOptions {
  readonly connections: RedisConnections;
  /** A connection for everything that does not wait. */
  readonly commands: Redis;
  /** The list of requests. */
  readonly key: string;
  readonly logger: Logger;
  /** Takes a request; a promise says to wait before the next. */
  readonly take: (request: StoredRequest) => void | Promise<void>;
}

/** Takes the requests of one subject out of its list, over a connection of its own. */
export class RedisServing {
  readonly #options: RedisServingOptions;
  readonly #client: Redis;
  readonly #closing = new AbortController();
  readonly #running: Promise<void>;
  #clientId: unknown;

  private constructor(options: RedisServingOptions, client: Redis) {
    this.#options = options;
    this.#client = client;
    this.#running = this.#run();
  }

  /** Begins. */
  static async start(options: RedisServingOptions): Promise<RedisServing> {
    return new RedisServing(options, await options.connections.open("server"));
  }

  /** Takes no more requests; one that is taken all the same goes back. */
  async close(): Promise<void> {
    const { commands, connections } = this.#options;
    this.#closing.abort();
    let hasEnded = false;
    const ended = this.#running.then(() => hasEnded = true);
    const began = performance.now();
    while (
      !hasEnded && this.#client.status === "ready" && commands.status === "ready" &&
      performance.now() - began < CLOSE_MS
    ) {
      // Once may come too early: before the command that it is to end.
      if (this.#clientId !== undefined) {
        const unblock = commands.call("CLIENT", "UNBLOCK", String(this.#clientId));
        await within(CLOSE_MS, unblock);
      }
      await within(UNBLOCK_EVERY_MS, ended);
    }
    connections.close(this.#client);
    await ended;
  }

  async #run(): Promise<void> {
    const { connections, logger, key } = this.#options;
    const { signal } = this.#closing;
    while (!signal.aborted && this.#client.status !== "end") {
      try {
        this.#clientId ??= await this.#client.call("CLIENT", "ID");
        if (signal.aborted) return;
        const popped = await this.#client.blpopBuffer(key, BLOCK_SECONDS);
        if (popped !== null) await this.#handOver([popped[1]]);
      } catch (error) {
        this.#clientId = undefined;
        if (signal.aborted) return;
        if (this.#client.status === "ready") {
          logger.warn("cannot take requests from Redis", { key, error: messageOf(error) });
          await delay(systemClock, RETRY_MS, signal).catch(() => {});
        }
        await Promise.race([connections.whenReady(this.#client), aborted(signal)]);
      }
    }
  }

  /** Hands over what was popped, and more for as long as there is room. */
  async #handOver(popped: Buffer[]): Promise<void> {
    const { commands, key } = this.#options;
    const { signal } = this.#closing;
    for (let batch: Buffer[] | null = popped; batch !== null && batch.length > 0;) {
      for (const [index, bytes] of batch.entries()) {
        const full = signal.aborted ? Promise.resolve() : this.#take(bytes);
        if (full === undefined) continue;
        // What there is no room for goes back, to the front: another server may have room.
        const left = batch.slice(signal.aborted ? index : index + 1);
        if (left.length > 0) await commands.lpush(key, ...left.reverse());
        return await Promise.race([full, aborted(signal)]);
      }
      batch = await this.#client.lpopBuffer(key, BATCH);
    }
  }

  #take(bytes: Buffer): void | Promise<void> {
    const { key, logger, take } = this.#options;
    const request = decodeRequest(bytes);
    if (request !== undefined) return take(request);
    logger.warn("leaves out a request that it does not understand", { key });
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
