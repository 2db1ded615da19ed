import { Buffer } from "node:buffer";

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** Bytes as base64 with padding. */
export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

/** The bytes in base64; undefined when the text is none. */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 === 1 || !BASE64.test(text)) return undefined;
  const decoded = Buffer.from(text, "base64");
  // A small buffer is a part of one that others have parts of.
  return new Uint8Array(decoded);
}
