import { quote } from "../base/mod.ts";
import { formatTime } from "./time.ts";
import type { Credentials } from "./load.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * What there is to say about certificates that have expired or soon will.
 *
 * @param credentials The loaded certificates.
 * @param warnDays How many days before the end to begin; 0 speaks of expired ones only.
 * @param now Wall time in milliseconds since 1970.
 * @returns A sentence for the instance's certificate and one for its CA's, as far as they apply.
 */
export function expiryWarnings(
  credentials: Credentials,
  warnDays: number,
  now: number,
): string[] {
  const { commonName, notAfter, caNotAfter, paths } = credentials;
  const warnings: string[] = [];
  const own = ending(notAfter, warnDays, now);
  if (own !== undefined) {
    warnings.push(
      `The certificate of ${quote(commonName)} (${paths.cert}) ${own}: ` +
        'make a new one with "keyop-messenger keygen instance"',
    );
  }
  const ca = ending(caNotAfter, warnDays, now);
  if (ca !== undefined) {
    warnings.push(
      `The CA certificate (${paths.ca}) ${ca}: make a new one with "keyop-messenger keygen ca" ` +
        "and with it new certificates for all instances",
    );
  }
  return warnings;
}

function ending(notAfter: Date, warnDays: number, now: number): string | undefined {
  const leftMs = notAfter.getTime() - now;
  if (leftMs <= 0) return `expired on ${formatTime(notAfter)}`;
  if (leftMs > warnDays * DAY_MS) return undefined;
  return `expires in ${formatSpan(leftMs)}, on ${formatTime(notAfter)}`;
}

function formatSpan(spanMs: number): string {
  if (spanMs < HOUR_MS) return "less than an hour";
  const [count, unit] = spanMs < 2 * DAY_MS
    ? [Math.floor(spanMs / HOUR_MS), "hour"]
    : [Math.floor(spanMs / DAY_MS), "day"];
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}
