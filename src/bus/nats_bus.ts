import { consoleLogger } from "../base/mod.ts";
import type { NatsTls } from "./nats_tls.ts";
import type { BusTransport } from "./transport.ts";
import { type BusOptions, TransportBus } from "./transport_bus.ts";

/** Where a {@linkcode NatsBus} connects to, and how. */
export interface NatsBusOptions extends BusOptions {
  /**
   * One server or several of one cluster: `nats://host:port`, `host:port`; user and password, or a
   * token, may stand before an `@`. @default {"nats://127.0.0.1:4222"}
   */
  readonly servers?: string | readonly string[];
  /** The token that the server asks for. */
  readonly token?: string;
  /** The user that the server asks for. */
  readonly user?: string;
  /** The user's password. */
  readonly password?: string;
  /**
   * Certificates, as PEM: the authority (`ca`), and the client's own (`cert`, `key`) where the server
   * asks for one. A server that requires TLS gets it also without; an empty object insists on TLS.
   */
  readonly tls?: NatsTls;
  /** What the server's monitoring calls this connection. */
  readonly name?: string;
  /** Milliseconds for the first connection and each later one. @default {10_000} */
  readonly connectTimeoutMs?: number;
  /** Milliseconds between attempts to connect again. It never gives up. @default {500} */
  readonly reconnectWaitMs?: number;
}

/**
 * A bus over NATS core: what nobody listens to is gone, and a request that nobody serves fails at once.
 * Other NATS clients can take part: a stream is a subscription, a server a queue subscription that
 * answers.
 *
 * Requires `--allow-net` for the servers.
 */
export class NatsBus extends TransportBus {
  private constructor(transport: BusTransport, options: BusOptions) {
    super(transport, options);
  }

  /**
   * Connects.
   *
   * @param options Servers, credentials, certificates, times.
   * @returns The bus. It connects again whenever the connection is lost.
   * @throws {BusConnectionError} When no server can be reached, or it refuses.
   * @throws {RangeError} When a time is no number above 0.
   */
  static async connect(options: NatsBusOptions | string = {}): Promise<NatsBus> {
    const given = typeof options === "string" ? { servers: options } : options;
    const { connectTimeoutMs = 10_000, reconnectWaitMs = 500 } = given;
    for (const [name, value] of Object.entries({ connectTimeoutMs, reconnectWaitMs })) {
      if (!(value > 0 && value < 2 ** 31)) throw new RangeError(`Cannot use ${value} as ${name}`);
    }
    const logger = given.logger ?? consoleLogger();
    // The client is loaded by those alone who use it.
    const { connectNats } = await import("./nats_connection.ts");
    const times = { connectTimeoutMs, reconnectWaitMs };
    return new NatsBus(await connectNats(given, times, logger), given);
  }
}
