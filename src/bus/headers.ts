import { correlationId, quote, serviceName } from "../base/mod.ts";
import type { BusHeaders } from "./bus.ts";

/** Header of the correlation id. */
export const CORRELATION_ID = "correlation-id";
/** Header of the service's name. */
export const SERVICE_NAME = "service-name";
/** No headers. */
export const NO_HEADERS: BusHeaders = Object.freeze({});

const NAME = /^[a-z0-9-]{1,64}$/;
const MAX_HEADERS = 32;
const MAX_VALUE_LENGTH = 1_024;

/**
 * The headers of a message: those that were given, and the current correlation id and service name.
 *
 * @throws {RangeError} When there are too many, or a name or value cannot be sent.
 */
export function outgoingHeaders(given: BusHeaders | undefined): BusHeaders {
  const id = correlationId();
  const service = serviceName();
  if (given === undefined && id === "" && service === "") return NO_HEADERS;
  const headers: Record<string, string> = {};
  if (id !== "") headers[CORRELATION_ID] = id;
  if (service !== "") headers[SERVICE_NAME] = service;
  for (const [name, value] of Object.entries(given ?? {})) headers[name] = value;
  check(headers);
  return Object.freeze(headers);
}

function check(headers: BusHeaders): void {
  const entries = Object.entries(headers);
  if (entries.length > MAX_HEADERS) {
    throw new RangeError(`Cannot send ${entries.length} headers: ${MAX_HEADERS} at most`);
  }
  for (const [name, value] of entries) {
    if (!NAME.test(name)) {
      throw new RangeError(
        `Cannot send the header ${quote(name)}: give 1 to 64 characters of a-z, 0-9 and "-"`,
      );
    }
    if (typeof value !== "string" || value.length > MAX_VALUE_LENGTH || !value.isWellFormed()) {
      throw new RangeError(
        `Cannot send the header ${name}: its value takes at most ${MAX_VALUE_LENGTH} characters of text`,
      );
    }
  }
}
