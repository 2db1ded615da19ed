import { parsePayload, type PayloadSchema } from "../registry/mod.ts";
import { GatewayMessageError } from "./errors.ts";
import type { GatewayMessage } from "./message.ts";

/**
 * The message with its data as the schema returns it.
 *
 * @throws {GatewayMessageError} When the schema refuses.
 */
export function checkMessage<T>(
  message: GatewayMessage,
  schema: PayloadSchema<T> | undefined,
): GatewayMessage<T> | Promise<GatewayMessage<T>> {
  const refuse = (cause: unknown): never => {
    throw new GatewayMessageError(message.channel, message.id, { cause });
  };
  try {
    const data = parsePayload(message.type, schema, message.data);
    return data instanceof Promise
      ? data.then((value) => ({ ...message, data: value as T }), refuse)
      : { ...message, data: data as T };
  } catch (cause) {
    return refuse(cause);
  }
}
