import type { EncodingName } from "@keyop/messenger/pipes";

/** An end: a bare `ws` server or client, or a broker. */
export type Kind = "bare" | "broker" | "broker-with-pipes";

/** What a process is told in its arguments. */
export interface EndArgs {
  readonly kind: Kind;
  readonly encoding: EncodingName;
  /** The server's port; for the load alone. */
  readonly port: number;
}

/** Writes them. */
export function toArgs({ kind, encoding, port }: EndArgs): string[] {
  return [kind, encoding, String(port)];
}

/** Reads them. */
export function fromArgs([kind, encoding, port]: readonly string[]): EndArgs {
  return { kind: kind as Kind, encoding: encoding as EncodingName, port: Number(port) };
}
