import { BrokerConnection, type ConnectionContext } from "./broker_connection.ts";
import type { TypedMessage } from "./define_message.ts";
import { DONE } from "./done.ts";
import type { EncodingName } from "./encoding.ts";
import { ConnectionClosedError, InvalidConfigError } from "./errors.ts";
import type { PipeConnection, PipeSendOptions } from "./pipe.ts";

/**
 * Encodes a message, once for each encoding, and hands it to connections.
 *
 * @returns Settles once there is room for another with all of them.
 * @throws {InvalidConfigError} When one is not a connection of the broker.
 * @throws {PayloadInvalidError} When an encoding cannot carry the value, or it is too long.
 */
export function deliver(
  { definition, value }: Pick<TypedMessage, "definition" | "value">,
  connections: readonly PipeConnection[],
  context: ConnectionContext,
  options: PipeSendOptions | undefined,
): Promise<void> {
  let encoded: Map<EncodingName, Uint8Array<ArrayBuffer>> | undefined;
  let last: EncodingName | undefined;
  let bytes: Uint8Array<ArrayBuffer> | undefined;
  let rooms: Promise<void>[] | undefined;
  let closed: ConnectionClosedError | undefined;
  let written = 0;
  for (const each of connections) {
    const connection = ownConnection(each, context);
    const encoding = definition.encoding ?? connection.encoding;
    if (bytes === undefined || encoding !== last) {
      bytes = encoded?.get(encoding);
      if (bytes === undefined) {
        bytes = context.codec.encode(definition, value, encoding);
        (encoded ??= new Map()).set(encoding, bytes);
      }
      last = encoding;
    }
    try {
      const room = connection.write(bytes);
      written++;
      if (room !== undefined) (rooms ??= []).push(room);
    } catch (error) {
      if (!(error instanceof ConnectionClosedError)) throw error;
      closed = error;
    }
  }
  if (written === 0 && closed !== undefined) return Promise.reject(closed);
  return rooms === undefined ? DONE : waitFor(rooms, options?.signal);
}

/**
 * The connection of a broker behind what a pipe or a pattern passed on.
 *
 * @throws {InvalidConfigError} When it is not of that broker.
 */
function ownConnection(connection: unknown, context: ConnectionContext): BrokerConnection {
  if (connection instanceof BrokerConnection && connection.isOf(context)) return connection;
  throw new InvalidConfigError(
    "Cannot send to a connection that is not of this broker: take it from `broker.connections`",
  );
}

/** Waits for all; rejects with the signal's reason when it is aborted first. */
function waitFor(rooms: readonly Promise<void>[], signal: AbortSignal | undefined): Promise<void> {
  const all = rooms.length === 1 ? rooms[0]! : Promise.all(rooms).then(() => {});
  if (signal === undefined) return all;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    all.then(() => {
      signal.removeEventListener("abort", abort);
      resolve();
    });
  });
}
