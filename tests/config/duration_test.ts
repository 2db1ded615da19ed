import { assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { parseDuration } from "../../src/config/mod.ts";

const HOUR = 3_600_000;

const VALID: readonly (readonly [text: string, ms: number])[] = [
  ["0", 0],
  ["0s", 0],
  ["168h", 168 * HOUR],
  ["1h30m", 1.5 * HOUR],
  ["250ms", 250],
  ["1.5h", 1.5 * HOUR],
  [".5s", 500],
  ["2.s", 2000],
  ["+3m", 180_000],
  ["7d", 7 * 24 * HOUR],
  ["2w", 14 * 24 * HOUR],
  ["1d12h", 36 * HOUR],
  ["1500us", 2],
  ["1500µs", 2],
  ["1500μs", 2],
  ["1ns", 1],
  ["2.3h", 8_280_000],
];

for (const [text, ms] of VALID) {
  Deno.test(`the duration ${text} is ${ms} milliseconds`, () => {
    assertEquals(parseDuration(text), ms);
  });
}

for (const text of ["", " ", "5", "h", "1x", "1 h", "-1h", "1h-30m", "1e3s", "1H", ".s", "00"]) {
  Deno.test(`${JSON.stringify(text)} is refused as a duration, with an example of one`, () => {
    assertThrows(() => parseDuration(text), RangeError, 'write it as in "168h"');
  });
}

Deno.test("a duration beyond 292 years is refused", () => {
  assertThrows(() => parseDuration("2562048h"), RangeError, "longer than 292 years");
  assertThrows(() => parseDuration(`${"9".repeat(90)}w`), RangeError, "longer than 292 years");
});

Deno.test("a duration of many characters is refused without being matched", () => {
  assertThrows(() => parseDuration("1".repeat(100_000)), RangeError, "is no duration");
});

Deno.test("whole hours, minutes and milliseconds add up, in whatever amounts", () => {
  fc.assert(fc.property(fc.nat(9999), fc.nat(9999), fc.nat(9999), (h, m, ms) => {
    assertEquals(parseDuration(`${h}h${m}m${ms}ms`), h * HOUR + m * 60_000 + ms);
  }));
});
