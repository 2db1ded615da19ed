import { type Clock, messageOf, quote } from "../base/mod.ts";
import { DialError, dialSocket } from "../sockets/mod.ts";
import { chooseEncoding, type EncodingName, isEncodingName, subprotocolOf } from "./encoding.ts";
import type { ConnectOptions } from "./endpoint.ts";
import { ConnectFailedError, InvalidConfigError, InvalidEncodingError } from "./errors.ts";
import type { MessageSocket } from "./message_socket.ts";
import { WsSocket } from "./ws_socket.ts";

/** What dialling asks of its broker. */
export interface DialContext {
  readonly encodings: readonly EncodingName[];
  readonly maxMessageSize: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

const NOT_ACCEPTABLE = 406;
const NAME_HINT =
  "give its name as tls.name, or make it with this host among its alternative names";

/**
 * Connects to a broker that serves.
 *
 * @throws {InvalidEncodingError} When it speaks none of the encodings.
 * @throws {ConnectFailedError} When there is no connection for any other reason.
 * @throws {InvalidConfigError} When the URL is none.
 */
export async function dial(
  url: string | URL,
  options: ConnectOptions,
  context: DialContext,
): Promise<{ socket: MessageSocket; encoding: EncodingName }> {
  const target = parseUrl(url);
  const { encoding = context.encodings, tls, signal } = options;
  const wanted = typeof encoding === "string" ? [encoding] : encoding;
  for (const name of wanted) {
    if (!isEncodingName(name) || !context.encodings.includes(name)) {
      throw new InvalidEncodingError(
        `Cannot connect in the encoding ${quote(String(name))}: this broker's encodings are ${
          context.encodings.join(", ")
        }`,
      );
    }
  }
  const isTls = target.protocol === "wss:";
  try {
    const dialled = await dialSocket({
      url: target.href,
      address: target.host,
      what: "server",
      nameHint: NAME_HINT,
      protocols: wanted.map(subprotocolOf),
      name: tls?.name,
      credentials: isTls ? tls ?? {} : undefined,
      minVersion: tls?.minVersion ?? "1.3",
      maxFrameBytes: context.maxMessageSize,
      timeoutMs: context.timeoutMs,
      clock: context.clock,
      signal,
    });
    const choice = chooseEncoding(dialled.protocol, wanted)!;
    return { socket: new WsSocket(dialled), encoding: choice.encoding };
  } catch (error) {
    if (signal?.aborted) throw error;
    const status = error instanceof DialError ? error.status : undefined;
    // A server that knows nothing of encodings opens the connection without having chosen one.
    if (status === NOT_ACCEPTABLE || messageOf(error).includes("subprotocol")) {
      throw new InvalidEncodingError(
        `${target.href} speaks none of ${wanted.join(", ")}: ${messageOf(error)}`,
        { cause: error },
      );
    }
    throw new ConnectFailedError(target.href, messageOf(error), status, { cause: error });
  }
}

function parseUrl(url: string | URL): URL {
  const parsed = URL.parse(url);
  if (parsed !== null && (parsed.protocol === "ws:" || parsed.protocol === "wss:")) return parsed;
  throw new InvalidConfigError(
    `Cannot connect to ${
      quote(String(url))
    }: give a URL of the form ws://host:port or wss://host:port`,
  );
}
