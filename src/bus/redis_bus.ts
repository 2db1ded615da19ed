import { consoleLogger } from "../base/mod.ts";
import { InvalidBusUrlError } from "./errors.ts";
import type { BusTransport } from "./transport.ts";
import { type BusOptions, TransportBus } from "./transport_bus.ts";

/** How a {@linkcode RedisBus} connects. */
export interface RedisBusOptions extends BusOptions {
  /** Certificates, as PEM, for `rediss:`: the authority (`ca`), and the client's own. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string };
  /** Begins every channel and key that the bus uses. @default {"bus:"} */
  readonly prefix?: string;
  /**
   * Largest payload in bytes, up to 536,870,911. Redis ends the connection of a stream when 32 MiB wait for
   * it, unless its configuration says otherwise. @default {16_777_216}
   */
  readonly maxPayloadBytes?: number;
  /** Milliseconds for each attempt to connect. @default {10_000} */
  readonly connectTimeoutMs?: number;
}

const MAX_PAYLOAD_BYTES = 16 * 1024 * 1024;
const REDIS_MAX_BYTES = 512 * 1024 * 1024 - 1;

/**
 * A bus over Redis: pub/sub for streams; lists for requests and replies, so that a server that comes within
 * the time limit answers. Other Redis clients can take part in streams: the channel is `bus:stream:{subject}`.
 *
 * Requires `--allow-net` for the server, and `--allow-env`, which the Redis client reads as it is loaded.
 */
export class RedisBus extends TransportBus {
  private constructor(transport: BusTransport, options: BusOptions) {
    super(transport, options);
  }

  /**
   * Connects.
   *
   * @param url `redis://user:password@host:port/database`, or `rediss:` for TLS.
   * @param options Certificates, prefix, limits.
   * @returns The bus. It connects again whenever a connection is lost.
   * @throws {InvalidBusUrlError} When the URL is none of Redis.
   * @throws {BusConnectionError} When the server cannot be reached, or refuses.
   * @throws {RangeError} When a number is out of its range.
   */
  static async connect(
    url = "redis://127.0.0.1:6379",
    options: RedisBusOptions = {},
  ): Promise<RedisBus> {
    const { prefix = "bus:", maxPayloadBytes = MAX_PAYLOAD_BYTES, connectTimeoutMs = 10_000 } =
      options;
    if (!/^rediss?:\/\//.test(url) || !URL.canParse(url)) {
      throw new InvalidBusUrlError(url, "give redis://host:port, or rediss:// for TLS");
    }
    check("maxPayloadBytes", maxPayloadBytes, REDIS_MAX_BYTES);
    check("connectTimeoutMs", connectTimeoutMs, 2 ** 31 - 1);
    const { tls, logger = consoleLogger() } = options;
    // The client is loaded by those alone who use it.
    const { RedisConnections } = await import("./redis_connections.ts");
    const { RedisTransport } = await import("./redis_transport.ts");
    const connections = new RedisConnections({
      url,
      connectTimeoutMs,
      logger,
      ...(tls !== undefined && { tls }),
    });
    try {
      const settings = { prefix, maxPayloadBytes, logger };
      return new RedisBus(await RedisTransport.open(connections, settings), options);
    } catch (error) {
      connections.closeAll();
      throw connections.failed(error);
    }
  }
}

function check(name: string, value: number, max: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= max) return;
  throw new RangeError(`Cannot connect with ${name} ${value}: give a whole number of 1 to ${max}`);
}
