import {
  InvalidChannelNameError,
  InvalidSubscriberIdError,
  ReservedChannelNameError,
} from "./errors.ts";

const NAME = /^[a-zA-Z0-9._-]{1,255}$/;

/** Ending of the channels that hold what could not be handled. */
export const DEAD_LETTER_SUFFIX = ".dead-letter";

/** Whether a text may name a channel or a subscriber: it becomes a file's name. */
export function isValidName(name: string): boolean {
  return typeof name === "string" && NAME.test(name) && name !== "." && name !== "..";
}

/**
 * Throws unless the text may name a channel.
 *
 * @param name The name to check.
 * @throws {InvalidChannelNameError} When it is not 1 to 255 characters of `[a-zA-Z0-9._-]`, or is `.` or `..`.
 *
 * @example
 * ```ts
 * import { validateChannelName } from "@keyop/messenger";
 *
 * validateChannelName("readings.kitchen");
 * ```
 */
export function validateChannelName(name: string): void {
  if (!isValidName(name)) throw new InvalidChannelNameError(name);
}

/** Throws unless a program may publish to the channel. */
export function validatePublishChannel(name: string): void {
  validateChannelName(name);
  if (isDeadLetterChannel(name)) throw new ReservedChannelNameError(name);
}

/** Throws unless the text may name a subscriber. */
export function validateSubscriberId(id: string): void {
  if (!isValidName(id) || id.startsWith("fed-") || id.startsWith("fedout-")) {
    throw new InvalidSubscriberIdError(id);
  }
}

/** Whether a channel holds what could not be handled on another. */
export function isDeadLetterChannel(name: string): boolean {
  return name.endsWith(DEAD_LETTER_SUFFIX);
}

/** The channel that takes what could not be handled on this one. */
export function deadLetterChannelOf(name: string): string {
  return name + DEAD_LETTER_SUFFIX;
}
