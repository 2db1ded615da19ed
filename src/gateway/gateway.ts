import {
  type Clock,
  ConfigError,
  guardedLogger,
  type Logger,
  silentLogger,
  systemClock,
} from "../base/mod.ts";
import { isLoopback, parseHostPort } from "../config/mod.ts";
import type { Messenger } from "../messenger/mod.ts";
import { adminService } from "./admin/mod.ts";
import { ConfiguredBackends } from "./backend/mod.ts";
import { openBroker } from "./brokers.ts";
import {
  type GatewayConfig,
  loadGatewayConfig,
  type ResolvedGatewayConfig,
  resolveGatewayConfig,
} from "./config/mod.ts";
import { listenForStatus } from "./http/mod.ts";
import type { Hub } from "./hub/mod.ts";
import { GatewayRuntime, type GatewayStats } from "./runtime.ts";
import { allOf, readSecrets, type Secrets } from "./secrets.ts";
import { openConfiguredAuthorizer } from "./security/mod.ts";
import { GatewayStatus } from "./status.ts";
import {
  type GatewayServer,
  type GrpcService,
  listenForClients,
  listenForGrpc,
  messagingService,
} from "./transport/mod.ts";

/** Bytes of one call of the admin API. */
const ADMIN_MESSAGE_MAX = 4 * 1024 * 1024;

/** Options of {@linkcode Gateway.open}. */
export interface GatewayOptions {
  /** Where to log. @default nowhere */
  readonly logger?: Logger;
  /** Time, for tests. @default the computer's clock */
  readonly clock?: Clock;
  /**
   * The instance whose channels `broker.type: messenger` uses, in place of one that the configuration names. It is
   * not closed with the gateway.
   */
  readonly messenger?: Messenger;
}

/** Where a gateway listens: host and port, such as `127.0.0.1:9080`; a server that is off is left out. */
export interface GatewayAddresses {
  /** WebSockets, and their fallback over plain HTTP. */
  readonly websocket?: string;
  /** gRPC streams of clients. */
  readonly grpc?: string;
  /** The admin API. */
  readonly admin?: string;
  /** `/health` and `/metrics`. */
  readonly http?: string;
}

/**
 * A gateway for browsers and other programs: sessions over WebSockets, server-sent events and gRPC; channels with
 * history and presence; calls that backends answer. It speaks the protocol of messageloop v0.1.1.
 *
 * @example
 * ```ts
 * import { Gateway } from "@keyop/messenger/gateway";
 *
 * await using gateway = await Gateway.open({
 *   server: { allowAnonymous: true, http: { enabled: false } },
 *   transport: { websocket: { addr: "127.0.0.1:0" }, grpc: { enabled: false } },
 * });
 * console.log(`ws://${gateway.addresses.websocket}/ws`);
 * ```
 */
export class Gateway implements AsyncDisposable {
  readonly #runtime: GatewayRuntime;
  readonly #status: GatewayStatus;

  private constructor(runtime: GatewayRuntime, status: GatewayStatus) {
    this.#runtime = runtime;
    this.#status = status;
  }

  /**
   * Starts a gateway.
   *
   * Requires `--allow-net` for its addresses, backends and Redis, `--allow-read` for the files that the configuration
   * names, `--allow-env` for the gRPC library, and what a messenger instance needs when there is one.
   *
   * @param config The configuration, or the path of its YAML file.
   * @param options Where to log, and what the program brings itself.
   * @returns The gateway, which listens.
   * @throws {ConfigError} With every problem of the configuration at once.
   * @throws {GatewayListenError} When it cannot listen on one of its addresses; nothing remains started.
   * @throws {MessengerError} When the broker cannot start.
   */
  static async open(
    config: GatewayConfig | string,
    options: GatewayOptions = {},
  ): Promise<Gateway> {
    const surroundings = { hasMessenger: options.messenger !== undefined };
    if (typeof config !== "string") {
      return await Gateway.#open(resolveGatewayConfig(config, surroundings), options);
    }
    try {
      return await Gateway.#open(await loadGatewayConfig(config, surroundings), options);
    } catch (error) {
      // What files hold is found out later, and is a problem of the same configuration.
      if (!(error instanceof ConfigError) || error.message.startsWith(config)) throw error;
      throw new ConfigError(config, error.problems, { cause: error });
    }
  }

  static async #open(config: ResolvedGatewayConfig, options: GatewayOptions): Promise<Gateway> {
    const { clock = systemClock } = options;
    const logger = guardedLogger(options.logger ?? silentLogger);
    const status = new GatewayStatus(clock);
    await using stack = new AsyncDisposableStack();
    const backendsOpening = ConfiguredBackends.open(config, {
      clock,
      logger,
      observe: (...call) => status.observe(...call),
    });
    const [secrets, backends, authorizer] = await allOf([
      readSecrets(config),
      backendsOpening.then((opened) => {
        stack.defer(() => opened[Symbol.dispose]());
        return opened;
      }),
      backendsOpening.then((opened) =>
        openConfiguredAuthorizer(config, { clock, logger, backends: opened })
      ),
    ]);
    const { broker, resource } = await openBroker(config, logger, clock, options.messenger);
    if (resource !== undefined) stack.defer(() => resource.close());
    const runtime = await GatewayRuntime.start({
      broker,
      authorizer,
      backends,
      limits: config.limits,
      settings: settingsOf(config),
      notifyClient: config.admin.notifyClient,
      servers: serversOf(config, secrets, status, logger, clock),
      drainTimeoutMs: config.server.drainTimeoutMs,
      resources: [
        ...(resource === undefined ? [] : [resource]),
        { close: () => closeBackends(backends, clock, config.server.drainTimeoutMs) },
      ],
      logger,
      clock,
    });
    // From here on all of it belongs to the runtime.
    stack.move();
    warn(config, logger);
    for (const [server, address] of Object.entries(runtime.addresses)) {
      logger.info("listening", { server, address });
    }
    return new Gateway(runtime, status);
  }

  /** Where it listens. Empty once it is closed. */
  get addresses(): GatewayAddresses {
    return this.#runtime.addresses;
  }

  /** Counts of now and since the start. */
  stats(): GatewayStats {
    return this.#runtime.stats();
  }

  /**
   * Takes no more clients, closes all there are with 3000, waits for them to go for at most `server.drain_timeout`,
   * and ends. Safe to call twice.
   */
  close(): Promise<void> {
    this.#status.isStopping = true;
    return this.#runtime.close();
  }

  /** The same as `close`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** Lets the last notifications arrive before the connections are closed. */
async function closeBackends(
  backends: ConfiguredBackends,
  clock: Clock,
  limitMs: number,
): Promise<void> {
  const late = Promise.withResolvers<void>();
  const timer = clock.after(limitMs, late.resolve);
  await Promise.race([backends.idle(), late.promise]);
  timer.cancel();
  backends[Symbol.dispose]();
}

function settingsOf({ server, delivery, presence }: ResolvedGatewayConfig) {
  return {
    rpcTimeoutMs: server.rpcTimeoutMs,
    authTimeoutMs: server.authTimeoutMs,
    idleTimeoutMs: server.heartbeat.idleTimeoutMs,
    aclFailure: server.aclFailure,
    dataForm: delivery.dataForm,
    presence: presence.enabled,
  };
}

function serversOf(
  { transport, admin, server, delivery, limits }: ResolvedGatewayConfig,
  secrets: Secrets,
  status: GatewayStatus,
  logger: Logger,
  clock: Clock,
): ((hub: Hub) => Promise<GatewayServer>)[] {
  const adminOf = (hub: Hub): GrpcService =>
    adminService({ hub, token: secrets.adminToken, dataForm: delivery.dataForm, logger });
  const servers: ((hub: Hub) => Promise<GatewayServer>)[] = [];
  if (server.http.enabled) {
    servers.push((hub) =>
      listenForStatus({
        address: parseHostPort(server.http.addr),
        health: () => status.health(hub),
        metrics: () => status.metrics(hub),
        logger,
      })
    );
  }
  if (admin.enabled) {
    servers.push((hub) =>
      listenForGrpc({
        name: "admin",
        address: parseHostPort(admin.addr),
        tls: secrets.adminTls,
        messageBytesMax: ADMIN_MESSAGE_MAX,
        services: [adminOf(hub)],
      })
    );
  }
  const { websocket, sse, grpc } = transport;
  if (grpc.enabled) {
    servers.push((hub) =>
      listenForGrpc({
        name: "grpc",
        address: parseHostPort(grpc.addr),
        tls: secrets.grpcTls,
        messageBytesMax: limits.frameBytes,
        services: [
          messagingService(hub, clock),
          ...(admin.enabled && admin.shareClientPort ? [adminOf(hub)] : []),
        ],
      })
    );
  }
  if (websocket.enabled) {
    servers.push((hub) =>
      listenForClients({
        hub,
        address: parseHostPort(websocket.addr),
        path: websocket.path,
        tls: secrets.websocketTls,
        origins: websocket,
        sse: sse.enabled,
        readTimeoutMs: websocket.readTimeoutMs,
        clock,
        logger,
      })
    );
  }
  return servers;
}

/** What is allowed and may not be meant. */
function warn({ server, security, transport, admin }: ResolvedGatewayConfig, logger: Logger): void {
  const anonymous = server.allowAnonymous || !server.requireAuth;
  if (anonymous && security.rules.length === 0) {
    logger.warn("clients without a token may do everything: there are no security.rules");
  }
  if (transport.websocket.allowAllOrigins) logger.warn("pages of any origin may connect");
  if (!admin.enabled || isLoopback(parseHostPort(admin.addr).host)) return;
  if (admin.allowInsecure && admin.authToken === "" && admin.authTokenFile === "") {
    logger.warn("who reaches the admin API may do everything", { address: admin.addr });
  } else if (admin.tls.certFile === "") {
    logger.warn("the admin API's token can be read on its way: there is no admin.tls", {
      address: admin.addr,
    });
  }
}
