import { withoutCompanion } from "../../pattern/mod.ts";

const PUBSUB = "ml:pubsub:";
const STREAM = "ml:stream:";
const PRESENCE = "ml:presence:";

/** Names of what is kept in Redis; those of the original where it has them. */
export const keys = {
  /** The stream with a channel's history. */
  stream: (channel: string): string => STREAM + channel,
  /** The pub/sub channel that a channel is delivered on. */
  pubsub: (channel: string): string => PUBSUB + channel,
  /** The counter of offsets. */
  seq: (channel: string): string => `ml:seq:${channel}`,
  /** The name of the history's life. */
  epoch: (channel: string): string => `ml:epoch:${channel}`,
  /** The members of a channel: session to node and member. */
  presence: (channel: string): string => PRESENCE + channel,
  /** What shows that a node is alive. */
  node: (nodeId: string): string => `ml:node:${nodeId}`,
};

/** Patterns that find the channels with history or members. */
export const CHANNEL_SCANS = [STREAM, PRESENCE] as const;

/** The channel that a pub/sub channel delivers. */
export function channelOfPubsub(name: string): string {
  return name.slice(PUBSUB.length);
}

/**
 * A pattern of Redis that matches the pub/sub channels of at least all channels that a pattern
 * matches, or whose joins and leaves a pattern of companions matches.
 */
export function pubsubPattern(pattern: string): string {
  return PUBSUB + globOf(pattern);
}

/** A pattern of Redis that matches at least the streams of all channels that a pattern matches. */
export function streamPattern(pattern: string): string {
  return STREAM + globOf(pattern);
}

/** The channel whose history a stream is. */
export function channelOfStream(name: string): string {
  return name.slice(STREAM.length);
}

function globOf(pattern: string): string {
  const segments = withoutCompanion(pattern).split(".");
  const hasRest = segments.at(-1) === "**";
  if (hasRest) segments.pop();
  const quoted = segments.map((segment) =>
    segment === "*" ? "*" : segment.replace(/[\\*?[\]^-]/g, "\\$&")
  ).join(".");
  // A trailing "**" matches no segment as well, so that the dot before it may be missing.
  return quoted + (hasRest ? "*" : "");
}
