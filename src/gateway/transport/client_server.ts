import { createServer as createPlainServer, type IncomingMessage, type Server } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
// @ts-types="@types/ws"
import { type WebSocket, WebSocketServer } from "ws";
import { type Clock, type Logger, messageOf, MessengerError, type Timer } from "../../base/mod.ts";
import type { Hub } from "../hub/mod.ts";
import { isOriginAllowed, type OriginRules } from "./origin.ts";
import { remoteAddressOf } from "./remote_address.ts";
import { SseEndpoint } from "./sse_endpoint.ts";
import { negotiate } from "./subprotocol.ts";
import { WebSocketTransport } from "./websocket_transport.ts";

/** Connections that have not said what they want. */
const EARLY_MAX = 4_096;
/** Milliseconds that a refused connection has to take its answer and go. */
const REFUSED_MS = 1_000;

/** Options of {@linkcode listenForClients}. */
export interface ClientServerOptions {
  readonly hub: Hub;
  /** Where to listen; port 0 is any free one. */
  readonly address: { readonly host: string; readonly port: number };
  /** Path of WebSockets; the fallback is at `{path}/sse`. */
  readonly path: string;
  /** PEM texts; undefined for plain connections. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  readonly origins: OriginRules;
  /** Whether the fallback is offered. */
  readonly sse: boolean;
  /** Longest time in milliseconds from a connection to its request; 0 is any time. */
  readonly readTimeoutMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** Something of a gateway that listens. */
export interface GatewayServer {
  /** `websocket`, `grpc`, `admin`, `http`. */
  readonly name: string;
  /** Where it listens: host and port; empty once it is closed. */
  readonly address: string;
  /** Takes no more connections. */
  stopAccepting(): void;
  /**
   * Waits for the clients to go, whose sessions are over by then, and cuts those that are left.
   *
   * @param drainTimeoutMs Longest wait in milliseconds.
   */
  close(drainTimeoutMs: number): Promise<void>;
}

/** A gateway cannot listen on an address. */
export class GatewayListenError extends MessengerError {
  /** The name of the class. */
  override readonly name = "GatewayListenError";
  /** The address in question. */
  readonly address: string;
  /**
   * Makes the error.
   *
   * @param address The address in question.
   * @param why What is wrong.
   * @param options The error that caused this one.
   */
  constructor(address: string, why: string, options?: ErrorOptions) {
    super("gateway_listen_failed", `Cannot listen on ${address}: ${why}`, options);
    this.address = address;
  }
}

/**
 * Listens for clients on WebSockets and on their fallback over plain HTTP. Requires `--allow-net` for
 * the address.
 *
 * @throws {GatewayListenError} When it cannot listen there.
 */
export async function listenForClients(options: ClientServerOptions): Promise<ClientServer> {
  const { address: { host, port }, tls } = options;
  const server = tls === undefined ? createPlainServer() : createTlsServer({
    cert: tls.cert,
    key: tls.key,
    minVersion: "TLSv1.2",
    ...(options.readTimeoutMs > 0 ? { handshakeTimeout: options.readTimeoutMs } : {}),
  });
  const clientServer = new ClientServer(server, options);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host === "" ? undefined : host, () => {
        server.off("error", reject);
        resolve();
      });
    });
  } catch (error) {
    throw new GatewayListenError(`${host}:${port}`, messageOf(error), { cause: error });
  }
  server.on("error", (error: Error) => {
    options.logger.error("a client cannot be taken", { error: messageOf(error) });
  });
  return clientServer;
}

/** A listening server. */
export class ClientServer implements GatewayServer {
  readonly name = "websocket";
  readonly #server: Server | TlsServer;
  readonly #options: ClientServerOptions;
  readonly #upgrader: WebSocketServer;
  readonly #sse: SseEndpoint;
  /** Connections that have not sent a request. */
  readonly #early = new Map<Socket, Timer | undefined>();
  readonly #sockets = new Set<Socket>();
  #onEmpty: (() => void) | undefined;

  /** @param server Not yet listening. */
  constructor(server: Server | TlsServer, options: ClientServerOptions) {
    this.#server = server;
    this.#options = options;
    this.#sse = new SseEndpoint(options);
    this.#upgrader = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      autoPong: false,
      maxPayload: options.hub.limits.frameBytes,
      handleProtocols: (offered) => negotiate(offered).subprotocol ?? false,
    });
    server.on(options.tls === undefined ? "connection" : "secureConnection", (socket: Socket) => {
      this.#connected(socket);
    });
    server.on("request", (request, response) => {
      this.#settled(request.socket);
      if (options.sse && pathOf(request) === `${options.path}/sse`) {
        return this.#sse.handle(request, response);
      }
      const isWebSocketPath = pathOf(request) === options.path;
      response.writeHead(isWebSocketPath ? 426 : 404, {
        connection: "close",
        ...(isWebSocketPath ? { upgrade: "websocket" } : {}),
      }).end();
    });
    server.on("upgrade", (request: IncomingMessage, socket: Duplex, head: Uint8Array) => {
      this.#upgrade(request, socket as Socket, head);
    });
    server.on("clientError", (_error: Error, socket: Duplex) => socket.destroy());
  }

  /** The port that it listens on; 0 once it is closed. */
  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? 0;
  }

  get address(): string {
    const bound = this.#server.address() as AddressInfo | null;
    if (bound === null) return "";
    return bound.family === "IPv6" || bound.address.includes(":")
      ? `[${bound.address}]:${bound.port}`
      : `${bound.address}:${bound.port}`;
  }

  /** Uses this certificate for connections from now on. */
  updateTls(tls: { readonly cert: string; readonly key: string }): void {
    if ("setSecureContext" in this.#server) this.#server.setSecureContext(tls);
  }

  /** Takes no more connections, and cuts those that have not begun. */
  stopAccepting(): void {
    this.#server.close();
    for (const socket of this.#early.keys()) socket.destroy();
  }

  /**
   * Waits for the clients to go, whose sessions are to be over, and then cuts those that are left.
   *
   * @param drainTimeoutMs Longest wait in milliseconds.
   */
  async close(drainTimeoutMs: number): Promise<void> {
    const closed = Promise.withResolvers<void>();
    this.stopAccepting();
    if (this.#sockets.size === 0) closed.resolve();
    else this.#onEmpty = closed.resolve;
    const timer = this.#options.clock.after(drainTimeoutMs, closed.resolve);
    await closed.promise;
    timer.cancel();
    for (const socket of this.#sockets) socket.destroy();
  }

  #connected(socket: Socket): void {
    if (this.#early.size >= EARLY_MAX) return void socket.destroy();
    const { clock, readTimeoutMs } = this.#options;
    const timer = readTimeoutMs > 0
      ? clock.after(readTimeoutMs, () => socket.destroy(), { unref: true })
      : undefined;
    this.#early.set(socket, timer);
    this.#sockets.add(socket);
    socket.once("close", () => {
      this.#settled(socket);
      this.#sockets.delete(socket);
      if (this.#sockets.size === 0) this.#onEmpty?.();
    });
  }

  #settled(socket: Socket): void {
    this.#early.get(socket)?.cancel();
    this.#early.delete(socket);
  }

  #refuse(socket: Socket, status: string): void {
    socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`);
    // A peer that does not close its half is not waited for.
    const timer = this.#options.clock.after(REFUSED_MS, () => socket.destroy(), { unref: true });
    socket.once("close", () => timer.cancel());
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Uint8Array): void {
    const { hub, path, origins, clock } = this.#options;
    this.#settled(socket);
    socket.on("error", () => {});
    if (pathOf(request) !== path) return this.#refuse(socket, "404 Not Found");
    const { origin, host } = request.headers;
    if (!isOriginAllowed(origin, host, origins)) return this.#refuse(socket, "403 Forbidden");
    const remoteAddress = remoteAddressOf(socket);
    this.#upgrader.handleUpgrade(request, socket, head as never, (websocket: WebSocket) => {
      websocket.binaryType = "nodebuffer";
      const { codec } = negotiate([websocket.protocol]);
      const transport = new WebSocketTransport(
        websocket,
        socket,
        remoteAddress,
        codec.isText,
        clock,
      );
      transport.serve(hub.accept(transport, codec));
    });
  }
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? "").split("?", 1)[0]!;
}
