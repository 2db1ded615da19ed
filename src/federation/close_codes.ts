/** WebSocket close codes that the protocol uses. */
export const CloseCode = {
  /** The link is no longer needed. */
  normal: 1000,
  /** The side that closes goes away, or has waited too long. */
  goingAway: 1001,
  /** The connection broke without a word; never sent. */
  abnormal: 1006,
  /** A record or frame is longer than the receiver takes. */
  tooBig: 1009,
  /** What was received could not be stored; the sender tries again. */
  notStored: 1011,
  /** There is no room for another connection now. */
  tryLater: 1013,
  /** A handshake, frame or acknowledgement that is not of this protocol. */
  badProtocol: 4400,
  /** The peer is not on the allowlist. */
  notAllowed: 4403,
  /** A newer connection of the same name took the place of this one. */
  replaced: 4409,
} as const;

/** How soon a client dials again after its link was closed. */
export type Retry = "backoff" | "slow";

/**
 * Codes after which dialling again soon is of no use: someone has to change a configuration first. As
 * that may happen at any time, the client goes on at its longest wait.
 */
const REFUSALS: ReadonlySet<number> = new Set([
  CloseCode.badProtocol,
  CloseCode.notAllowed,
  CloseCode.replaced,
]);

/** How soon a client dials again after a link was closed with the code. */
export function retryAfter(code: number): Retry {
  return REFUSALS.has(code) ? "slow" : "backoff";
}

/** Whether a hub with this close code refuses the peer as it is. */
export function isRejection(code: number): boolean {
  return code === CloseCode.badProtocol || code === CloseCode.notAllowed;
}
