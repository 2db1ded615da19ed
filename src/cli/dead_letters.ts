import { deadLetterChannelOf, isDeadLetterChannel, quote } from "../base/mod.ts";
import {
  DEAD_LETTER_TYPE,
  type DeadLetterPayload,
  decodeEnvelope,
  decodeEnvelopeText,
} from "../envelope/mod.ts";
import type { ChannelTail, Position, StoredRecord } from "../storage/mod.ts";
import { checkChannelArgument } from "./instance.ts";
import { didYouMean } from "./parse.ts";

const BLOCK_BYTES = 256 * 1024;

/** A message that could not be handled. */
export interface DeadLetter {
  /** Where the letter stands in its channel. */
  readonly position: Position;
  /** Id of the message. */
  readonly id: string;
  readonly payloadType: string;
  readonly correlationId: string;
  readonly serviceName: string;
  readonly payload: unknown;
  /** How often its handler was called again. */
  readonly retries: number;
  /** What the handler said. */
  readonly lastError: string;
  /** When that was, RFC 3339. */
  readonly failedAt: string;
}

/** Name of the dead-letter channel of what was given as an argument, which may be that name itself. */
export function deadLettersOf(channel: string): string {
  checkChannelArgument(channel);
  return isDeadLetterChannel(channel) ? channel : deadLetterChannelOf(channel);
}

/** Throws unless there are dead letters of a channel. */
export function mustHaveLetters(letters: string, channels: readonly string[]): void {
  if (channels.includes(letters)) return;
  const hint = didYouMean(letters, channels.filter(isDeadLetterChannel));
  throw new Error(`there are no dead letters: no channel ${quote(letters)}${hint}`);
}

/** The dead letters of a channel, in the order in which they failed. */
export async function* readLetters(
  source: ChannelTail,
  signal: AbortSignal,
  from: Position = source.start,
): AsyncGenerator<DeadLetter, void> {
  const reader = source.reader(from);
  try {
    for (;;) {
      signal.throwIfAborted();
      const { records } = await reader.read(BLOCK_BYTES);
      if (records.length === 0) return;
      for (const record of records) {
        const letter = decodeLetter(record);
        if (letter !== undefined) yield letter;
      }
    }
  } finally {
    reader.close();
  }
}

function decodeLetter({ bytes, text, position }: StoredRecord): DeadLetter | undefined {
  try {
    const record = text === undefined ? decodeEnvelope(bytes) : decodeEnvelopeText(text);
    return letterOf(record.payloadType, record.payload, position);
  } catch {
    return undefined;
  }
}

/** What a record of a dead-letter channel says; undefined when it is no dead letter. */
export function letterOf(
  payloadType: string,
  payload: unknown,
  position: Position,
): DeadLetter | undefined {
  if (payloadType !== DEAD_LETTER_TYPE || typeof payload !== "object" || payload === null) {
    return undefined;
  }
  const { original, retries, last_error, failed_at } = payload as Partial<DeadLetterPayload>;
  if (typeof original !== "object" || original === null) return undefined;
  const { id, payload_type, correlation_id, service_name, payload: sent = null } = original;
  if (typeof id !== "string" || typeof payload_type !== "string") return undefined;
  return {
    position,
    id,
    payloadType: payload_type,
    correlationId: textOr(correlation_id),
    serviceName: textOr(service_name),
    payload: sent,
    retries: typeof retries === "number" ? retries : 0,
    lastError: textOr(last_error),
    failedAt: textOr(failed_at),
  };
}

function textOr(value: unknown): string {
  return typeof value === "string" ? value : "";
}
