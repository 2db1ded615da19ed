// @ts-types="@types/ws"
import { type WebSocket, WebSocketServer } from "ws";
import { createServer as createPlainServer, type Server, STATUS_CODES } from "node:http";
import { createServer as createTlsServer, type Server as TlsServer } from "node:https";
import type { IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import {
  type Address,
  type Clock,
  formatAddress,
  type Logger,
  messageOf,
  type Timer,
} from "../base/mod.ts";
import type { ServerCredentials, SocketPeer, TlsVersion } from "./credentials.ts";
import { certificateName } from "./peer_certificate.ts";

/** Why a request gets no WebSocket. */
export interface Refusal {
  /** HTTP status. */
  readonly status: number;
  /** What to tell the client. */
  readonly reason: string;
}

/** What a request gets. */
export interface Admission {
  /** Subprotocol to answer with, as it shall stand in the header; none when undefined. */
  readonly protocol: string | undefined;
}

/** A WebSocket that a listener has accepted. It is paused, so that nothing comes in before somebody listens. */
export interface AcceptedSocket {
  readonly websocket: WebSocket;
  /** The connection below: TCP, or TLS. */
  readonly connection: Socket;
  readonly peer: SocketPeer;
  /** The subprotocol that was answered with; empty for none. */
  readonly protocol: string;
}

/** Options of {@linkcode listenForSockets}. */
export interface ListenOptions {
  /** Where to listen. */
  readonly address: Address;
  /** Undefined for plain connections. */
  readonly credentials: ServerCredentials | undefined;
  /** Lowest version of TLS. */
  readonly minVersion: TlsVersion;
  /** Connections of any state at a time; further ones are cut without a word. */
  readonly maxConnections: number;
  /** Longest message in bytes that is taken. */
  readonly maxFrameBytes: number;
  /** Longest time in milliseconds from a connection to its WebSocket. */
  readonly upgradeTimeoutMs: number;
  /** What measures timeouts. */
  readonly clock: Clock;
  /** Where faults are logged. */
  readonly logger: Logger;
  /** Looks at each request first. @default each is admitted, without a subprotocol */
  readonly admit?: (request: IncomingMessage) => Admission | Refusal;
  /** Takes each new WebSocket. */
  readonly onSocket: (accepted: AcceptedSocket) => void;
}

/**
 * Listens for WebSockets; with credentials over TLS, and with an authority among them only from peers
 * whose certificate comes from it. Requires `--allow-net` for the address.
 *
 * @param options Where, as whom, and how much.
 * @returns The listener.
 * @throws {Error} When it cannot listen there.
 */
export async function listenForSockets(options: ListenOptions): Promise<SocketListener> {
  const { address, credentials } = options;
  const server = credentials === undefined ? createPlainServer() : createTlsServer({
    ...secureContext(credentials, options.minVersion),
    requestCert: credentials.ca !== undefined,
    rejectUnauthorized: credentials.ca !== undefined,
    handshakeTimeout: options.upgradeTimeoutMs,
  });
  const listener = new SocketListener(server, options);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(address.port, address.host === "" ? undefined : address.host, () => {
      server.off("error", reject);
      resolve();
    });
  });
  server.on("error", (error: Error) => {
    options.logger.error("cannot take a connection", { error: messageOf(error) });
  });
  return listener;
}

function secureContext({ cert, key, ca }: ServerCredentials, minVersion: TlsVersion) {
  return { cert, key, ...(ca !== undefined && { ca }), minVersion: `TLSv${minVersion}` as const };
}

/** A connection that is no WebSocket yet. */
interface EarlyConnection {
  /** The TCP socket, later the TLS one above it: they are different objects. */
  socket: Socket;
  readonly timer: Timer;
}

/** A listening server. */
export class SocketListener {
  readonly #server: Server | TlsServer;
  readonly #options: ListenOptions;
  readonly #upgrader: WebSocketServer;
  /** Connections that are no WebSockets yet, by the address of the other end. */
  readonly #early = new Map<string, EarlyConnection>();
  #connections = 0;
  #credentials: ServerCredentials | undefined;
  #admission: Admission = { protocol: undefined };

  /**
   * @param server Not listening yet.
   * @param options Limits, and who takes the sockets.
   */
  constructor(server: Server | TlsServer, options: ListenOptions) {
    this.#server = server;
    this.#options = options;
    this.#credentials = options.credentials;
    this.#upgrader = new WebSocketServer({
      noServer: true,
      clientTracking: false,
      perMessageDeflate: false,
      maxPayload: options.maxFrameBytes,
      handleProtocols: () => this.#admission.protocol ?? false,
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

  /** Where it listens, with the port that it got; empty once it is closed. */
  get address(): string {
    const bound = this.#server.address() as AddressInfo | null;
    return bound === null ? "" : formatAddress({ host: bound.address, port: bound.port });
  }

  /** Connections of any state. */
  get connections(): number {
    return this.#connections;
  }

  /** Uses these certificates for connections from now on. */
  updateCredentials(credentials: ServerCredentials): void {
    if (!("setSecureContext" in this.#server)) return;
    this.#credentials = credentials;
    this.#server.setSecureContext(secureContext(credentials, this.#options.minVersion));
  }

  /** Takes no more connections and cuts those that are no WebSockets yet. */
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
    const { admit, logger, onSocket } = this.#options;
    const connection = socket as TLSSocket;
    const address = remoteAddress(connection);
    const asksForCertificate = this.#credentials?.ca !== undefined;
    // The stack asks neither for a second look at the certificate nor for the authority's own age.
    if (asksForCertificate && (!connection.authorized || this.#isCaExpired())) {
      logger.warn("connection without a valid certificate is cut", { peer_addr: address });
      socket.destroy();
      return;
    }
    socket.on("error", () => {});
    const admission = admit?.(request) ?? { protocol: undefined };
    if ("status" in admission) {
      refuse(socket, admission);
      return;
    }
    // The answer is chosen; what was offered need not be a token, as `ws` would have it.
    if (admission.protocol === undefined) delete request.headers["sec-websocket-protocol"];
    else request.headers["sec-websocket-protocol"] = "chosen";
    this.#admission = admission;
    this.#upgrader.handleUpgrade(request, connection, head as never, (websocket: WebSocket) => {
      websocket.pause();
      this.#settled(address);
      const name = asksForCertificate ? certificateName(connection) ?? "" : undefined;
      const peer = { name, address };
      onSocket({ websocket, connection, peer, protocol: admission.protocol ?? "" });
    });
  }

  #isCaExpired(): boolean {
    const caNotAfter = this.#credentials?.caNotAfter;
    return caNotAfter !== undefined && caNotAfter.getTime() < this.#options.clock.now();
  }
}

function refuse(socket: Duplex, { status, reason }: Refusal): void {
  const body = `${reason}\n`;
  // A peer that does not read the answer is cut by the time limit of an upgrade.
  socket.once("finish", () => socket.destroy());
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\nConnection: close\r\n` +
      `Content-Type: text/plain; charset=utf-8\r\n` +
      `Content-Length: ${new TextEncoder().encode(body).length}\r\n\r\n${body}`,
  );
}

function remoteAddress(socket: Socket): string {
  return formatAddress({ host: socket.remoteAddress ?? "unknown", port: socket.remotePort ?? 0 });
}
