import { type Clock, formatAddress, parseAddress, quote } from "../base/mod.ts";
import { dialSocket } from "../sockets/mod.ts";
import type { Link } from "./link.ts";
import type { Credentials, TlsVersion } from "./ports.ts";
import { WebSocketLink } from "./websocket_link.ts";

/** What it takes to dial a hub. */
export interface DialOptions {
  /** `host:port`. */
  readonly addr: string;
  /** Common Name that the hub's certificate must have, in place of the host that is dialled. */
  readonly name: string | undefined;
  /** Undefined for a link without certificates. */
  readonly credentials: Credentials | undefined;
  /** Lowest version of TLS. */
  readonly minVersion: TlsVersion;
  /** Longest frame in bytes that is taken. */
  readonly maxFrameBytes: number;
  /** Longest wait in milliseconds for the connection. */
  readonly timeoutMs: number;
  /** What measures it. */
  readonly clock: Clock;
  /** Gives up. */
  readonly signal: AbortSignal;
}

/** Opens a link to a hub, or rejects with an error that says what to do. */
export type Dial = (options: DialOptions) => Promise<Link>;

const NAME_HINT = "give the hub's name in client.hubs[].name, or make its certificate with this " +
  "host among its alternative names";

/**
 * Opens a WebSocket to a hub. Requires `--allow-net` for its address.
 *
 * @param options Where, as whom, and for how long.
 * @returns The link; nobody has introduced themselves yet.
 * @throws {Error} When there is no connection.
 */
export const dialWebSocket: Dial = async (options): Promise<Link> => {
  const { addr, credentials, clock } = options;
  const address = parseAddress(addr);
  if (address === undefined || address.host === "") {
    throw new Error(`${quote(addr)} is not an address of the form host:port`);
  }
  const { websocket, connection, peer } = await dialSocket({
    ...options,
    url: `${credentials === undefined ? "ws" : "wss"}://${formatAddress(address)}/`,
    address: addr,
    what: "hub",
    nameHint: NAME_HINT,
    protocols: [],
  });
  websocket.binaryType = "nodebuffer";
  return new WebSocketLink(websocket, { peer, clock, bytesRead: () => connection.bytesRead });
};
