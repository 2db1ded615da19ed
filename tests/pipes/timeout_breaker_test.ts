import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { RetryLater } from "@keyop/messenger";
import {
  circuitBreaker,
  CircuitOpenError,
  InvalidConfigError,
  PipeTimeoutError,
  timeout,
} from "@keyop/messenger/pipes";
import { FakeClock, turn } from "../helpers/fake_clock.ts";
import { TestHost } from "../helpers/pipe_host.ts";

Deno.test("what takes too long is given up, and what sends is told by its signal", async () => {
  const clock = new FakeClock();
  const end = new TestHost([timeout({ sendMs: 100, handleMs: 200, clock })]);
  let told: AbortSignal | undefined;
  end.onSend = (_message, options) => {
    told = options?.signal;
    return new Promise(() => {});
  };
  end.onHandle = () => new Promise(() => {});
  const sending = assertRejects(
    () => end.send(1),
    PipeTimeoutError,
    'Gave up to send "Text": it has taken more than 100 ms',
  );
  const handling = assertRejects(() => end.receive({ value: 1 }), PipeTimeoutError);
  await turn();
  assertEquals(told!.aborted, false);
  await clock.advance(100);
  assertEquals((await sending).code, "pipe_timeout");
  assert(told!.aborted);
  await clock.advance(100);
  await handling;
});

Deno.test("what is in time passes, fails as it does, and leaves no timer", async () => {
  const clock = new FakeClock();
  const end = new TestHost([timeout({ sendMs: 100, clock })]);
  await end.send(1);
  end.onSend = () => Promise.reject(new Error("no"));
  await assertRejects(() => end.send(2), Error, "no");
  // The other way has no limit.
  await end.receive({ value: 1 });
  assertEquals([clock.running.length, clock.started], [0, [100, 100]]);
  const giving = AbortSignal.abort(new Error("enough"));
  let seen: AbortSignal | undefined;
  end.onSend = (_message, options) => void (seen = options?.signal);
  await end.send(3, { signal: giving });
  assert(seen!.aborted);
});

Deno.test("timeout refuses to have no limit, or one out of range", () => {
  for (const options of [{}, { sendMs: 0 }, { handleMs: NaN }, { handleMs: 2 ** 31 }]) {
    assertThrows(() => timeout(options), InvalidConfigError, "timeout");
  }
});

Deno.test("a breaker opens after failures in a row, tries one after a while, and closes", async () => {
  const clock = new FakeClock();
  const states: string[] = [];
  const pipe = circuitBreaker({
    failures: 2,
    openMs: 1_000,
    onChange: (state) => states.push(state),
    clock,
  });
  const end = new TestHost([pipe]);
  let works = false;
  end.onHandle = () => {
    if (!works) throw new Error("down");
  };
  const receive = () => end.receive({ value: 1 });
  await assertRejects(receive, Error, "down");
  works = true;
  await receive();
  works = false;
  await assertRejects(receive, Error, "down");
  assertEquals(pipe.state, "closed");
  await assertRejects(receive, Error, "down");
  assertEquals(pipe.state, "open");
  const error = await assertRejects(receive, CircuitOpenError);
  assertEquals([error.code, error.retryAfterMs, end.handled.length], ["circuit_open", 1_000, 4]);
  clock.pass(999);
  await assertRejects(receive, CircuitOpenError);
  clock.pass(1);
  await assertRejects(receive, Error, "down");
  assertEquals([pipe.state, end.handled.length], ["open", 5]);
  clock.pass(1_000);
  works = true;
  await receive();
  await receive();
  assertEquals(states, ["open", "half-open", "open", "half-open", "closed"]);
  assertEquals(pipe.stats(), { state: "closed", refused: 2, opened: 2 });
});

Deno.test("a half-open breaker tries one at a time, and closes after enough successes", async () => {
  const clock = new FakeClock();
  const pipe = circuitBreaker({ failures: 1, openMs: 1_000, successes: 2, clock });
  const end = new TestHost([pipe]);
  end.onHandle = () => Promise.reject(new Error("down"));
  await assertRejects(() => end.receive({ value: 1 }), Error, "down");
  clock.pass(1_000);
  const trial = Promise.withResolvers<void>();
  end.onHandle = () => trial.promise;
  const trying = end.receive({ value: 2 });
  await turn();
  const refused = await assertRejects(() => end.receive({ value: 3 }), CircuitOpenError);
  assertEquals([pipe.state, refused.retryAfterMs], ["half-open", 100]);
  trial.resolve();
  await trying;
  assertEquals(pipe.state, "half-open");
  await end.receive({ value: 4 });
  assertEquals(pipe.state, "closed");
});

Deno.test("around a messenger a message that is not tried is held; errors that do not count open nothing", async () => {
  const clock = new FakeClock();
  const pipe = circuitBreaker({
    failures: 1,
    openMs: 1_000,
    counts: (error) => (error as Error).message !== "its own fault",
    clock,
  });
  const end = new TestHost([pipe], { channel: "words" });
  end.onHandle = ({ value }) => Promise.reject(new Error(String(value)));
  for (let n = 0; n < 3; n++) {
    await assertRejects(() => end.receive({ value: "its own fault" }), Error, "its own fault");
  }
  assertEquals(pipe.state, "closed");
  await assertRejects(() => end.receive({ value: "down" }), Error, "down");
  const held = await assertRejects(() => end.receive({ value: 1 }), RetryLater);
  assertEquals(held.delayMs, 1_000);
  assert(held.cause instanceof CircuitOpenError);
  // The other way is not guarded.
  await end.send(1);
});

Deno.test("what began before a breaker opened does not close it", async () => {
  const clock = new FakeClock();
  const pipe = circuitBreaker({ failures: 1, openMs: 1_000, clock });
  const end = new TestHost([pipe]);
  const slow = Promise.withResolvers<void>();
  end.onHandle = ({ value }) => value === "slow" ? slow.promise : Promise.reject(new Error("down"));
  const before = end.receive({ value: "slow" });
  await assertRejects(() => end.receive({ value: "bad" }), Error, "down");
  slow.resolve();
  await before;
  assertEquals(pipe.state, "open");
});

Deno.test("circuitBreaker refuses options out of their range", () => {
  for (
    const options of [
      { failures: 0 },
      { failures: 1.5 },
      { openMs: 0 },
      { successes: 0 },
      { way: "up" as never },
    ]
  ) assertThrows(() => circuitBreaker(options), InvalidConfigError, "circuitBreaker");
});
