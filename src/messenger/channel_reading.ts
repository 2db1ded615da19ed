import { type Clock, type Logger, messageOf } from "../base/mod.ts";
import { decodeEnvelope, decodeEnvelopeText } from "../envelope/mod.ts";
import { type ChannelLog, FairTurn, ReceivedMessage, type StoredRecord } from "../storage/mod.ts";
import type { ReadOptions, StoredMessage } from "./types.ts";

const BLOCK_BYTES = 256 * 1024;

/** What reading a channel takes. */
export interface ChannelReading extends ReadOptions {
  readonly log: ChannelLog;
  /** Turns a payload into what its schema returns. */
  readonly decode: (payloadType: string, payload: unknown) => unknown;
  /** Ends the reading when the messenger closes. */
  readonly closed: AbortSignal;
  readonly clock: Clock;
  readonly logger: Logger;
}

/**
 * Reads a channel without a cursor. What is no record, or has a payload that its schema refuses, is
 * left out and logged.
 */
export async function* readChannel(reading: ChannelReading): AsyncGenerator<StoredMessage, void> {
  const { log, from = "start", follow = false, closed } = reading;
  const ended = reading.signal === undefined ? closed : AbortSignal.any([reading.signal, closed]);
  const begin = from === "end" ? log.end : Math.max(log.start, from === "start" ? 0 : from);
  const reader = log.reader(begin);
  const turn = new FairTurn(reading.clock);
  try {
    while (!ended.aborted) {
      const pending = reader.read(BLOCK_BYTES);
      const { records } = pending instanceof Promise ? await pending : pending;
      for (const record of records) {
        if (ended.aborted) return;
        let message = decodeRecord(record, reading);
        if (message instanceof Promise) message = await message;
        if (message !== undefined) yield message;
        // A consumer that never waits would not let timers and sockets have their turn.
        if (turn.isOver()) await turn.pass();
      }
      if (records.length > 0) continue;
      if (!follow) return;
      await log.waitFor(reader.position, ended).catch((error) => {
        if (!ended.aborted) throw error;
      });
    }
  } finally {
    reader.close();
  }
}

function decodeRecord(
  stored: StoredRecord,
  reading: ChannelReading,
): StoredMessage | undefined | Promise<StoredMessage | undefined> {
  const { text, position, next } = stored;
  const leaveOut = (error: unknown): undefined => {
    const { log, logger } = reading;
    logger.warn("left out a message that cannot be read", {
      channel: log.channel,
      position,
      reason: messageOf(error),
    });
  };
  try {
    const record = text === undefined ? decodeEnvelope(stored.bytes) : decodeEnvelopeText(text);
    const payload = reading.decode(record.payloadType, record.payload);
    if (!(payload instanceof Promise)) return new ReadMessage(record, payload, position, 1, next);
    return payload.then(
      (value) => new ReadMessage(record, value, position, 1, next),
      leaveOut,
    );
  } catch (error) {
    return leaveOut(error);
  }
}

class ReadMessage extends ReceivedMessage implements StoredMessage {
  constructor(
    record: ReceivedMessage["record"],
    payload: unknown,
    position: number,
    attempt: number,
    readonly next: number,
  ) {
    super(record, payload, position, attempt);
  }
}
