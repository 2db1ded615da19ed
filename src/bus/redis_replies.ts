import type { Buffer } from "node:buffer";
import type { Redis } from "ioredis";
import { delay, type Logger, messageOf, systemClock } from "../base/mod.ts";
import type { RedisConnections } from "./redis_connections.ts";
import { decodeReply } from "./redis_wire.ts";
import type { ReplyFrame } from "./transport.ts";

/** How long one command waits for a reply. */
const BLOCK_SECONDS = 5;
/** Replies that are fetched at once when several wait. */
const FETCH = 256;
const RETRY_MS = 200;

interface Expected {
  readonly onReply: (frame: ReplyFrame) => void | Promise<void>;
  /** Tells the server that there is room for more. */
  readonly more: (id: string) => void;
  hasReplies: boolean;
}

/** Fetches the replies to the requests of one bus, over a connection of its own. */
export class RedisReplies {
  /** The list that takes them. */
  readonly key: string;
  readonly #connections: RedisConnections;
  readonly #logger: Logger;
  readonly #expected = new Map<string, Expected>();
  #started: Promise<void> | undefined;
  #running: Promise<void> | undefined;
  #lastId = 0;

  constructor(connections: RedisConnections, key: string, logger: Logger) {
    this.key = key;
    this.#connections = connections;
    this.#logger = logger;
  }

  /** Opens the connection at the first call. */
  start(): Promise<void> {
    return this.#started ??= this.#connections.open("replies").then((client) => {
      this.#running = this.#run(client);
    }).catch((error) => {
      this.#started = undefined;
      throw error;
    });
  }

  /** Settles when nothing is fetched any more; the connections have been ended. */
  async ended(): Promise<void> {
    await this.#started?.catch(() => {});
    await this.#running;
  }

  /** Expects replies. @returns The id of the request. */
  expect(call: Pick<Expected, "onReply" | "more">): string {
    const id = (++this.#lastId).toString(36);
    this.#expected.set(id, { ...call, hasReplies: false });
    return id;
  }

  /** Expects no more replies. */
  forget(id: string): { isForgotten: boolean; hasReplies: boolean } {
    const hasReplies = this.#expected.get(id)?.hasReplies ?? false;
    return { isForgotten: !this.#expected.delete(id), hasReplies };
  }

  async #run(client: Redis): Promise<void> {
    while (client.status !== "end" && !this.#connections.isClosed) {
      try {
        const first = await client.blpopBuffer(this.key, BLOCK_SECONDS);
        if (first === null) continue;
        this.#take(first[1]);
        let more: Buffer[] | null;
        do {
          more = await client.lpopBuffer(this.key, FETCH);
          more?.forEach((bytes) => this.#take(bytes));
        } while (more !== null && more.length === FETCH);
      } catch (error) {
        if (client.status === "ready") {
          const fields = { key: this.key, error: messageOf(error) };
          this.#logger.warn("cannot fetch replies from Redis", fields);
          await delay(systemClock, RETRY_MS);
        }
        await this.#connections.whenReady(client);
      }
    }
  }

  #take(bytes: Buffer): void {
    const reply = decodeReply(bytes);
    if (reply === undefined) return;
    const expected = this.#expected.get(reply.id);
    if (expected === undefined) return;
    expected.hasReplies = true;
    if (reply.frame.kind !== "data") this.#expected.delete(reply.id);
    // One caller that does not read holds up no other: its server waits for it.
    const full = expected.onReply(reply.frame);
    if (!reply.asks) return;
    if (full === undefined) expected.more(reply.id);
    else full.then(() => expected.more(reply.id));
  }
}
