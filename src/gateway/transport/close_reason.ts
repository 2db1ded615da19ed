const REASON_BYTES_MAX = 123;
const encoder = new TextEncoder();

/** As much of a reason as a close frame holds, cut between characters. */
export function closeReason(reason: string): string {
  const whole = reason.toWellFormed();
  const { read } = encoder.encodeInto(whole, new Uint8Array(REASON_BYTES_MAX));
  return whole.slice(0, read);
}
