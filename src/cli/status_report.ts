import { type Logger, messageOf } from "../base/mod.ts";
import { type ChannelView, type CursorInfo, DataDirView } from "../storage/mod.ts";

const PEER_PREFIX = "fed-";
const HUB_PREFIX = "fedout-";

/** Who a cursor belongs to: a subscriber here, a peer that receives, a hub that is sent to. */
export type ReaderKind = "subscriber" | "peer" | "hub";

/** A reader of a channel, as its cursor shows it. */
export interface ReaderStatus {
  readonly kind: ReaderKind;
  /** The subscriber's id, the peer's name or the hub's address. */
  readonly name: string;
  readonly channel: string;
  /** First position that is not handled. */
  readonly position: number;
  /** Bytes that are kept and not handled. */
  readonly lag_bytes: number;
  /** When the cursor was last moved, RFC 3339. */
  readonly moved_at: string;
}

/** A channel. */
export interface ChannelStatus {
  readonly channel: string;
  readonly bytes: number;
  readonly segments: number;
  /** Position of the first record that is kept. */
  readonly start: number;
  /** Position after the last record. */
  readonly end: number;
}

/** A file that ends within a record. */
export interface TornStatus {
  readonly channel: string;
  readonly path: string;
  readonly bytes: number;
}

/** What stands in a data directory; `--json` prints it. */
export interface StatusReport {
  readonly data_dir: string;
  /** The process that owns it. */
  readonly owner_pid: number | null;
  readonly channels: readonly ChannelStatus[];
  /** Readers, those that are furthest behind first. */
  readonly readers: readonly ReaderStatus[];
  readonly torn: readonly TornStatus[];
  /** What could not be read. */
  readonly problems: readonly string[];
}

/**
 * Looks through a data directory.
 *
 * @param dataDir The directory.
 * @throws {StorageError} When it is none.
 */
export function statusReport(dataDir: string): StatusReport {
  const problems: string[] = [];
  const logger = problemLogger(problems);
  const view = new DataDirView(dataDir, { logger });
  const channels = view.channels().flatMap((channel) => {
    try {
      return [view.channel(channel)];
    } catch (error) {
      // A file that lies among the channels' folders is none of them.
      if (!(error instanceof Deno.errors.NotADirectory)) {
        problems.push(`channel ${channel}: ${messageOf(error)}`);
      }
      return [];
    }
  });
  const readers = channels.flatMap((channel) =>
    channel.cursors.map((cursor) => readerOf(channel, cursor))
  );
  return {
    data_dir: dataDir,
    owner_pid: view.owner ?? null,
    channels: channels.map(({ channel, bytes, segments, start, end }) => (
      { channel, bytes, segments, start, end }
    )),
    readers: readers.sort((a, b) => b.lag_bytes - a.lag_bytes),
    torn: channels.flatMap(({ channel, torn }) => torn === undefined ? [] : [{ channel, ...torn }]),
    problems,
  };
}

function readerOf({ channel, start, end }: ChannelView, cursor: CursorInfo): ReaderStatus {
  const { position, movedAt } = cursor;
  return {
    ...ownerOf(cursor.name),
    channel,
    position,
    // What retention has deleted is not waited for; a cursor past the end waits for nothing.
    lag_bytes: Math.max(0, end - Math.max(position, start)),
    moved_at: new Date(movedAt).toISOString(),
  };
}

function ownerOf(cursor: string): { kind: ReaderKind; name: string } {
  if (cursor.startsWith(HUB_PREFIX)) return { kind: "hub", name: decoded(cursor, HUB_PREFIX) };
  if (cursor.startsWith(PEER_PREFIX)) return { kind: "peer", name: decoded(cursor, PEER_PREFIX) };
  return { kind: "subscriber", name: cursor };
}

/** Names in file names are percent-encoded; one that was too long is cut and shown as it stands. */
function decoded(cursor: string, prefix: string): string {
  const name = cursor.slice(prefix.length);
  try {
    return decodeURIComponent(name);
  } catch {
    return name;
  }
}

function problemLogger(problems: string[]): Logger {
  const tell = (message: string, fields: Readonly<Record<string, unknown>> = {}) => {
    const details = [fields.path, fields.error].filter((detail) => detail !== undefined);
    problems.push([message, ...details].join(": "));
  };
  return { debug() {}, info() {}, warn: tell, error: tell };
}
