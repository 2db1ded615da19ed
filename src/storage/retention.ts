import type { CursorInfo } from "./log.ts";
import type { Segment } from "./segment.ts";

/** When sealed segments go although somebody has not read them. */
export interface RetentionRules {
  /** Segments that a channel keeps; 0 for any number. */
  readonly maxFiles: number;
  /** Milliseconds after its last record that a segment is kept; 0 for ever. */
  readonly retentionMs: number;
}

/** A segment to delete. */
export interface DroppedSegment {
  readonly segment: Segment;
  /** Readers that lose by it, and how many bytes each. */
  readonly unreadBy: readonly { readonly name: string; readonly bytes: number }[];
}

/** What is asked about the surroundings. */
export interface RetentionContext {
  /** Milliseconds since 1970. */
  readonly now: number;
  /** When a segment was last written. */
  readonly changedAt: (segment: Segment) => number;
}

/**
 * Which segments go: those that every cursor has passed, and the oldest that the rules give up.
 * Always the front of the list, never the last segment. A channel without cursors keeps everything
 * that the rules let it keep: somebody may subscribe from its start.
 */
export function droppable(
  segments: readonly Segment[],
  cursors: readonly CursorInfo[],
  rules: RetentionRules,
  context: RetentionContext,
): DroppedSegment[] {
  const dropped: DroppedSegment[] = [];
  for (const [index, segment] of segments.slice(0, -1).entries()) {
    const end = segment.start + segment.size;
    const behind = cursors.filter((cursor) => cursor.position < end);
    const read = cursors.length > 0 && behind.length === 0;
    const tooMany = rules.maxFiles > 0 && segments.length - index > rules.maxFiles;
    const tooOld = rules.retentionMs > 0 &&
      context.now - context.changedAt(segment) > rules.retentionMs;
    if (!read && !tooMany && !tooOld) break;
    const unreadBy = behind.map(({ name, position }) => ({
      name,
      bytes: end - Math.max(position, segment.start),
    }));
    dropped.push({ segment, unreadBy });
  }
  return dropped;
}
