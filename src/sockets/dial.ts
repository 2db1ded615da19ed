// @ts-types="@types/ws"
import { type ClientOptions, WebSocket } from "ws";
import type { IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { ConnectionOptions, TLSSocket } from "node:tls";
import { type Clock, messageOf, quote, type Timer } from "../base/mod.ts";
import type { ClientCredentials, SocketPeer, TlsVersion } from "./credentials.ts";
import { certificateName, nameOf } from "./peer_certificate.ts";

/** What it takes to open a WebSocket. */
export interface SocketDialOptions {
  /** `ws://host:port/` or `wss://host:port/`. */
  readonly url: string;
  /** Where it is, for people. */
  readonly address: string;
  /** What is dialled, for people: `hub`, `server`. */
  readonly what: string;
  /** What to do about a certificate that is made for another host. */
  readonly nameHint: string;
  /** Subprotocols to offer, the preferred one first. */
  readonly protocols: readonly string[];
  /** Common Name that the certificate must have, in place of the host that is dialled. */
  readonly name: string | undefined;
  /** Undefined for a connection without certificates. */
  readonly credentials: ClientCredentials | undefined;
  /** Lowest version of TLS. */
  readonly minVersion: TlsVersion;
  /** Longest message in bytes that is taken. */
  readonly maxFrameBytes: number;
  /** Longest wait in milliseconds for the connection. */
  readonly timeoutMs: number;
  /** What measures it. */
  readonly clock: Clock;
  /** Gives up. */
  readonly signal: AbortSignal | undefined;
}

/** An open WebSocket that was dialled. It is paused, so that nothing comes in before somebody listens. */
export interface DialledSocket {
  readonly websocket: WebSocket;
  /** The connection below: TCP, or TLS. */
  readonly connection: Socket;
  readonly peer: SocketPeer;
  /** The subprotocol that the server chose; empty for none. */
  readonly protocol: string;
}

/** There is no connection. */
export class DialError extends Error {
  override readonly name = "DialError";

  /**
   * @param message Why, and what to do.
   * @param status HTTP status of a server that refused the upgrade; undefined when none answered.
   * @param options What it comes from.
   */
  constructor(message: string, readonly status: number | undefined, options?: ErrorOptions) {
    super(message, options);
  }
}

/** What the codes of sockets and TLS stacks mean. */
const HINTS: Readonly<Record<string, (what: string) => string>> = {
  SELF_SIGNED_CERT_IN_CHAIN: (what) => `the ${what}'s certificate is not from our CA`,
  DEPTH_ZERO_SELF_SIGNED_CERT: (what) => `the ${what}'s certificate is not from our CA`,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: (what) =>
    `the ${what}'s certificate is not from our CA, is expired or is not made for servers`,
  ECONNREFUSED: () => "nothing listens at this address",
  ENOTFOUND: () => "the host is unknown",
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: (what) => `the ${what} speaks another version of TLS`,
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: (what) => `the ${what} asks for a certificate`,
};

/** What is read of the answer that refuses an upgrade. */
const MAX_REASON_BYTES = 1_000;

/**
 * Opens a WebSocket. Requires `--allow-net` for its address.
 *
 * @param options Where, as whom, and for how long.
 * @returns The open socket.
 * @throws {DialError} When there is no connection.
 */
export function dialSocket(options: SocketDialOptions): Promise<DialledSocket> {
  const { credentials, clock, signal } = options;
  if (signal?.aborted) return Promise.reject(signal.reason);
  if (credentials?.caNotAfter !== undefined && credentials.caNotAfter.getTime() < clock.now()) {
    // The TLS stack would not ask.
    return Promise.reject(new DialError("the CA's certificate has expired", undefined));
  }
  return new Promise((resolve, reject) => {
    const websocket = new WebSocket(options.url, [...options.protocols], {
      perMessageDeflate: false,
      maxPayload: options.maxFrameBytes,
      followRedirects: false,
      ...(credentials !== undefined && tlsOptions(credentials, options)),
    });
    let connection: Socket | undefined;
    let problem: unknown;
    const timer: Timer = clock.after(options.timeoutMs, () => {
      problem = new DialError(`no answer within ${options.timeoutMs} ms`, undefined);
      websocket.terminate();
    });
    const abort = () => {
      problem = signal?.reason;
      websocket.terminate();
    };
    const settle = () => {
      timer.cancel();
      signal?.removeEventListener("abort", abort);
      websocket.off("error", failed);
    };
    const failed = (error: Error & { code?: string }) => {
      settle();
      // The socket tells of its end once more.
      websocket.on("error", () => {});
      reject(problem ?? explain(error, options));
    };
    signal?.addEventListener("abort", abort, { once: true });
    websocket.on("error", failed);
    websocket.on("unexpected-response", (_request, response: IncomingMessage) => {
      readReason(response).then((reason) => {
        const status = response.statusCode ?? 0;
        problem ??= new DialError(
          `the ${options.what} answers ${status}${reason && `: ${reason}`}`,
          status,
        );
        websocket.terminate();
      });
    });
    websocket.on("upgrade", (response: IncomingMessage) => connection = response.socket);
    websocket.on("open", () => {
      settle();
      websocket.pause();
      const hasCertificate = credentials?.ca !== undefined || options.url.startsWith("wss:");
      const name = hasCertificate ? certificateName(connection as TLSSocket) ?? "" : undefined;
      resolve({
        websocket,
        connection: connection!,
        peer: { name, address: options.address },
        protocol: websocket.protocol,
      });
    });
  });
}

/** The beginning of an answer's body. Never rejects. */
async function readReason(response: IncomingMessage): Promise<string> {
  let text = "";
  try {
    response.setEncoding("utf8");
    for await (const chunk of response) {
      text += chunk;
      if (text.length >= MAX_REASON_BYTES) break;
    }
  } catch {
    // What came until then has to do.
  }
  return text.slice(0, MAX_REASON_BYTES).trim();
}

function tlsOptions(credentials: ClientCredentials, options: SocketDialOptions): ClientOptions {
  const { minVersion, name, what } = options;
  const { cert, key, ca } = credentials;
  const tls: ConnectionOptions = {
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
    ...(ca !== undefined && { ca }),
    minVersion: `TLSv${minVersion}`,
    // Called once the chain is verified. It must return its error: thrown, it would end the process.
    ...(name !== undefined && {
      checkServerIdentity: (_host, certificate) => {
        const found = nameOf(certificate);
        return found === name ? undefined : new Error(
          `the ${what}'s certificate is of ${quote(found ?? "")}, not of ${quote(name)}`,
        );
      },
    }),
  };
  // The types of `ws` have an older form of `checkServerIdentity`; it hands all of this to `node:tls`.
  return tls as unknown as ClientOptions;
}

function explain(
  error: Error & { code?: string },
  { what, nameHint, credentials }: SocketDialOptions,
): DialError {
  let hint = HINTS[error.code ?? ""]?.(what);
  if (error.code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    hint = `the ${what}'s certificate is not for this host: ${nameHint}`;
  }
  if (error.code === "ECONNRESET" && credentials?.cert !== undefined) {
    hint =
      `the ${what} may have refused our certificate: is it from the ${what}'s CA, and still valid?`;
  }
  const message = messageOf(error) || error.code || "connection failed";
  return new DialError(hint === undefined ? message : `${hint} (${message})`, undefined, {
    cause: error,
  });
}
