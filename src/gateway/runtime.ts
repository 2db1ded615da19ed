import {
  type Clock,
  guardedLogger,
  type Logger,
  messageOf,
  silentLogger,
  systemClock,
} from "../base/mod.ts";
import { type Broker, MemoryBroker } from "./broker/mod.ts";
import { Hub } from "./hub/mod.ts";
import {
  type Authorizer,
  type Backends,
  DEFAULT_LIMITS,
  type GatewayLimits,
  noBackends,
  type SessionSettings,
} from "./session/mod.ts";
import type { GatewayServer } from "./transport/mod.ts";

/** What sessions do where nothing else is said. */
export const DEFAULT_SETTINGS: SessionSettings = {
  rpcTimeoutMs: 30_000,
  authTimeoutMs: 10_000,
  idleTimeoutMs: 300_000,
  aclFailure: "disconnect",
  dataForm: "binary",
  presence: true,
};

/** What a gateway is put together from. */
export interface GatewayParts {
  /** Who may connect and do what. */
  readonly authorizer: Authorizer;
  /** What carries publications; closed with the gateway. @default a {@linkcode MemoryBroker} */
  readonly broker?: Broker;
  /** Who answers calls. @default nobody */
  readonly backends?: Backends;
  /** What differs from {@linkcode DEFAULT_LIMITS}. */
  readonly limits?: Partial<GatewayLimits>;
  /** What differs from {@linkcode DEFAULT_SETTINGS}. */
  readonly settings?: Partial<SessionSettings>;
  /** Whether a client is told of subscriptions that an administrator makes. @default {false} */
  readonly notifyClient?: boolean;
  /** What listens: each is started with the hub, in this order. */
  readonly servers: readonly ((hub: Hub) => Promise<GatewayServer>)[];
  /** Closed after all else, last first. */
  readonly resources?: readonly { close(): void | Promise<void> }[];
  /** Longest wait in milliseconds for clients to go at the end. @default {10_000} */
  readonly drainTimeoutMs?: number;
  /** Where to log. @default nowhere */
  readonly logger?: Logger;
  /** Replaces the clock, for tests. */
  readonly clock?: Clock;
}

/** Counts of a running gateway. */
export interface GatewayStats {
  /** Connections that exist. */
  readonly connections: number;
  /** Connections that have logged in. */
  readonly connected: number;
  /** Users with a connection. */
  readonly users: number;
  /** Subscriptions of all connections. */
  readonly subscriptions: number;
  /** Connections that opened since the start. */
  readonly acceptedTotal: number;
  /** Publications that the broker delivered since the start. */
  readonly publicationsTotal: number;
  /** Publications handed to connections since the start, one for each receiver. */
  readonly deliveriesTotal: number;
  /** Surveys under way. */
  readonly surveys: number;
}

/**
 * A running gateway with its insides: what `Gateway` makes from a configuration, and what tests make
 * from parts.
 */
export class GatewayRuntime implements AsyncDisposable {
  /** All its sessions. */
  readonly hub: Hub;
  readonly #parts: GatewayParts;
  readonly #servers: GatewayServer[] = [];
  readonly #logger: Logger;
  #closing: Promise<void> | undefined;

  private constructor(parts: GatewayParts) {
    const { clock = systemClock } = parts;
    this.#parts = parts;
    this.#logger = guardedLogger(parts.logger ?? silentLogger);
    this.hub = new Hub({
      broker: parts.broker ?? new MemoryBroker({ clock, logger: this.#logger }),
      authorizer: parts.authorizer,
      backends: parts.backends ?? noBackends,
      limits: { ...DEFAULT_LIMITS, ...parts.limits },
      settings: { ...DEFAULT_SETTINGS, ...parts.settings },
      notifyClient: parts.notifyClient ?? false,
      clock,
      logger: this.#logger,
    });
  }

  /**
   * Starts a gateway from its parts.
   *
   * @param parts What it is put together from.
   * @throws {GatewayListenError} When it cannot listen; nothing remains started.
   */
  static async start(parts: GatewayParts): Promise<GatewayRuntime> {
    const gateway = new GatewayRuntime(parts);
    try {
      await gateway.hub.start();
      for (const start of parts.servers) gateway.#servers.push(await start(gateway.hub));
    } catch (error) {
      await gateway.close();
      throw error;
    }
    return gateway;
  }

  /** Where each server listens, by its name. */
  get addresses(): Readonly<Record<string, string>> {
    return Object.fromEntries(this.#servers.map(({ name, address }) => [name, address]));
  }

  /** Counts of now and since the start. */
  stats(): GatewayStats {
    const { hub } = this;
    return {
      connections: hub.connections,
      connected: hub.connected,
      users: hub.users,
      subscriptions: hub.registry.size,
      acceptedTotal: hub.counters.accepted,
      publicationsTotal: hub.counters.publications,
      deliveriesTotal: hub.counters.deliveries,
      surveys: hub.surveys.size,
    };
  }

  /**
   * Takes no more clients, closes all there are with 3000, waits for them to go for at most the drain
   * timeout, and ends. Safe to call twice.
   */
  close(): Promise<void> {
    return this.#closing ??= this.#close();
  }

  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const { drainTimeoutMs = 10_000, resources = [] } = this.#parts;
    for (const server of this.#servers) server.stopAccepting();
    this.hub.close();
    await this.#all(this.#servers.map((server) => () => server.close(drainTimeoutMs)));
    await this.#all([() => this.hub.broker.close()]);
    for (const resource of resources.toReversed()) await this.#all([() => resource.close()]);
  }

  async #all(steps: readonly (() => void | Promise<void>)[]): Promise<void> {
    await Promise.all(steps.map(async (step) => {
      try {
        await step();
      } catch (error) {
        this.#logger.warn("closing a part failed", { error: messageOf(error) });
      }
    }));
  }
}
