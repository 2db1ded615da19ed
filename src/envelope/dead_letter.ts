import type { DecodedRecord } from "./decode.ts";
import { ENVELOPE_VERSION, MAX_RECORD_BYTES } from "./envelope.ts";

/** Payload type of what is on a dead-letter channel. */
export const DEAD_LETTER_TYPE = "com.keyop.messenger.DeadLetterPayload";

/** What a dead-letter channel keeps of a message that could not be handled. */
export interface DeadLetterPayload {
  /** The whole record as it was on its channel; with a payload of null when that is too long. */
  readonly original: Record<string, unknown>;
  /** How often its handler was called again after its first failure. */
  readonly retries: number;
  /** What the handler said the last time. */
  readonly last_error: string;
  /** When that was, RFC 3339 in UTC. */
  readonly failed_at: string;
}

const MAX_ERROR_LENGTH = 10_000;

/**
 * The payload of a dead letter, as JSON text. The record stands in it with the bytes that it had.
 *
 * @param original The record's line.
 * @param retries How often its handler was called again after its first failure.
 * @param lastError What the handler said; cut at 10,000 characters.
 * @param failedAt Milliseconds since 1970.
 * @returns JSON text.
 */
export function encodeDeadLetter(
  original: string,
  retries: number,
  lastError: string,
  failedAt: number,
): string {
  return `{"original":${original},"retries":${retries},"last_error":${
    JSON.stringify(lastError.slice(0, MAX_ERROR_LENGTH))
  },"failed_at":"${new Date(failedAt).toISOString()}"}`;
}

/** What is left for the envelope around it, which repeats what the record's says of its sender. */
const ENVELOPE_BYTES = 128 * 1024;
const SHORT_TEXT_LENGTH = 500;

const encoder = new TextEncoder();

/**
 * The payload of a dead letter that a channel can take, whatever the record: where a long one leaves
 * no room for what is said about it, its payload is left out.
 *
 * @param record The record.
 * @param retries How often its handler was called.
 * @param lastError What the handler said.
 * @param failedAt Milliseconds since 1970.
 * @returns JSON text.
 */
export function fittingDeadLetter(
  record: DecodedRecord,
  retries: number,
  lastError: string,
  failedAt: number,
): string {
  const whole = encodeDeadLetter(record.text, retries, lastError, failedAt);
  const room = MAX_RECORD_BYTES - ENVELOPE_BYTES;
  if (whole.length * 3 <= room || encoder.encode(whole).length <= room) return whole;
  const reason = `the payload is left out, its record is too long for a dead letter; ${lastError}`;
  return encodeDeadLetter(withoutPayload(record), retries, reason, failedAt);
}

function withoutPayload(record: DecodedRecord): string {
  const { correlationId, serviceName, route } = record;
  return JSON.stringify({
    v: ENVELOPE_VERSION,
    id: record.id,
    ts: record.ts,
    channel: record.channel,
    origin: shortened(record.origin),
    payload_type: shortened(record.payloadType),
    ...(correlationId !== "" && { correlation_id: shortened(correlationId) }),
    ...(serviceName !== "" && { service_name: shortened(serviceName) }),
    ...(route.length > 0 && { route: route.slice(-100).map(shortened) }),
    payload: null,
  });
}

function shortened(text: string): string {
  return text.slice(0, SHORT_TEXT_LENGTH);
}
