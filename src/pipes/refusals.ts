import { type EncodingName, subprotocolOf } from "./encoding.ts";

/** Why a request gets no connection. */
export interface Refusal {
  /** HTTP status. */
  readonly status: number;
  /** What to tell the client. */
  readonly reason: string;
}

/** There is no room. */
export const FULL: Refusal = { status: 503, reason: "There is no room for another connection" };

/** The client speaks none of the encodings. */
export function noEncoding(encodings: readonly EncodingName[]): Refusal {
  const names = encodings.map(subprotocolOf).join(", ");
  return { status: 406, reason: `Offer one of these as a WebSocket subprotocol: ${names}` };
}
