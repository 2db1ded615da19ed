// @ts-types="@types/ws"
import { type WebSocket, WebSocketServer } from "ws";
import { createServer as createPlainServer, type Server } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { type Clock, HubListenError, type Logger, messageOf, type Timer } from "../base/mod.ts";
import { type Address, formatAddress } from "./address.ts";
import type { Link } from "./link.ts";
import { certificateName } from "./peer_certificate.ts";
import type { Credentials, TlsVersion } from "./ports.ts";
import { WebSocketLink } from "./websocket_link.ts";

/** Options of {@linkcode listenWebSocket}. */
export interface WebSocketServerOptions {
  /** Where to listen. */
  readonly address: Address;
  /** Undefined for plain connections without certificates. */
  readonly credentials: Credentials | undefined;
  /** Lowest version of TLS. */
  readonly minVersion: TlsVersion;
  /** Connections of any state at a time; further ones are cut. */
  readonly maxConnections: number;
  /** Longest frame in bytes that is taken. */
  readonly maxFrameBytes: number;
  /** Longest time in milliseconds from a connection to its WebSocket. */
  readonly upgradeTimeoutMs: number;
  /** What measures timeouts. */
  readonly clock: Clock;
  /** Where faults are logged. */
  readonly logger: Logger;
  /** Takes each new link; nobody has introduced themselves yet. */
  readonly onLink: (link: Link) => void;
}

/** A listening server. */
export interface LinkServer {
  /** Where it listens, with the port that it got; empty once it is closed. */
  readonly address: string;
  /** Connections of any state. */
  readonly connections: number;
  /** Uses these certificates for connections from now on. */
  updateCredentials(credentials: Credentials): void;
  /** Takes no more connections and cuts those that are no links yet. */
  close(): Promise<void>;
}

/**
 * Listens for WebSockets; with credentials, only from peers whose certificate comes from the CA.
 * Requires `--allow-net` for the address.
 *
 * @param options Where, as whom, and how much.
 * @returns The server.
 * @throws {HubListenError} When it cannot listen there.
 */
export async function listenWebSocket(options: WebSocketServerOptions): Promise<LinkServer> {
  const { address, credentials } = options;
  const server = credentials === undefined ? createPlainServer() : createTlsServer({
    ...secureContext(credentials, options.minVersion),
    requestCert: true,
    rejectUnauthorized: true,
    handshakeTimeout: options.upgradeTimeoutMs,
  });
  const linkServer = new WebSocketLinkServer(server, options);
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(address.port, address.host === "" ? undefined : address.host, () => {
        server.off("error", reject);
        resolve();
      });
    });
  } catch (error) {
    throw new HubListenError(formatAddress(address), messageOf(error), { cause: error });
  }
  server.on("error", (error: Error) => {
    options.logger.error("hub cannot take a connection", { error: messageOf(error) });
  });
  return linkServer;
}

function secureContext({ cert, key, ca }: Credentials, minVersion: TlsVersion) {
  return { cert, key, ca, minVersion: `TLSv${minVersion}` as const };
}

/** A connection that is no link yet. */
interface EarlyConnection {
  /** The TCP socket, later the TLS one above it: they are different objects. */
  socket: Socket;
  readonly timer: Timer;
}

class WebSocketLinkServer implements LinkServer {
  readonly #server: Server | TlsServer;
  readonly #options: WebSocketServerOptions;
  readonly #upgrader: WebSocketServer;
  /** Connections that are no links yet, by the address of the other end. */
  readonly #early = new Map<string, EarlyConnection>();
  #connections = 0;
  #credentials: Credentials | undefined;

  constructor(server: Server | TlsServer, options: WebSocketServerOptions) {
    this.#server = server;
    this.#options = options;
    this.#credentials = options.credentials;
    this.#upgrader = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.maxFrameBytes,
    });
    server.on("connection", (socket: Socket) => this.#connected(socket));
    server.on("secureConnection", (socket: Socket) => {
      const early = this.#early.get(remoteAddress(socket));
      if (early !== undefined) early.socket = socket;
    });
    server.on("request", (_request, response) => {
      response.writeHead(426, { connection: "close", upgrade: "websocket" }).end();
    });
    server.on("upgrade", (request, socket, head) => this.#upgrade(request, socket, head));
    server.on("clientError", (_error: Error, socket: Duplex) => socket.destroy());
  }

  get address(): string {
    const bound = this.#server.address() as AddressInfo | null;
    return bound === null ? "" : formatAddress({ host: bound.address, port: bound.port });
  }

  get connections(): number {
    return this.#connections;
  }

  updateCredentials(credentials: Credentials): void {
    if (!("setSecureContext" in this.#server)) return;
    this.#credentials = credentials;
    this.#server.setSecureContext(secureContext(credentials, this.#options.minVersion));
  }

  close(): Promise<void> {
    for (const { socket } of this.#early.values()) socket.destroy();
    return new Promise((resolve) => this.#server.close(() => resolve()));
  }

  #connected(socket: Socket): void {
    const { maxConnections, clock, upgradeTimeoutMs } = this.#options;
    if (this.#connections >= maxConnections) {
      socket.destroy();
      return;
    }
    this.#connections++;
    const address = remoteAddress(socket);
    const timer = clock.after(upgradeTimeoutMs, () => {
      this.#early.get(address)?.socket.destroy();
    }, { unref: true });
    this.#early.set(address, { socket, timer });
    socket.once("close", () => {
      this.#connections--;
      this.#settled(address);
    });
  }

  #settled(address: string): void {
    this.#early.get(address)?.timer.cancel();
    this.#early.delete(address);
  }

  #upgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array): void {
    const { clock, logger, onLink } = this.#options;
    const connection = socket as TLSSocket;
    const address = remoteAddress(connection);
    // The stack asks neither for a second look at the certificate nor for the authority's own age.
    if (this.#credentials !== undefined && (!connection.authorized || this.#isCaExpired())) {
      logger.warn("connection without a valid certificate is cut", { peer_addr: address });
      socket.destroy();
      return;
    }
    socket.on("error", () => {});
    this.#upgrader.handleUpgrade(request, connection, head as never, (websocket: WebSocket) => {
      websocket.binaryType = "nodebuffer";
      this.#settled(address);
      const name = this.#credentials === undefined ? undefined : certificateName(connection) ?? "";
      onLink(
        new WebSocketLink(websocket, {
          peer: { name, address },
          clock,
          bytesRead: () => connection.bytesRead,
        }),
      );
    });
  }

  #isCaExpired(): boolean {
    const caNotAfter = this.#credentials?.caNotAfter;
    return caNotAfter !== undefined && caNotAfter.getTime() < this.#options.clock.now();
  }
}

function remoteAddress(socket: Socket): string {
  return formatAddress({ host: socket.remoteAddress ?? "unknown", port: socket.remotePort ?? 0 });
}
