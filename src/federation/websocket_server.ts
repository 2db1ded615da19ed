import {
  type Address,
  type Clock,
  formatAddress,
  HubListenError,
  type Logger,
  messageOf,
} from "../base/mod.ts";
import { listenForSockets } from "../sockets/mod.ts";
import type { Link } from "./link.ts";
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
  const { address, clock, onLink } = options;
  try {
    return await listenForSockets({
      ...options,
      onSocket: ({ websocket, connection, peer }) => {
        websocket.binaryType = "nodebuffer";
        const bytesRead = () => connection.bytesRead;
        onLink(new WebSocketLink(websocket, { peer, clock, bytesRead }));
      },
    });
  } catch (error) {
    throw new HubListenError(formatAddress(address), messageOf(error), { cause: error });
  }
}
