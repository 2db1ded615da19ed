import type { ChannelTail, Position, StoredRecord } from "../storage/mod.ts";

const FIRST_BYTES = 64 * 1024;
const MAX_BYTES = 8 * 1024 * 1024;
const READ_BYTES = 1024 * 1024;

/**
 * Where the last so many records begin. Looks backwards, at pieces of the log that double in size:
 * a few lines of a long log cost a few reads.
 *
 * @param source The channel.
 * @param count How many; at least 1.
 * @param wanted Which records count.
 * @param signal Ends the looking, with its reason.
 * @returns The position of the first of them; the log's start when there are fewer.
 */
export async function positionOfLast(
  source: ChannelTail,
  count: number,
  wanted: (record: StoredRecord) => boolean,
  signal: AbortSignal,
): Promise<Position> {
  let missing = count;
  let end = source.end;
  let bytes = FIRST_BYTES;
  while (end > source.start) {
    const begin = Math.max(source.start, end - bytes);
    const positions = await recordsBetween(source, begin, end, wanted, signal);
    if (positions.length >= missing) return positions.at(-missing)!;
    missing -= positions.length;
    end = begin;
    bytes = Math.min(bytes * 2, MAX_BYTES);
  }
  return source.start;
}

/** Positions of the records that begin between two positions. */
async function recordsBetween(
  source: ChannelTail,
  begin: Position,
  end: Position,
  wanted: (record: StoredRecord) => boolean,
  signal: AbortSignal,
): Promise<readonly Position[]> {
  const positions: Position[] = [];
  const reader = source.reader(begin);
  try {
    while (reader.position < end) {
      signal.throwIfAborted();
      const { records } = await reader.read(Math.min(READ_BYTES, end - begin));
      if (records.length === 0) break;
      for (const record of records) {
        if (record.position < end && wanted(record)) positions.push(record.position);
      }
    }
  } finally {
    reader.close();
  }
  return positions;
}
