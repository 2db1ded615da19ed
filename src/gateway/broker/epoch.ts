/** A name for one life of a history. */
export function newEpoch(): string {
  return crypto.randomUUID().slice(0, 18).replaceAll("-", "");
}
