import { Redis } from "ioredis";
import { RedisBroker, type RedisBrokerOptions } from "../../../src/gateway/broker/redis/mod.ts";
import { RedisServer } from "../../helpers/redis_server.ts";
import { RecordingEvents } from "./recording_events.ts";

/** A Redis server with brokers and a bare client. */
export class RedisBed implements AsyncDisposable {
  readonly server: RedisServer;
  readonly #closing: { close(): unknown }[] = [];

  private constructor(server: RedisServer) {
    this.server = server;
  }

  /** Starts a server, as its options say. */
  static async start(options?: Parameters<typeof RedisServer.start>[0]): Promise<RedisBed> {
    return new RedisBed(await RedisServer.start(options));
  }

  /** A broker that is not started. */
  make(options: Partial<RedisBrokerOptions> = {}): RedisBroker {
    const broker = new RedisBroker({ addr: this.server.address, ...options });
    this.#closing.push(broker);
    return broker;
  }

  /** A started broker, with what it tells. */
  async open(
    options: Partial<RedisBrokerOptions> = {},
  ): Promise<{ broker: RedisBroker; events: RecordingEvents }> {
    const broker = this.make(options);
    const events = new RecordingEvents();
    await broker.start(events);
    return { broker, events };
  }

  /** A client that does what it is told. */
  client(db = 0): Redis {
    const client = new Redis(`${this.server.url}/${db}`);
    client.on("error", () => {});
    this.#closing.push({ close: () => client.disconnect() });
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of this.#closing) await each.close();
    await this.server[Symbol.asyncDispose]();
  }
}
