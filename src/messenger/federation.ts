import { AuditLog, type AuditStats } from "../audit/mod.ts";
import { type Clock, type Logger, messageOf, type Random } from "../base/mod.ts";
import type { SeenIds } from "../dedup/mod.ts";
import {
  type FederationContext,
  federationContext,
  Hub,
  HubClient,
  type HubClientStats,
  type HubStats,
  removeStaleHubCursors,
} from "../federation/mod.ts";
import type { ChannelLogs } from "../storage/mod.ts";
import { type Credentials, expiryWarnings, watchCredentials } from "../tls/mod.ts";
import type { ResolvedConfig } from "./config/mod.ts";
import { watchPolicy } from "./policy_watch.ts";

const MIB = 1024 * 1024;
const DAY_MS = 24 * 3_600_000;

/** What is known of a messenger's links. */
export interface FederationStats {
  /** The hub, when one runs. */
  readonly hub?: HubStats;
  /** The hubs that this instance dials. */
  readonly hubs: readonly HubClientStats[];
  /** The audit log. */
  readonly audit: AuditStats;
}

/** What {@linkcode Federation} works with. */
export interface FederationOptions {
  readonly config: ResolvedConfig;
  /** The file that the configuration came from; its policy is watched. */
  readonly configPath: string | undefined;
  readonly instanceName: string;
  readonly credentials: Credentials | undefined;
  readonly logs: ChannelLogs;
  readonly seen: SeenIds;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
}

/** The links of a messenger: its hub, its clients, and the watch over what they are made from. */
export class Federation {
  readonly #options: FederationOptions;
  readonly #context: FederationContext;
  readonly #audit: AuditLog;
  readonly #closing = new AbortController();
  #hub: Hub | undefined;
  #clients: HubClient[] = [];

  private constructor(options: FederationOptions) {
    const { config, clock, random, logger, instanceName, logs, seen } = options;
    this.#options = options;
    this.#audit = new AuditLog({
      dir: `${config.storage.dataDir}/audit`,
      maxSizeBytes: config.audit.maxSizeMb * MIB,
      maxFiles: config.audit.maxFiles,
      clock,
      logger,
    });
    this.#context = federationContext({
      instanceName,
      logs,
      seen,
      limits: {
        maxBatchBytes: config.federation.maxBatchBytes,
        sendBufferMessages: config.federation.sendBufferMessages,
      },
      clock,
      random,
      logger,
      audit: this.#audit,
    });
  }

  /**
   * Listens and dials as configured. Waits for no hub.
   *
   * @throws {MessengerError} When the hub cannot listen, or a cursor cannot be used.
   */
  static async start(options: FederationOptions): Promise<Federation> {
    const federation = new Federation(options);
    try {
      await federation.#listen();
      await federation.#dial();
      federation.#watch();
      return federation;
    } catch (error) {
      await federation.close();
      throw error;
    }
  }

  /** Where the hub listens; empty when none runs. */
  get hubAddr(): string {
    return this.#hub?.address ?? "";
  }

  /** What is known of the links. */
  stats(): FederationStats {
    return {
      ...(this.#hub === undefined ? {} : { hub: this.#hub.stats() }),
      hubs: this.#clients.map((client) => client.stats()),
      audit: this.#audit.stats(),
    };
  }

  /** Ends the links. */
  async close(): Promise<void> {
    this.#closing.abort();
    await Promise.all([this.#hub?.close(), ...this.#clients.map((client) => client.close())]);
    await this.#audit.close();
  }

  async #listen(): Promise<void> {
    const { config, credentials } = this.#options;
    const { hub, tls } = config;
    if (!hub.enabled) return;
    this.#hub = new Hub({
      context: this.#context,
      listenAddr: hub.listenAddr,
      allowedPeers: hub.allowedPeers,
      ...(credentials === undefined ? {} : { credentials }),
      minVersion: tls.minVersion,
      insecure: hub.insecure,
      clientOffsetTtlMs: hub.fedClientOffsetTtlMs,
    });
    await this.#hub.listen();
  }

  async #dial(): Promise<void> {
    const { config, credentials, logs } = this.#options;
    const { client, federation, tls } = config;
    const hubs = client.enabled ? client.hubs : [];
    await removeStaleHubCursors(logs, hubs);
    for (const { addr, name, subscribe, publish } of hubs) {
      const hubClient = new HubClient({
        context: this.#context,
        hub: { addr, subscribe, publish, ...(name === undefined ? {} : { name }) },
        ...(credentials === undefined ? {} : { credentials }),
        minVersion: tls.minVersion,
        backoff: {
          baseMs: federation.reconnectBaseMs,
          maxMs: federation.reconnectMaxMs,
          jitter: federation.reconnectJitter,
        },
      });
      this.#clients.push(hubClient);
      await hubClient.start();
    }
  }

  #watch(): void {
    const { config, configPath, credentials, clock, logger } = this.#options;
    const { signal } = this.#closing;
    if (this.#hub !== undefined && configPath !== undefined) {
      const hub = this.#hub;
      watchPolicy(configPath, {
        current: config.hub.allowedPeers,
        onChange: (allowedPeers) => {
          hub.applyPolicy(allowedPeers);
          this.#audit.record({ event: "policy_reloaded", detail: configPath });
          logger.info("hub policy reloaded", { file: configPath, peers: allowedPeers.length });
        },
        onError: (error) => {
          this.#audit.record({ event: "policy_reload_failed", detail: messageOf(error) });
          logger.error("hub policy stays as it was: the configuration file has problems", {
            file: configPath,
            error: messageOf(error),
          });
        },
        signal,
        clock,
      });
    }
    if (credentials !== undefined) this.#watchCredentials(credentials);
  }

  #watchCredentials(current: Credentials): void {
    const { config, clock, logger } = this.#options;
    const { signal } = this.#closing;
    let inUse = current;
    watchCredentials(current.paths, {
      current,
      onChange: (credentials) => {
        inUse = credentials;
        this.#hub?.updateCredentials(credentials);
        for (const client of this.#clients) client.updateCredentials(credentials);
        this.#audit.record({ event: "tls_reloaded", detail: credentials.paths.cert });
        logger.info("certificates reloaded for new connections", { ...credentials.paths });
      },
      onError: (error) => logger.error("certificates stay as they were", { error }),
      signal,
      clock,
    });
    const warn = () => {
      if (signal.aborted) return;
      for (const warning of expiryWarnings(inUse, config.tls.expiryWarnDays, clock.now())) {
        logger.warn(warning);
      }
      const timer = clock.after(DAY_MS, warn, { unref: true });
      signal.addEventListener("abort", () => timer.cancel(), { once: true });
    };
    warn();
  }
}
