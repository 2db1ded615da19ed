/** Where things are below a data directory. */
export const layout = {
  channels: (dataDir: string): string => `${dataDir}/channels`,
  channel: (dataDir: string, channel: string): string => `${dataDir}/channels/${channel}`,
  subscribers: (dataDir: string): string => `${dataDir}/subscribers`,
  cursors: (dataDir: string, channel: string): string => `${dataDir}/subscribers/${channel}`,
  audit: (dataDir: string): string => `${dataDir}/audit`,
  lock: (dataDir: string): string => `${dataDir}/.lock`,
};

/** Ending of a cursor's file. */
export const CURSOR_SUFFIX = ".offset";

const SEGMENT = /^(\d{20})\.jsonl$/;

/** A segment's file name: the global offset of its first byte, in 20 digits. */
export function segmentName(start: number): string {
  return `${String(start).padStart(20, "0")}.jsonl`;
}

/** The offset in a segment's file name; undefined for any other name. */
export function segmentStart(name: string): number | undefined {
  const digits = SEGMENT.exec(name)?.[1];
  if (digits === undefined) return undefined;
  const start = Number(digits);
  return Number.isSafeInteger(start) ? start : undefined;
}
