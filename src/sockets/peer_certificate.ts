import type { TLSSocket } from "node:tls";

// deno-lint-ignore no-control-regex -- they are what is refused
const CONTROL = /[\0-\x1f\x7f]/;
const NAME_LENGTH_MAX = 255;

/**
 * The name that a verified certificate gives its owner.
 *
 * @param socket A connection whose certificate was verified.
 * @returns Its Common Name; undefined when there is none, more than one, or one that is no name.
 */
export function certificateName(socket: Pick<TLSSocket, "getPeerCertificate">): string | undefined {
  return nameOf(socket.getPeerCertificate());
}

/** The Common Name of a certificate as `node:tls` gives it. */
export function nameOf(
  certificate: { readonly subject?: { readonly CN?: unknown } } | undefined,
): string | undefined {
  // Several names come as an array.
  const name = certificate?.subject?.CN;
  if (typeof name !== "string" || name === "" || name.length > NAME_LENGTH_MAX) return undefined;
  return CONTROL.test(name) ? undefined : name;
}
