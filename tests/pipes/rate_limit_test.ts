import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import { RetryLater } from "@keyop/messenger";
import { InvalidConfigError, rateLimit, RateLimitedError } from "@keyop/messenger/pipes";
import { FakeClock, turn } from "../helpers/fake_clock.ts";
import { TestHost } from "../helpers/pipe_host.ts";

Deno.test("a burst passes at once, the rest at the rate and in order", async () => {
  const clock = new FakeClock();
  const pipe = rateLimit({ perSecond: 10, burst: 3, clock });
  const end = new TestHost([pipe]);
  const sending = [1, 2, 3, 4, 5, 6].map((n) => end.send(n));
  await turn();
  assertEquals(end.sent.map(({ value }) => value), [1, 2, 3]);
  assertEquals(pipe.stats(), { passed: 3, delayed: 3, refused: 0, waiting: 3 });
  for (const n of [4, 5, 6]) {
    await clock.advance(99);
    assertEquals(end.sent.at(-1)!.value, n - 1);
    await clock.advance(1);
    assertEquals(end.sent.at(-1)!.value, n);
  }
  await Promise.all(sending);
  assertEquals(pipe.stats().waiting, 0);
});

Deno.test("in no stretch of time pass more than the burst and the rate allow", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 50 }),
      fc.integer({ min: 1, max: 10 }),
      fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 5, maxLength: 60 }),
      async (perSecond, burst, pauses) => {
        const clock = new FakeClock();
        const end = new TestHost([rateLimit({ perSecond, burst, beyond: "fail", clock })]);
        const times: number[] = [];
        end.onSend = () => void times.push(clock.monotonic());
        for (const pause of pauses) {
          clock.pass(pause);
          await end.send(1).catch(() => {});
        }
        for (let first = 0; first < times.length; first++) {
          for (let last = first; last < times.length; last++) {
            const allowed = burst + (times[last]! - times[first]!) * perSecond / 1_000;
            assert(last - first + 1 <= allowed + 1e-6);
          }
        }
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("what may not wait fails with the time until the next may pass", async () => {
  const clock = new FakeClock();
  const pipe = rateLimit({ perSecond: 4, burst: 1, beyond: "fail", way: "both", clock });
  const end = new TestHost([pipe]);
  await end.send(1);
  clock.pass(50);
  const error = await assertRejects(() => end.send(2), RateLimitedError);
  assertEquals([error.code, error.retryAfterMs], ["rate_limited", 200]);
  // A broker's connection hears of it; a messenger's subscriber holds the message.
  await assertRejects(() => end.receive({ value: 2 }), RateLimitedError);
  const held = await assertRejects(() => end.receive({ value: 2, channel: "c" }), RetryLater);
  assertEquals(held.delayMs, 200);
  clock.pass(200);
  await end.receive({ value: 2 });
  assertEquals(pipe.stats(), { passed: 2, delayed: 0, refused: 3, waiting: 0 });
});

Deno.test("only so many wait, and one that gives up leaves its turn to the next", async () => {
  const clock = new FakeClock();
  const end = new TestHost([rateLimit({ perSecond: 1, burst: 1, maxWaiting: 2, clock })]);
  await end.send(1);
  const giving = new AbortController();
  const first = end.send(2, { signal: giving.signal });
  const second = end.send(3);
  await turn();
  await assertRejects(() => end.send(4), RateLimitedError);
  giving.abort(new Error("enough"));
  await assertRejects(() => first, Error, "enough");
  await clock.advance(2_000);
  await second;
  assertEquals(end.sent.map(({ value }) => value), [1, 3]);
  await clock.advance(1_000);
  await end.send(5);
});

Deno.test("each key has a rate of its own; those beyond the bound share one until others rest", async () => {
  const clock = new FakeClock();
  const pipe = rateLimit({
    perSecond: 1,
    burst: 1,
    beyond: "fail",
    by: ({ type }) => type,
    maxKeys: 2,
    clock,
  });
  const end = new TestHost([pipe]);
  const send = (type: string) => end.send(1, { type }).then(() => true, () => false);
  assertEquals(await Promise.all(["a", "a", "b", "b", "c", "d"].map(send)), [
    true,
    false,
    true,
    false,
    true,
    false,
  ]);
  clock.pass(1_000);
  // The keys a and b have rested: c and d take their places.
  assertEquals(await Promise.all(["c", "d", "c", "d"].map(send)), [true, true, false, false]);
});

Deno.test("rateLimit minds the way that it was told, and refuses options out of range", async () => {
  const end = new TestHost([rateLimit({ perSecond: 1, way: "handle", beyond: "fail" })]);
  for (const n of [1, 2, 3]) await end.send(n);
  assertEquals(end.sent.length, 3);
  for (
    const options of [
      { perSecond: 0 },
      { perSecond: NaN },
      { perSecond: 1, burst: 0.5 },
      { perSecond: 1, maxWaiting: 0 },
      { perSecond: 1, maxKeys: 1.5 },
      { perSecond: 1, way: "up" as never },
      { perSecond: 1, beyond: "drop" as never },
    ]
  ) assertThrows(() => rateLimit(options), InvalidConfigError, "rateLimit");
});
