import type { Clock } from "../base/mod.ts";
import type { ChannelLogs } from "../storage/mod.ts";
import { HUB_CURSOR_PREFIX, hubCursorName, PEER_CURSOR_PREFIX } from "./cursor_names.ts";

/** Options of {@linkcode sweepPeerCursors}. */
export interface SweepOptions {
  readonly logs: ChannelLogs;
  /** Milliseconds that a cursor may stay untouched. */
  readonly ttlMs: number;
  /** Whether the cursor's peer is connected. */
  readonly isInUse: (cursorName: string) => boolean;
  readonly clock: Clock;
}

/** A cursor that was removed. */
export interface RemovedCursor {
  /** Channel that it was a place in. */
  readonly channel: string;
  /** Its name. */
  readonly cursor: string;
}

/**
 * Removes the cursors of peers that have not been here for long: they hold back what may be deleted.
 *
 * @param options How long is long.
 * @returns What was removed.
 */
export async function sweepPeerCursors(options: SweepOptions): Promise<RemovedCursor[]> {
  const { logs, ttlMs, isInUse, clock } = options;
  const oldest = clock.now() - ttlMs;
  return await removeCursors(logs, (_channel, { name, movedAt }) => {
    return name.startsWith(PEER_CURSOR_PREFIX) && movedAt < oldest && !isInUse(name);
  });
}

/** A hub that is configured, and what is published to it. */
export interface ConfiguredHub {
  /** `host:port`, as it is configured. */
  readonly addr: string;
  /** Channels that are sent to it; empty for all. */
  readonly publish: readonly string[];
}

/**
 * Removes the cursors of hubs that are no longer configured, and of channels that are no longer sent
 * to them. Call it once, before the clients start.
 *
 * @param logs All channels.
 * @param hubs Every hub that is configured.
 * @returns What was removed.
 * @throws {StorageError} When a channel cannot be opened or a cursor not removed.
 */
export async function removeStaleHubCursors(
  logs: ChannelLogs,
  hubs: readonly ConfiguredHub[],
): Promise<RemovedCursor[]> {
  const kept = new Map(hubs.map(({ addr, publish }) => [hubCursorName(addr), new Set(publish)]));
  return await removeCursors(logs, (channel, { name }) => {
    if (!name.startsWith(HUB_CURSOR_PREFIX)) return false;
    const channels = kept.get(name);
    return channels === undefined || (channels.size > 0 && !channels.has(channel));
  });
}

async function removeCursors(
  logs: ChannelLogs,
  isStale: (channel: string, cursor: { name: string; movedAt: number }) => boolean,
): Promise<RemovedCursor[]> {
  const removed: RemovedCursor[] = [];
  for (const channel of logs.names()) {
    const log = await logs.open(channel);
    for (const cursor of await log.cursors()) {
      if (!isStale(channel, cursor)) continue;
      if (await log.removeCursor(cursor.name)) removed.push({ channel, cursor: cursor.name });
    }
  }
  return removed;
}
