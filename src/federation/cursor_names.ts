import { createHash } from "node:crypto";

/** What the cursor of a peer that subscribes here begins with. */
export const PEER_CURSOR_PREFIX = "fed-";

/** What the cursor of a hub that is published to begins with. */
export const HUB_CURSOR_PREFIX = "fedout-";

/** With prefix and ending a file's name stays below 255 bytes. */
const ENCODED_LENGTH_MAX = 200;
const HASH_LENGTH = 32;

const encoder = new TextEncoder();

/** Name of the cursor of a peer that subscribes here. */
export function peerCursorName(peerName: string): string {
  return PEER_CURSOR_PREFIX + encodeName(peerName);
}

/** Name of the cursor of a hub that is published to. */
export function hubCursorName(hubAddr: string): string {
  return HUB_CURSOR_PREFIX + encodeName(hubAddr);
}

/**
 * A name as a part of a file's name: `[a-zA-Z0-9._-]` stays, each other byte becomes `%XX`. A name
 * that gets too long is cut and ends in `%%` and a part of its SHA-256.
 *
 * @returns A different text for each name.
 */
export function encodeName(name: string): string {
  let encoded = "";
  for (const byte of encoder.encode(name)) {
    const char = String.fromCharCode(byte);
    encoded += /[a-zA-Z0-9._-]/.test(char)
      ? char
      : "%" + byte.toString(16).toUpperCase().padStart(2, "0");
  }
  if (encoded.length <= ENCODED_LENGTH_MAX) return encoded;
  const hash = createHash("sha256").update(name).digest("hex").slice(0, HASH_LENGTH);
  return `${encoded.slice(0, ENCODED_LENGTH_MAX - HASH_LENGTH - 2)}%%${hash}`;
}
