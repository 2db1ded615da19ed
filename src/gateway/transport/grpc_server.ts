import { Buffer } from "node:buffer";
import { Server, ServerCredentials, type ServiceDefinition } from "@grpc/grpc-js";
import { messageOf } from "../../base/mod.ts";
import { formatHostPort } from "../../config/mod.ts";
import { GatewayListenError, type GatewayServer } from "./client_server.ts";

/** How long a connection without a call is kept, in milliseconds. */
const IDLE_CONNECTION_MS = 300_000;
/** Silence after which a connection is asked whether it still is one, in milliseconds. */
const KEEPALIVE_MS = 30_000;
const KEEPALIVE_TIMEOUT_MS = 20_000;
/** Calls that one connection may have under way. */
const STREAMS_MAX = 1000;

/** What a gRPC server offers: a service and who serves it. */
export interface GrpcService {
  readonly definition: ServiceDefinition;
  // deno-lint-ignore no-explicit-any -- the library knows handlers by their methods only
  readonly handlers: Readonly<Record<string, any>>;
}

/** Options of {@linkcode listenForGrpc}. */
export interface GrpcServerOptions {
  /** `grpc` or `admin`. */
  readonly name: string;
  /** Where to listen; port 0 is any free one. */
  readonly address: { readonly host: string; readonly port: number };
  /** PEM texts; undefined for plain connections. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  /** Bytes of one message that comes. */
  readonly messageBytesMax: number;
  readonly services: readonly GrpcService[];
}

/**
 * Serves gRPC. Requires `--allow-net` for the address.
 *
 * @throws {GatewayListenError} When it cannot listen there.
 */
export async function listenForGrpc(options: GrpcServerOptions): Promise<GatewayServer> {
  const { host, port } = options.address;
  const server = new Server({
    "grpc.max_receive_message_length": options.messageBytesMax,
    "grpc.max_concurrent_streams": STREAMS_MAX,
    "grpc.max_connection_idle_ms": IDLE_CONNECTION_MS,
    "grpc.keepalive_time_ms": KEEPALIVE_MS,
    "grpc.keepalive_timeout_ms": KEEPALIVE_TIMEOUT_MS,
  });
  for (const { definition, handlers } of options.services) server.addService(definition, handlers);
  // Every interface is written as an address here.
  const address = formatHostPort(host === "" ? "::" : host, port);
  let bound: number;
  try {
    bound = await bind(server, address, credentialsOf(options.tls));
  } catch (error) {
    if (host !== "") throw new GatewayListenError(address, messageOf(error), { cause: error });
    // A machine without IPv6.
    bound = await bind(server, `0.0.0.0:${port}`, credentialsOf(options.tls)).catch((cause) => {
      throw new GatewayListenError(`:${port}`, messageOf(cause), { cause });
    });
  }
  return new GrpcServer(options.name, server, formatHostPort(host === "" ? "::" : host, bound));
}

class GrpcServer implements GatewayServer {
  readonly name: string;
  readonly #server: Server;
  #address: string;
  #drained: Promise<void> | undefined;

  constructor(name: string, server: Server, address: string) {
    this.name = name;
    this.#server = server;
    this.#address = address;
  }

  get address(): string {
    return this.#address;
  }

  stopAccepting(): void {
    this.#address = "";
    this.#drained ??= new Promise((resolve) => this.#server.tryShutdown(() => resolve()));
  }

  async close(drainTimeoutMs: number): Promise<void> {
    this.stopAccepting();
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, drainTimeoutMs);
    await Promise.race([this.#drained, late.promise]);
    clearTimeout(timer);
    this.#server.forceShutdown();
  }
}

function bind(server: Server, address: string, credentials: ServerCredentials): Promise<number> {
  return new Promise((resolve, reject) =>
    server.bindAsync(
      address,
      credentials,
      (error, port) => error === null ? resolve(port) : reject(error),
    )
  );
}

function credentialsOf(tls: GrpcServerOptions["tls"]): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const cert = Buffer.from(tls.cert);
  // Without authorities of its own the library names hundreds of them in each handshake, too many for some peers.
  return ServerCredentials.createSsl(cert, [{
    cert_chain: cert,
    private_key: Buffer.from(tls.key),
  }]);
}
