import { assertEquals } from "@std/assert";
import { expiryWarnings, loadCredentials } from "../../src/tls/mod.ts";
import { DAY_MS, filesOf, makePki, ManualClock, PATHS } from "./helpers.ts";

const clock = new ManualClock();
const pki = await makePki("kitchen", { days: 100, caDays: 120, clock });
const credentials = await loadCredentials(PATHS, { ...filesOf(pki), clock });
const end = credentials.notAfter.getTime();
const caEnd = credentials.caNotAfter.getTime();

const firstWords = (warnDays: number, now: number) =>
  expiryWarnings(credentials, warnDays, now).map((sentence) => sentence.split(": ")[0]);

Deno.test("expiryWarnings() is silent while there is time", () => {
  assertEquals(expiryWarnings(credentials, 30, end - 30 * DAY_MS - 1), []);
  assertEquals(expiryWarnings(credentials, 0, end - 1), []);
});

Deno.test("expiryWarnings() speaks of the certificate, then of the CA too", () => {
  assertEquals(expiryWarnings(credentials, 30, end - 30 * DAY_MS), [
    'The certificate of "kitchen" (pki/i.crt) expires in 30 days, on 2026-04-11T00:00:00Z: ' +
    'make a new one with "keyop-messenger keygen instance"',
  ]);
  assertEquals(firstWords(30, caEnd - 25 * DAY_MS), [
    'The certificate of "kitchen" (pki/i.crt) expires in 5 days, on 2026-04-11T00:00:00Z',
    "The CA certificate (pki/ca.crt) expires in 25 days, on 2026-05-01T00:00:00Z",
  ]);
});

Deno.test("expiryWarnings() counts the last days in hours", () => {
  const ours = (leftMs: number) => firstWords(10, end - leftMs)[0]!.match(/expire[^,]*/)![0];
  assertEquals(ours(2 * DAY_MS), "expires in 2 days");
  assertEquals(ours(2 * DAY_MS - 1), "expires in 47 hours");
  assertEquals(ours(3_600_000), "expires in 1 hour");
  assertEquals(ours(1), "expires in less than an hour");
  assertEquals(ours(0), "expired on 2026-04-11T00:00:00Z");
});

Deno.test("expiryWarnings() speaks of what has expired, whatever the days", () => {
  assertEquals(firstWords(0, caEnd), [
    'The certificate of "kitchen" (pki/i.crt) expired on 2026-04-11T00:00:00Z',
    "The CA certificate (pki/ca.crt) expired on 2026-05-01T00:00:00Z",
  ]);
});
