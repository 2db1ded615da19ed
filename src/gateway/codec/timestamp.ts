import type { Timestamp } from "@bufbuild/protobuf/wkt";

/** 0001-01-01T00:00:00Z, the first that RFC 3339 and protobuf share. */
const SECONDS_MIN = -62_135_596_800;
/** 9999-12-31T23:59:59Z, the last one. */
const SECONDS_MAX = 253_402_300_799;
const RFC_3339 = /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)$/;

/** RFC 3339 with `Z` and 0, 3, 6 or 9 digits; undefined for a time that this cannot say. */
export function rfc3339(seconds: number, nanos: number): string | undefined {
  if (!(seconds >= SECONDS_MIN && seconds <= SECONDS_MAX)) return undefined;
  if (!(nanos >= 0 && nanos <= 999_999_999)) return undefined;
  const whole = new Date(seconds * 1000).toISOString().slice(0, 19);
  if (nanos === 0) return `${whole}Z`;
  const digits = String(nanos).padStart(9, "0");
  return `${whole}.${digits.replace(/(?:000){1,2}$/, "")}Z`;
}

/** Seconds since 1970 and the nanoseconds behind them; undefined for what is no RFC 3339 time. */
export function parseRfc3339(text: string): { seconds: number; nanos: number } | undefined {
  const found = RFC_3339.exec(text);
  if (found === null) return undefined;
  const ms = Date.parse(`${found[1]}T${found[2]}${found[4]!.toUpperCase()}`);
  if (Number.isNaN(ms)) return undefined;
  const seconds = ms / 1000;
  if (seconds < SECONDS_MIN || seconds > SECONDS_MAX) return undefined;
  return { seconds, nanos: Number((found[3] ?? "").padEnd(9, "0")) };
}

/** The text of a protobuf timestamp; undefined for one out of range. */
export function textOfTimestamp({ seconds, nanos }: Timestamp): string | undefined {
  return rfc3339(Number(seconds), nanos);
}
