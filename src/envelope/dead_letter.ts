/** Payload type of what is on a dead-letter channel. */
export const DEAD_LETTER_TYPE = "com.keyop.messenger.DeadLetterPayload";

/** What a dead-letter channel keeps of a message that could not be handled. */
export interface DeadLetterPayload {
  /** The whole record as it was on its channel. */
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
