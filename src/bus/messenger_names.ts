import { createHash } from "node:crypto";
import { isDeadLetterChannel, isValidName } from "../base/mod.ts";

const REQUESTS = ".requests";
const REPLIES = ".replies.";
const CHANNEL_LENGTH_MAX = 255;
const READABLE_LENGTH = 100;
const HASH_LENGTH = 32;

/** The channel that carries what is published to a subject: the subject's own name, where that can be. */
export function streamChannel(subject: string): string {
  const isTaken = subject.endsWith(REQUESTS) || subject.includes(REPLIES);
  return isTaken || isDeadLetterChannel(subject) || !isValidName(subject)
    ? shortened(subject)
    : subject;
}

/** The channel that carries the requests of a subject. */
export function requestsChannel(subject: string): string {
  return fitting(streamChannel(subject), REQUESTS);
}

/** The channel that carries the replies to the callers on one instance. */
export function repliesChannel(subject: string, instance: string): string {
  return fitting(streamChannel(subject), REPLIES + instancePart(instance));
}

/** What the names of all channels with replies to one subject begin with. */
export function repliesPrefix(subject: string): string {
  const stream = streamChannel(subject);
  return stream.length <= READABLE_LENGTH ? stream + REPLIES : shortened(stream) + REPLIES;
}

/** Whether a channel may be one of requests or replies. */
export function isCallChannel(channel: string): boolean {
  return channel.endsWith(REQUESTS) || channel.includes(REPLIES);
}

/** Names of subjects that leave no room for what follows are shortened, the same everywhere. */
function fitting(stream: string, ending: string): string {
  return (stream.length <= READABLE_LENGTH ? stream : shortened(stream)) + ending;
}

/** An instance's name as a part of a channel's name. */
function instancePart(instance: string): string {
  const max = CHANNEL_LENGTH_MAX - READABLE_LENGTH - HASH_LENGTH - 1 - REPLIES.length;
  if (isValidName(instance) && instance.length <= max && !isDeadLetterChannel(instance)) {
    return instance;
  }
  return shortened(instance, 40);
}

function shortened(name: string, length = READABLE_LENGTH): string {
  const readable = name.slice(0, length).replaceAll(/[^a-zA-Z0-9_-]/g, "_");
  const hash = createHash("sha256").update(name).digest("hex").slice(0, HASH_LENGTH);
  return `${readable}.${hash}`;
}
