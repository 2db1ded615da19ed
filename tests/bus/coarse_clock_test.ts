import { assertEquals } from "@std/assert";
import { CoarseClock } from "../../src/bus/coarse_clock.ts";
import { FakeClock } from "../helpers/fake_clock.ts";

Deno.test("long waits that end together share a timer, and each is called or cancelled", async () => {
  const fake = new FakeClock();
  const clock = new CoarseClock(fake);
  const called: number[] = [];
  const timers = [0, 1, 2].map((n) => clock.after(10_001 + n, () => called.push(n)));
  assertEquals(fake.started.length, 1);
  timers[1]!.cancel();
  timers[1]!.cancel();
  await fake.advance(10_000);
  assertEquals(called, []);
  await fake.advance(17);
  assertEquals(called, [0, 2]);
  for (const timer of timers) timer.cancel();
});

Deno.test("a timer that nobody needs any more is cancelled, and short waits are exact", async () => {
  const fake = new FakeClock();
  const clock = new CoarseClock(fake);
  const called: string[] = [];
  const timer = clock.after(5_000, () => called.push("cancelled"));
  timer.cancel();
  clock.after(5_000, () => called.push("long"));
  assertEquals(fake.started.length, 2);
  clock.after(1, () => called.push("short"));
  await fake.advance(1);
  assertEquals(called, ["short"]);
  await fake.advance(5_016);
  assertEquals(called, ["short", "long"]);
});
