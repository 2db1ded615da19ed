import type { Metadata } from "./frames.ts";

/** A place in a channel. Only positions of the same epoch can be compared. */
export interface StreamPosition {
  /** How far: the offset of the last message before it. */
  readonly offset: number;
  /** Names the channel's life; a new one after its history was lost or removed. */
  readonly epoch: string;
}

/** Why messages may be missing. */
export type GapReason =
  /** The history was lost or removed meanwhile. */
  | "epoch_changed"
  /** The history does not reach back that far. */
  | "trimmed"
  /** More was missed than the gateway repeats. */
  | "limit"
  /** The channel keeps no history. */
  | "no_history"
  /** The gateway cannot recover this subscription, such as one by a pattern, or none at all. */
  | "unsupported";

/** What the gateway said of a channel when it was subscribed. */
export interface Recovery {
  /** Undefined: not asked for, or not answered. True: everything missed is repeated. */
  readonly recovered: true | GapReason | undefined;
  /** Where the channel stands. */
  readonly position: StreamPosition | undefined;
}

const SINCE = "keyop-since.";
const RECOVERED = "keyop-recovered.";
const POSITION = "keyop-position.";
const REASONS: readonly string[] = ["epoch_changed", "trimmed", "limit", "no_history"];

/** The entry of metadata that asks for what came after a position. */
export function sinceEntry(channel: string, { offset, epoch }: StreamPosition): [string, string] {
  return [SINCE + channel, `${epoch}:${offset}`];
}

/** Reads the answer to it. */
export function readRecovery(metadata: Metadata, channel: string): Recovery {
  const position = readPosition(metadata[POSITION + channel]);
  const [said, reason = ""] = (metadata[RECOVERED + channel] ?? "").split(":");
  if (said === "true") return { recovered: true, position };
  if (said !== "false") return { recovered: undefined, position };
  const recovered = REASONS.includes(reason) ? reason as GapReason : "unsupported";
  return { recovered, position };
}

function readPosition(text: string | undefined): StreamPosition | undefined {
  const colon = text?.lastIndexOf(":") ?? -1;
  if (text === undefined || colon < 1) return undefined;
  const offset = Number(text.slice(colon + 1));
  return Number.isSafeInteger(offset) && offset >= 0
    ? { offset, epoch: text.slice(0, colon) }
    : undefined;
}
