/** WebSocket close codes that the broker uses. */
export const CloseCode = {
  /** A client has finished. */
  normal: 1000,
  /** A server closes. */
  goingAway: 1001,
  /** A message shorter than its code, or frames that are none. */
  badProtocol: 1002,
  /** A text message, or a code that no type has. */
  unsupported: 1003,
  /** The connection broke without a word; never sent. */
  abnormal: 1006,
  /** A message that is not of its encoding. */
  badPayload: 1007,
  /** A message that is longer than `maxMessageSize`. */
  tooBig: 1009,
  /** The peer does not keep up. */
  tooSlow: 1013,
} as const;
