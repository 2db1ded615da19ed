import { MessengerError, quote } from "../../base/mod.ts";

/** Longest name of a channel in bytes of UTF-8; its companion's ending is not counted. */
export const CHANNEL_BYTES_MAX = 255;
/** What the name of the channel with a channel's joins and leaves ends in. */
export const PRESENCE_SUFFIX = "/__presence";

/** A channel or pattern that cannot be used as it was meant to be; a fault of the client. */
export class ChannelRefusedError extends MessengerError {
  /** The name of the class. */
  override readonly name = "ChannelRefusedError";
  /**
   * Makes the error.
   *
   * @param channel The refused name.
   * @param why What is wrong with it, to stand behind "Cannot use … as a channel: ".
   * @param options The error that caused this one.
   */
  constructor(channel: string, why: string, options?: ErrorOptions) {
    super("channel_refused", `Cannot use ${quote(channel)} as a channel: ${why}`, options);
  }
}

/** Whether a channel carries the joins and leaves of another. */
export function isCompanion(channel: string): boolean {
  return channel.endsWith(PRESENCE_SUFFIX);
}

/** The channel with the joins and leaves of a channel. */
export function companionOf(channel: string): string {
  return channel + PRESENCE_SUFFIX;
}

/** A channel, or the one that it is the companion of. */
export function withoutCompanion(channel: string): string {
  return isCompanion(channel) ? channel.slice(0, -PRESENCE_SUFFIX.length) : channel;
}

/** Whether a name matches more than itself: it has a segment `*`, or ends in a segment `**`. */
export function isPattern(name: string): boolean {
  if (!name.includes("*")) return false;
  const base = withoutCompanion(name);
  const segments = base.split(".");
  return segments.includes("*") || segments.at(-1) === "**";
}

/**
 * Throws unless one may subscribe to the name: a channel, a companion, or a pattern of either.
 *
 * @throws {ChannelRefusedError} When it is none.
 */
export function checkSubscription(name: string): void {
  const base = checkName(name);
  if (!base.includes("**")) return;
  const at = base.split(".").indexOf("**");
  if (at >= 0 && at < base.split(".").length - 1) {
    throw new ChannelRefusedError(name, `"**" can only be its last segment`);
  }
}

/**
 * Throws unless the name is that of one channel: for history, presence and publishing.
 *
 * @throws {ChannelRefusedError} When it is none, or a pattern.
 */
export function checkConcrete(name: string): void {
  const base = checkName(name);
  if (!base.includes("*")) return;
  if (base.split(".").some((segment) => segment === "*" || segment === "**")) {
    throw new ChannelRefusedError(name, "it is a pattern, and this takes the name of one channel");
  }
}

/**
 * Throws unless clients may publish to the name.
 *
 * @throws {ChannelRefusedError} When it is no channel, a pattern, or a companion.
 */
export function checkPublish(name: string): void {
  checkConcrete(name);
  if (isCompanion(name)) {
    throw new ChannelRefusedError(name, "the gateway alone publishes who is present");
  }
}

// deno-lint-ignore no-control-regex -- they are what is looked for
const CONTROL = /[\x00-\x1f\x7f-\x9f]/;
const utf8 = new TextEncoder();

function checkName(name: string): string {
  const base = withoutCompanion(name);
  if (base === "") throw new ChannelRefusedError(name, "it is empty");
  if (isCompanion(base)) throw new ChannelRefusedError(name, "a companion has none of its own");
  if (!base.isWellFormed()) throw new ChannelRefusedError(name, "it is half a character somewhere");
  // A UTF-16 unit is at most three bytes, so that most names need no counting.
  if (base.length * 3 > CHANNEL_BYTES_MAX) {
    const bytes = base.length > CHANNEL_BYTES_MAX ? base.length : utf8.encode(base).length;
    if (bytes > CHANNEL_BYTES_MAX) {
      throw new ChannelRefusedError(name, `it is longer than ${CHANNEL_BYTES_MAX} bytes`);
    }
  }
  if (CONTROL.test(base)) throw new ChannelRefusedError(name, "it has a control character in it");
  if (base.includes("..") || base.startsWith(".") || base.endsWith(".")) {
    throw new ChannelRefusedError(name, "it has an empty segment");
  }
  return base;
}
