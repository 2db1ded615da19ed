// @ts-types="@types/ws"
import { type ClientOptions, WebSocket } from "ws";
import type { Socket } from "node:net";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import { type Clock, messageOf, quote, type Timer } from "../base/mod.ts";
import { formatAddress, parseAddress } from "./address.ts";
import type { Link } from "./link.ts";
import { certificateName, nameOf } from "./peer_certificate.ts";
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

/** What the codes of sockets and TLS stacks mean for a hub. */
const HINTS: Readonly<Record<string, string>> = {
  ERR_TLS_CERT_ALTNAME_INVALID:
    "the hub's certificate is not for this host: give the hub's name in client.hubs[].name, or " +
    "make its certificate with this host among its alternative names",
  SELF_SIGNED_CERT_IN_CHAIN: "the hub's certificate is not from our CA",
  DEPTH_ZERO_SELF_SIGNED_CERT: "the hub's certificate is not from our CA",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    "the hub's certificate is not from our CA, is expired or is not made for servers",
  ECONNREFUSED: "nothing listens at this address",
  ENOTFOUND: "the host is unknown",
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: "the hub speaks another version of TLS",
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: "the hub asks for a certificate",
};

const RESET_HINT =
  "the hub may have refused our certificate: is it from the hub's CA, and still valid?";

/**
 * Opens a WebSocket to a hub. Requires `--allow-net` for its address.
 *
 * @param options Where, as whom, and for how long.
 * @returns The link; nobody has introduced themselves yet.
 * @throws {Error} When there is no connection.
 */
export const dialWebSocket: Dial = (options): Promise<Link> => {
  const { addr, credentials, clock, signal } = options;
  const address = parseAddress(addr);
  if (address === undefined || address.host === "") {
    return Promise.reject(new Error(`${quote(addr)} is not an address of the form host:port`));
  }
  if (signal.aborted) return Promise.reject(signal.reason);
  if (credentials?.caNotAfter !== undefined && credentials.caNotAfter.getTime() < clock.now()) {
    // The TLS stack would not ask.
    return Promise.reject(new Error("the CA's certificate has expired"));
  }
  return new Promise((resolve, reject) => {
    const url = `${credentials === undefined ? "ws" : "wss"}://${formatAddress(address)}/`;
    const socket = new WebSocket(url, {
      perMessageDeflate: false,
      maxPayload: options.maxFrameBytes,
      followRedirects: false,
      ...(credentials !== undefined && tlsOptions(credentials, options)),
    });
    socket.binaryType = "nodebuffer";
    let connection: Socket | undefined;
    let problem: unknown;
    const timer: Timer = clock.after(options.timeoutMs, () => {
      problem = new Error(`no answer within ${options.timeoutMs} ms`);
      socket.terminate();
    });
    const abort = () => {
      problem = signal.reason;
      socket.terminate();
    };
    const settle = () => {
      timer.cancel();
      signal.removeEventListener("abort", abort);
      socket.off("error", failed);
    };
    const failed = (error: Error & { code?: string }) => {
      settle();
      // The socket tells of its end once more.
      socket.on("error", () => {});
      reject(problem ?? explain(error, credentials !== undefined));
    };
    signal.addEventListener("abort", abort, { once: true });
    socket.on("error", failed);
    socket.on("upgrade", (response) => connection = response.socket);
    socket.on("open", () => {
      settle();
      const tls = credentials === undefined ? undefined : connection as TLSSocket;
      resolve(
        new WebSocketLink(socket, {
          peer: { name: tls && (certificateName(tls) ?? ""), address: addr },
          clock,
          bytesRead: () => connection?.bytesRead ?? 0,
        }),
      );
    });
  });
};

function tlsOptions(credentials: Credentials, { minVersion, name }: DialOptions): ClientOptions {
  const options: ConnectionOptions = {
    cert: credentials.cert,
    key: credentials.key,
    ca: credentials.ca,
    minVersion: `TLSv${minVersion}`,
    // Called once the chain is verified. It must return its error: thrown, it would end the process.
    ...(name !== undefined && {
      checkServerIdentity: (_host, certificate) => {
        const found = nameOf(certificate);
        return found === name
          ? undefined
          : new Error(`the hub's certificate is of ${quote(found ?? "")}, not of ${quote(name)}`);
      },
    }),
  };
  // The types of `ws` have an older form of `checkServerIdentity`; it hands all of this to `node:tls`.
  return options as unknown as ClientOptions;
}

function explain(error: Error & { code?: string }, isTls: boolean): Error {
  let hint = HINTS[error.code ?? ""];
  if (error.code === "ECONNRESET" && isTls) hint = RESET_HINT;
  const message = messageOf(error) || error.code || "connection failed";
  return new Error(hint === undefined ? message : `${hint} (${message})`, { cause: error });
}
