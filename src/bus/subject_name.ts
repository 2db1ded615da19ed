import { InvalidSubjectError } from "./errors.ts";

const SUBJECT = /^[a-zA-Z0-9._-]{1,255}$/;

/**
 * Throws unless the text may name a subject.
 *
 * @param subject The text.
 * @throws {InvalidSubjectError} When it is not 1 to 255 characters of `[a-zA-Z0-9._-]`.
 */
export function validateSubject(subject: string): void {
  if (typeof subject !== "string" || !SUBJECT.test(subject)) throw new InvalidSubjectError(subject);
}
