import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { InvalidConfigError, metrics } from "@keyop/messenger/pipes";
import { FakeClock } from "../helpers/fake_clock.ts";
import { TestHost } from "../helpers/pipe_host.ts";

Deno.test("metrics counts and measures by way, type and channel", async () => {
  const clock = new FakeClock();
  const pipe = metrics({ clock });
  const end = new TestHost([pipe], { channel: "readings" });
  let takes = 3;
  end.onSend = () => clock.pass(takes);
  await end.send(1);
  takes = 30;
  await end.send(2);
  end.onHandle = () => {
    assertEquals(pipe.stats()[1]!.inFlight, 1);
    throw new Error("no");
  };
  await assertRejects(() => end.receive({ value: 1, type: "Order" }));
  const [sent, handled] = pipe.stats();
  const { atMostMs, ...counts } = sent!;
  assertEquals(counts, {
    way: "send",
    type: "Text",
    channel: "readings",
    passed: 2,
    failed: 0,
    inFlight: 0,
    totalMs: 33,
    maxMs: 30,
  });
  assertEquals([1, 5, 25, 50, 10_000].map((bound) => atMostMs.get(bound)), [0, 1, 1, 2, 2]);
  assertEquals([handled!.way, handled!.type, handled!.failed, handled!.inFlight], [
    "handle",
    "Order",
    1,
    0,
  ]);
});

Deno.test("metrics writes what Prometheus reads, whatever a type is called", async () => {
  const clock = new FakeClock();
  const pipe = metrics({ clock });
  const end = new TestHost([pipe]);
  end.onSend = () => clock.pass(7);
  await end.send(1, { type: 'quo"te\\\n' });
  const lines = pipe.prometheus().split("\n");
  const labels = 'way="send",type="quo\\"te\\\\\\n",channel=""';
  for (
    const line of [
      "# TYPE keyop_pipe_seconds histogram",
      `keyop_pipe_failed_total{${labels}} 0`,
      `keyop_pipe_in_flight{${labels}} 0`,
      `keyop_pipe_seconds_bucket{${labels},le="0.005"} 0`,
      `keyop_pipe_seconds_bucket{${labels},le="0.01"} 1`,
      `keyop_pipe_seconds_bucket{${labels},le="+Inf"} 1`,
      `keyop_pipe_seconds_sum{${labels}} 0.007`,
      `keyop_pipe_seconds_count{${labels}} 1`,
    ]
  ) assert(lines.includes(line), line);
  assertEquals(lines.at(-1), "");
  assert(metrics().prometheus("mine").startsWith("# HELP mine_failed_total"));
});

Deno.test("metrics tells only so many types apart", async () => {
  const pipe = metrics({ maxSeries: 2 });
  const end = new TestHost([pipe]);
  for (let n = 0; n < 100; n++) await end.send(1, { type: `type-${n}` });
  assertEquals(pipe.stats().map(({ type, passed }) => [type, passed]), [
    ["type-0", 1],
    ["type-1", 1],
    ["other", 98],
  ]);
  const long = metrics();
  await new TestHost([long]).send(1, { type: "x".repeat(1_000_000) });
  assertEquals(long.stats()[0]!.type, "x".repeat(255));
  for (const maxSeries of [0, 1.5, 1e6]) {
    assertThrows(() => metrics({ maxSeries }), InvalidConfigError);
  }
});
