import { lookup } from "node:dns/promises";
import {
  type ConnectionOptions,
  NatsConnectionImpl,
  setTransportFactory,
} from "@nats-io/transport-node";
import { type Logger, messageOf } from "../base/mod.ts";
import { BusConnectionError, withoutPassword } from "./errors.ts";
import type { NatsBusOptions } from "./nats_bus.ts";
import { NatsSocket } from "./nats_socket.ts";
import type { NatsTls } from "./nats_tls.ts";
import { NatsTransport } from "./nats_transport.ts";

/** A server that is silent for three of them is taken for lost. */
const PING_EVERY_MS = 15_000;

/**
 * Connects to NATS.
 *
 * @throws {BusConnectionError} When no server can be reached, or it refuses.
 */
export async function connectNats(
  options: NatsBusOptions,
  times: { readonly connectTimeoutMs: number; readonly reconnectWaitMs: number },
  logger: Logger,
): Promise<NatsTransport> {
  const { servers = "nats://127.0.0.1:4222", name } = options;
  const urls = (typeof servers === "string" ? servers.split(",") : servers)
    .map((server) => server.includes("://") ? server : `nats://${server}`);
  const shown = urls.map(withoutPassword).join(",");
  const tls: NatsTls | undefined = options.tls ??
    (urls.some((url) => url.startsWith("tls://")) ? {} : undefined);
  setTransportFactory({ factory: () => new NatsSocket(), dnsResolveFn: resolveHost });
  try {
    const connection = await NatsConnectionImpl.connect({
      servers: urls.map(withoutPassword),
      ...credentials(options, urls),
      ...(tls !== undefined && { tls }),
      ...(name !== undefined && { name }),
      timeout: times.connectTimeoutMs,
      reconnectTimeWait: times.reconnectWaitMs,
      pingInterval: PING_EVERY_MS,
      maxReconnectAttempts: -1,
      ignoreAuthErrorAbort: true,
      noAsyncTraces: true,
    });
    return new NatsTransport(connection as NatsConnectionImpl, shown, logger);
  } catch (error) {
    throw new BusConnectionError(shown, explain(error), { cause: error });
  }
}

function credentials(options: NatsBusOptions, urls: readonly string[]): ConnectionOptions {
  const { token, user, password } = options;
  if (token !== undefined) return { token };
  if (user !== undefined) return { user, ...(password !== undefined && { pass: password }) };
  for (const url of urls) {
    const before = /^[a-z][a-z0-9+.-]*:\/\/([^/?#]*)@/i.exec(url)?.[1];
    if (before === undefined) continue;
    const colon = before.indexOf(":");
    if (colon < 0) return { token: decodeURIComponent(before) };
    return {
      user: decodeURIComponent(before.slice(0, colon)),
      pass: decodeURIComponent(before.slice(colon + 1)),
    };
  }
  return {};
}

async function resolveHost(host: string): Promise<string[]> {
  const found = await lookup(host, { all: true });
  return found.map(({ address }) => address);
}

function explain(error: unknown): string {
  const message = messageOf(error);
  if (/ECONNREFUSED|connection refused/i.test(message)) {
    return "nobody listens there; start the server, or correct the address";
  }
  if (/^authorization violation$/i.test(message)) {
    return "it refuses the token, or user and password";
  }
  if (/^authorization violation: /i.test(message)) {
    return `it hung up after the handshake; does it ask for a client certificate? (${message})`;
  }
  return message;
}
