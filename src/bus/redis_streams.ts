import type { Buffer } from "node:buffer";
import type { Redis } from "ioredis";
import type { Logger } from "../base/mod.ts";
import type { RedisConnections } from "./redis_connections.ts";

interface Listener {
  readonly take: (bytes: Buffer) => void;
  /** How often messages may have been lost. */
  gaps: number;
}

/** A channel that is listened to. */
export interface Listening {
  /** How often the connection was lost, and with it whatever was published meanwhile. */
  readonly gaps: number;
  close(): Promise<void>;
}

/** The one connection of a bus that listens to channels. */
export class RedisStreams {
  readonly #connections: RedisConnections;
  readonly #logger: Logger;
  readonly #channels = new Map<string, Set<Listener>>();
  #client: Promise<Redis> | undefined;

  constructor(connections: RedisConnections, logger: Logger) {
    this.#connections = connections;
    this.#logger = logger;
  }

  /** Listens to a channel; settles when everything published from now on will arrive. */
  async listen(channel: string, take: (bytes: Buffer) => void): Promise<Listening> {
    const client = await this.#connected();
    const listener: Listener = { take, gaps: 0 };
    const listeners = this.#channels.get(channel) ?? new Set();
    this.#channels.set(channel, listeners.add(listener));
    try {
      await client.subscribe(channel);
    } catch (error) {
      this.#remove(channel, listener);
      throw this.#connections.failed(error);
    }
    return {
      get gaps() {
        return listener.gaps;
      },
      close: async () => {
        this.#remove(channel, listener);
        if (!this.#channels.has(channel)) await client.unsubscribe(channel).catch(() => {});
      },
    };
  }

  #remove(channel: string, listener: Listener): void {
    const listeners = this.#channels.get(channel);
    listeners?.delete(listener);
    if (listeners?.size === 0) this.#channels.delete(channel);
  }

  #connected(): Promise<Redis> {
    return this.#client ??= this.#connect().catch((error) => {
      this.#client = undefined;
      throw error;
    });
  }

  async #connect(): Promise<Redis> {
    const client = await this.#connections.open("streams");
    let isUp = true;
    client.on("messageBuffer", (channel: Buffer, bytes: Buffer) => {
      for (const listener of this.#channels.get(channel.toString()) ?? []) listener.take(bytes);
    });
    client.on("ready", () => isUp = true);
    client.on("close", () => {
      if (!isUp || this.#connections.isClosed) return;
      isUp = false;
      for (const listeners of this.#channels.values()) {
        for (const listener of listeners) listener.gaps++;
      }
      this.#logger.warn(
        "Redis ended the connection of the streams, perhaps since its output buffer was full " +
          "(client-output-buffer-limit pubsub): messages are lost until it is connected again",
        { url: this.#connections.shownUrl },
      );
    });
    return client;
  }
}
