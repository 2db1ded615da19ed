import { type Clock, formatAddress, type Logger, messageOf, parseAddress } from "../base/mod.ts";
import { listenForSockets } from "../sockets/mod.ts";
import { chooseEncoding, type EncodingName } from "./encoding.ts";
import type { Endpoint, ServeOptions } from "./endpoint.ts";
import { InvalidConfigError } from "./errors.ts";
import type { MessageSocket } from "./message_socket.ts";
import { FULL, noEncoding } from "./refusals.ts";
import { WsSocket } from "./ws_socket.ts";

/** Room for connections that are about to be refused, or are no WebSockets yet. */
const EARLY_CONNECTIONS = 100;

/** What a listener asks of its broker. */
export interface ListenContext {
  readonly encodings: readonly EncodingName[];
  readonly maxConnections: number;
  readonly maxMessageSize: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Whether there is no room for another connection. */
  readonly isFull: () => boolean;
  /** Takes a connection. */
  readonly accept: (socket: MessageSocket, encoding: EncodingName) => void;
}

/**
 * Listens for clients of a broker.
 *
 * @throws {InvalidConfigError} When it cannot listen there.
 */
export async function listen(options: ServeOptions, context: ListenContext): Promise<Endpoint> {
  const { port, hostname = "127.0.0.1", tls, path } = options;
  if (path !== undefined && !path.startsWith("/")) {
    throw new InvalidConfigError(
      `Cannot serve the path ${JSON.stringify(path)}: begin it with "/"`,
    );
  }
  const { encodings, maxConnections, maxMessageSize, timeoutMs, clock, logger } = context;
  try {
    const listener = await listenForSockets({
      address: { host: hostname, port },
      credentials: tls,
      minVersion: tls?.minVersion ?? "1.3",
      maxConnections: maxConnections + EARLY_CONNECTIONS,
      maxFrameBytes: maxMessageSize,
      upgradeTimeoutMs: timeoutMs,
      clock,
      logger,
      admit: ({ url, headers }) => {
        if (path !== undefined && (url ?? "/").split("?", 1)[0] !== path) {
          return { status: 404, reason: `Only ${path} is here` };
        }
        if (context.isFull()) return FULL;
        const choice = chooseEncoding(headers["sec-websocket-protocol"], encodings);
        return choice === undefined ? noEncoding(encodings) : { protocol: choice.protocol };
      },
      onSocket: (accepted) => {
        const { encoding } = chooseEncoding(accepted.protocol, encodings)!;
        context.accept(new WsSocket(accepted), encoding);
      },
    });
    const bound = parseAddress(listener.address)!;
    const url = `${tls === undefined ? "ws" : "wss"}://${formatAddress(bound)}${path ?? "/"}`;
    return {
      info: { hostname: bound.host, port: bound.port, url },
      close: () => listener.close(),
    };
  } catch (error) {
    throw new InvalidConfigError(
      `Cannot listen on ${formatAddress({ host: hostname, port })}: ${messageOf(error)}`,
      { cause: error },
    );
  }
}
