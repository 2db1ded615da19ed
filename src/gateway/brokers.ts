import { type Clock, ConfigError, type Logger, messageOf } from "../base/mod.ts";
import { Messenger, toConfig } from "../messenger/mod.ts";
import { type Broker, MemoryBroker, MessengerBroker } from "./broker/mod.ts";
import type { ResolvedGatewayConfig, ResolvedRedis } from "./config/mod.ts";

/** A broker, and what has to be closed after it. */
export interface OpenedBroker {
  readonly broker: Broker;
  readonly resource?: { close(): Promise<void> };
}

/**
 * Makes the broker of a configuration. Redis is connected to when the broker starts; a messenger instance is opened,
 * which takes its data directory.
 *
 * @param config The configuration.
 * @param logger Where to log.
 * @param clock Time.
 * @param messenger The instance to use in place of the configuration's; it is not closed.
 */
export async function openBroker(
  { broker, history }: Pick<ResolvedGatewayConfig, "broker" | "history">,
  logger: Logger,
  clock: Clock,
  messenger: Messenger | undefined,
): Promise<OpenedBroker> {
  switch (broker.type) {
    case "memory": {
      const { size, ttlMs } = history;
      return {
        broker: new MemoryBroker({ historySize: size, historyTtlMs: ttlMs, logger, clock }),
      };
    }
    case "redis":
      return { broker: await redisBroker(broker.redis, logger, clock) };
    case "messenger": {
      const { config, instance } = broker.messenger;
      const own = messenger ??
        await Messenger.open(instance === undefined ? config : toConfig(instance), {
          logger,
          clock,
          anyPayloadType: true,
        });
      return {
        broker: new MessengerBroker(own, { logger }),
        ...(messenger === undefined ? { resource: { close: () => own.close() } } : {}),
      };
    }
  }
}

async function redisBroker(redis: ResolvedRedis, logger: Logger, clock: Clock): Promise<Broker> {
  // Loaded when it is wanted: its client asks for permissions.
  const { RedisBroker } = await import("./broker/redis/mod.ts");
  const { tls, username, password } = redis;
  const ca = tls.enabled && tls.caFile !== "" ? await readText(tls.caFile) : undefined;
  return new RedisBroker({
    addr: redis.addr,
    ...(username === "" ? {} : { username }),
    ...(password === "" ? {} : { password }),
    db: redis.db,
    ...(tls.enabled
      ? {
        tls: {
          ...(ca === undefined ? {} : { ca }),
          ...(tls.serverName === "" ? {} : { serverName: tls.serverName }),
        },
      }
      : {}),
    connectTimeoutMs: redis.dialTimeoutMs,
    commandTimeoutMs: redis.readTimeoutMs,
    streamMaxLength: redis.streamMaxLength,
    streamApproximate: redis.streamApproximate,
    historyTtlMs: redis.historyTtlMs,
    logger,
    clock,
  });
}

async function readText(path: string): Promise<string> {
  try {
    return await Deno.readTextFile(path);
  } catch (error) {
    const message = `cannot be read: ${messageOf(error)}`;
    throw new ConfigError("configuration", [{ path: "broker.redis.tls.ca_file", message }], {
      cause: error,
    });
  }
}
