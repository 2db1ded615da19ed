import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type Logger, messageOf } from "../../base/mod.ts";
import { formatHostPort } from "../../config/mod.ts";
import { GatewayListenError, type GatewayServer } from "../transport/mod.ts";
import { type Metric, prometheusText } from "./metrics.ts";

/** How long a request may take to arrive, in milliseconds. */
const REQUEST_TIMEOUT_MS = 10_000;

/** The answer of `/health`. */
export interface Health {
  /** Whether clients are served. */
  readonly ok: boolean;
  /** What is said beside it, as JSON. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** Options of {@linkcode listenForStatus}. */
export interface StatusServerOptions {
  /** Where to listen; port 0 is any free one. */
  readonly address: { readonly host: string; readonly port: number };
  /** How it goes. */
  readonly health: () => Health;
  /** What there is to count. */
  readonly metrics: () => readonly Metric[];
  readonly logger: Logger;
}

/**
 * Serves `/health` as JSON, with status 503 while clients are not served, and `/metrics` in the text format of
 * Prometheus. Requires `--allow-net` for the address.
 *
 * @throws {GatewayListenError} When it cannot listen there.
 */
export async function listenForStatus(options: StatusServerOptions): Promise<GatewayServer> {
  const { address: { host, port }, logger } = options;
  const server = createServer((request, response) => {
    try {
      answer(options, request, response);
    } catch (error) {
      logger.error("status cannot be told", { error: messageOf(error) });
      response.destroy();
    }
  });
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.headersTimeout = REQUEST_TIMEOUT_MS;
  server.on("clientError", (_error, socket) => socket.destroy());
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host === "" ? undefined : host, () => resolve());
    });
  } catch (error) {
    throw new GatewayListenError(formatHostPort(host, port), messageOf(error), { cause: error });
  }
  server.on("error", (error) => logger.error("status server failed", { error: messageOf(error) }));
  return new StatusServer(server);
}

class StatusServer implements GatewayServer {
  readonly name = "http";
  readonly #server: Server;

  constructor(server: Server) {
    this.#server = server;
  }

  get address(): string {
    const bound = this.#server.address() as AddressInfo | null;
    return bound === null ? "" : formatHostPort(bound.address, bound.port);
  }

  /** It answers until the end, so that who looks sees that the gateway is stopping. */
  stopAccepting(): void {}

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}

function answer(
  { health, metrics }: StatusServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const path = (request.url ?? "").split("?", 1)[0];
  const known = path === "/health" || path === "/metrics";
  if (!known) return respond(request, response, 404, "text/plain", "use /health or /metrics\n");
  if (request.method !== "GET" && request.method !== "HEAD") {
    response.setHeader("allow", "GET, HEAD");
    return respond(request, response, 405, "text/plain", "use GET\n");
  }
  if (path === "/metrics") {
    const type = "text/plain; version=0.0.4; charset=utf-8";
    return respond(request, response, 200, type, prometheusText(metrics()));
  }
  const { ok, details } = health();
  const body = JSON.stringify({ status: ok ? "ok" : "unavailable", ...details });
  respond(request, response, ok ? 200 : 503, "application/json", `${body}\n`);
}

function respond(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  type: string,
  body: string,
): void {
  const bytes = new TextEncoder().encode(body);
  response.writeHead(status, {
    "content-type": type,
    "content-length": String(bytes.length),
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
  });
  response.end(request.method === "HEAD" ? undefined : bytes);
}
