import { assertEquals, assertGreater, assertLessOrEqual, assertThrows } from "@std/assert";
import fc from "fast-check";
import { Backoff, formatAddress, isLoopback, parseAddress } from "../../src/base/mod.ts";
import {
  encodeName,
  federationLimits,
  hubCursorName,
  peerCursorName,
  retryAfter,
  ThrottledLog,
} from "../../src/federation/mod.ts";
import { PeerPolicy } from "../../src/federation/peer_policy.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { RecordingLogger } from "../helpers/recording_logger.ts";

Deno.test("cursors are named as the document says", () => {
  assertEquals(peerCursorName("kitchen-1.home"), "fed-kitchen-1.home");
  assertEquals(hubCursorName("127.0.0.1:7443"), "fedout-127.0.0.1%3A7443");
  assertEquals(peerCursorName("../ü"), "fed-..%2F%C3%BC");
});

Deno.test("any name is encoded for a file, and no two to the same", () => {
  fc.assert(fc.property(fc.string({ maxLength: 400 }), fc.string({ maxLength: 400 }), (a, b) => {
    const [encodedA, encodedB] = [encodeName(a), encodeName(b)];
    assertEquals(/^[a-zA-Z0-9._%-]*$/.test(encodedA), true);
    assertLessOrEqual(encodedA.length, 200);
    // Lone surrogates are one and the same to UTF-8.
    if (a.isWellFormed() && b.isWellFormed()) assertEquals(encodedA === encodedB, a === b);
  }));
  const long = "x".repeat(300);
  assertEquals(encodeName(long) === encodeName(long + "y"), false);
});

Deno.test("waits double up to the longest, with jitter on both sides", () => {
  for (const [random, share] of [[0, 0.8], [0.5, 1], [0.999_999_999, 1.2]] as const) {
    const backoff = new Backoff({}, { next: () => random, fill() {} });
    const waits = Array.from({ length: 9 }, () => Math.round(backoff.next() / share));
    assertEquals(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    for (let n = 0; n < 2_000; n++) backoff.next();
    assertEquals(Math.round(backoff.next() / share), 60_000);
    assertEquals(Math.round(backoff.longest() / share), 60_000);
    backoff.reset();
    assertEquals(Math.round(backoff.next() / share), 500);
  }
});

Deno.test("waits that make no sense are refused", () => {
  const random = { next: () => 0, fill() {} };
  for (const options of [{ baseMs: 0 }, { baseMs: NaN }, { maxMs: 1 }, { jitter: 2 }]) {
    assertThrows(() => new Backoff(options, random), RangeError);
  }
});

Deno.test("limits that make no sense are refused by name", () => {
  assertEquals(federationLimits({ window: 3 }).window, 3);
  assertThrows(() => federationLimits({ window: 0 }), RangeError, "window");
  assertThrows(() => federationLimits({ maxBatchBytes: 1.5 }), RangeError, "maxBatchBytes");
  assertThrows(() => federationLimits({ maxRecordBytes: 2 ** 40 }), RangeError, "maxRecordBytes");
});

Deno.test("addresses are read and written", () => {
  assertEquals(parseAddress("127.0.0.1:80"), { host: "127.0.0.1", port: 80 });
  assertEquals(parseAddress("[::1]:0"), { host: "::1", port: 0 });
  assertEquals(parseAddress(":7443"), { host: "", port: 7443 });
  for (const wrong of ["", "host", "host:", "::1:80", "host:65536", "host:-1", "a/b:1", "[x:1"]) {
    assertEquals(parseAddress(wrong), undefined, wrong);
  }
  assertEquals(formatAddress({ host: "::1", port: 1 }), "[::1]:1");
  assertEquals(["localhost", "127.9.9.9", "::1"].every(isLoopback), true);
  assertEquals(["", "0.0.0.0", "::", "127.0.0.1.evil.test", "10.0.0.1"].some(isLoopback), false);
});

Deno.test("after a refusal a client waits long, after a break it does not", () => {
  assertEquals([4400, 4403, 4409].map(retryAfter), ["slow", "slow", "slow"]);
  assertEquals([1000, 1001, 1006, 1011, 1013].map(retryAfter), Array(5).fill("backoff"));
});

Deno.test("empty lists of a policy allow everything, except sending dead letters", () => {
  const policy = new PeerPolicy([
    { name: "all", subscribe: [], publish: [] },
    { name: "some", subscribe: ["a"], publish: ["b", "b.dead-letter"] },
  ]);
  const all = policy.rule("all")!;
  const some = policy.rule("some")!;
  assertEquals([all.maySubscribe("x"), all.mayPublish("x")], [true, true]);
  assertEquals([all.maySubscribe("x.dead-letter"), all.mayPublish("x.dead-letter")], [true, false]);
  assertEquals(["a", "b"].map((channel) => some.maySubscribe(channel)), [true, false]);
  assertEquals(["a", "b", "b.dead-letter"].map((channel) => some.mayPublish(channel)), [
    false,
    true,
    true,
  ]);
  assertEquals(policy.rule("nobody"), undefined);
});

Deno.test("what repeats is logged once in 10 s, with the number left out", async () => {
  const clock = new FakeClock();
  const logger = new RecordingLogger();
  const log = new ThrottledLog(logger, clock);
  for (let n = 0; n < 5; n++) log.warn("a", "happens", { n });
  log.warn("b", "happens too", {});
  assertEquals(logger.lines.length, 2);
  await clock.advance(10_000);
  log.warn("a", "happens", { n: 5 });
  assertEquals(logger.lines[2]!.fields, { n: 5, not_logged: 4 });
  for (let n = 0; n < 5_000; n++) log.warn(`kind ${n}`, "each of its own kind", {});
  assertGreater(logger.lines.length, 5_000);
});
