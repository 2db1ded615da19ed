import type { Clock } from "../../base/mod.ts";
import { type ChannelLog, FairTurn, type Position, type StoredRecord } from "../../storage/mod.ts";
import { HISTORY_PAGE_MAX, type HistoryFilter, type Publication } from "./broker.ts";
import type { ChannelEpoch } from "./channel_epochs.ts";
import { isBeginning } from "./history_ring.ts";

const SMALL_BLOCK_BYTES = 32 * 1024;
const BLOCK_BYTES = 256 * 1024;
/** A page ends at about so many bytes of records. */
const PAGE_BYTES = 8 * 1024 * 1024;

/** What {@linkcode readHistory} works with. */
export interface LogHistory {
  readonly log: ChannelLog;
  readonly life: ChannelEpoch;
  /** Makes a publication of a record; undefined for one that cannot be read. */
  readonly decode: (record: StoredRecord) => Publication | undefined;
  readonly clock: Clock;
}

/** Publications of a log, and whether some are missing before them. */
export interface LogPage {
  readonly publications: readonly Publication[];
  readonly gap: boolean;
  readonly more: boolean;
}

/** Reads a page of a channel's log, as it stands when this is called. */
export async function readHistory(history: LogHistory, filter: HistoryFilter): Promise<LogPage> {
  const { life, log } = history;
  const { since, limit, reverse = false } = filter;
  const { end } = log;
  const oldest = Math.max(log.start, life.floor);
  const wanted = limit < 0 ? HISTORY_PAGE_MAX : Math.min(limit, HISTORY_PAGE_MAX);
  const whole = { oldest, from: reverse ? end : oldest, end, wanted, gap: false };
  const read = reverse ? readBackward : readForward;
  if (since === undefined) return await read(history, whole);
  if (isBeginning(since)) {
    // What a life began with is all that there was in it.
    const gap = log.start > life.floor;
    return await read(history, { ...whole, from: oldest, gap });
  }
  const isOfLife = since.epoch === life.epoch && since.offset <= end && since.offset >= oldest;
  if (!isOfLife) return await read(history, { ...whole, gap: true });
  const page = await read(history, { ...whole, from: since.offset, skipped: since.offset });
  if (page !== NOT_A_PLACE) return page;
  return await read(history, { ...whole, gap: true });
}

/** The position lies inside a record: it is of another log. */
const NOT_A_PLACE: LogPage = { publications: [], gap: true, more: false };

interface Range {
  /** Offset of a publication that is left out: going back, the start is that of one behind it. */
  readonly skipped?: Position;
  readonly oldest: Position;
  readonly from: Position;
  readonly end: Position;
  readonly wanted: number;
  readonly gap: boolean;
}

async function readForward(history: LogHistory, range: Range): Promise<LogPage> {
  const { clock, decode, log } = history;
  const { end, from, gap, oldest, wanted } = range;
  const publications: Publication[] = [];
  const turn = new FairTurn(clock);
  const reader = log.reader(from);
  let at = from;
  let left = PAGE_BYTES;
  try {
    while (at < end && (publications.length < wanted || wanted === 0) && left > 0) {
      const pending = reader.read(
        wanted - publications.length > 100 ? BLOCK_BYTES : SMALL_BLOCK_BYTES,
      );
      const block = pending instanceof Promise ? await pending : pending;
      const [first] = block.records;
      if (at === from && from > oldest && first?.position !== from) return NOT_A_PLACE;
      if (first === undefined || wanted === 0) break;
      for (const record of block.records) {
        if (record.next > end || publications.length === wanted || left <= 0) break;
        at = record.next;
        left -= record.next - record.position;
        const publication = decode(record);
        if (publication !== undefined) publications.push(publication);
        if (turn.isOver()) await turn.pass();
      }
      if (block.records.at(-1)!.next > end) break;
    }
  } finally {
    reader.close();
  }
  return { publications, gap, more: at < end && (publications.length > 0 || wanted === 0) };
}

/** A log is read forward only: takes piece after piece, each longer than the one behind it. */
async function readBackward(history: LogHistory, range: Range): Promise<LogPage> {
  const { end, from, gap, oldest, skipped, wanted } = range;
  const publications: Publication[] = [];
  let at = from;
  let bytes = SMALL_BLOCK_BYTES;
  while (at > oldest && from - at < PAGE_BYTES) {
    const start = Math.max(oldest, at - bytes);
    bytes *= 2;
    const piece = await readPiece(history, start, at);
    // A record may be longer than the piece that should hold it.
    if (piece.first === at && start > oldest) continue;
    if (at === from && from < end && piece.last !== from) return NOT_A_PLACE;
    at = piece.first === at ? oldest : piece.first;
    for (const { publication, position } of piece.found.toReversed()) {
      if (publications.length === wanted) return { publications, gap, more: true };
      if (publication.offset === skipped) continue;
      publications.push(publication);
      if (publications.length === wanted) at = position;
    }
    if (publications.length === wanted) break;
  }
  return { publications, gap, more: at > oldest };
}

interface Piece {
  readonly found: readonly { readonly publication: Publication; readonly position: Position }[];
  /** Where the first record in it begins; its end when there is none. */
  readonly first: Position;
  /** Where the last record in it ends; its beginning when there is none. */
  readonly last: Position;
}

/** The records that lie between two positions as a whole. */
async function readPiece(history: LogHistory, start: Position, end: Position): Promise<Piece> {
  const { clock, decode, log } = history;
  const found: { publication: Publication; position: Position }[] = [];
  const turn = new FairTurn(clock);
  const reader = log.reader(start);
  let first = end;
  let last = start;
  try {
    while (last < end) {
      const pending = reader.read(Math.min(BLOCK_BYTES, end - last));
      const { records } = pending instanceof Promise ? await pending : pending;
      const inside = records.filter(({ next }) => next <= end);
      for (const record of inside) {
        first = Math.min(first, record.position);
        last = record.next;
        const publication = decode(record);
        if (publication !== undefined) found.push({ publication, position: record.position });
        if (turn.isOver()) await turn.pass();
      }
      if (inside.length === 0 || inside.length < records.length) break;
    }
  } finally {
    reader.close();
  }
  return { found, first, last };
}
