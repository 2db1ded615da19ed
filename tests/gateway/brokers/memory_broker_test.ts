import { assert, assertEquals, assertLess, assertThrows } from "@std/assert";
import { MemoryBroker } from "../../../src/gateway/broker/mod.ts";
import { makeEvent, makeJsonEvent } from "../../../src/gateway/event.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import { RecordingEvents } from "./recording_events.ts";
import { testBroker } from "./suite.ts";

testBroker({
  name: "memory",
  can: { dense: true, anyName: true, shared: false, durable: false },
  bed: () => Promise.resolve({ make: () => new MemoryBroker(), async [Symbol.asyncDispose]() {} }),
});

const HOUR_MS = 3_600_000;
const offsets = ({ publications }: { publications: readonly { offset: number }[] }) =>
  publications.map(({ offset }) => offset);

Deno.test("the memory broker keeps the newest 256 publications of a channel", async () => {
  await using broker = new MemoryBroker();
  await broker.start(new RecordingEvents());
  for (let n = 1; n <= 300; n++) await broker.publish("a", makeJsonEvent(n));
  const { epoch } = await broker.position("a");
  const all = await broker.history("a", { limit: -1 });
  assertEquals([all.publications.length, offsets(all)[0], all.gap], [256, 45, false]);
  const lost = await broker.history("a", { since: { offset: 43, epoch }, limit: 2 });
  assertEquals([lost.gap, offsets(lost)], [true, [45, 46]]);
  const whole = await broker.history("a", { since: { offset: 44, epoch }, limit: 2 });
  assertEquals([whole.gap, offsets(whole)], [false, [45, 46]]);
  const back = await broker.history("a", { since: { offset: 46, epoch }, limit: 9, reverse: true });
  assertEquals([back.gap, offsets(back)], [false, [45]]);
});

Deno.test("the memory broker delivers before publish settles", async () => {
  await using broker = new MemoryBroker();
  const events = new RecordingEvents();
  await broker.start(events);
  const publishing = broker.publish("a", makeJsonEvent(1));
  assertEquals(events.publications.length, 1);
  await publishing;
});

Deno.test("the memory broker forgets publications after their time, not their count", async () => {
  const clock = new FakeClock();
  await using broker = new MemoryBroker({ historyTtlMs: 24 * HOUR_MS, clock });
  await broker.start(new RecordingEvents());
  await broker.subscribe("held");
  for (const channel of ["held", "idle"]) await broker.publish(channel, makeJsonEvent(1));
  await clock.advance(23 * HOUR_MS);
  await broker.publish("held", makeJsonEvent(2));
  const { position } = await broker.publish("held", makeJsonEvent(3));
  await clock.advance(2 * HOUR_MS);
  assertEquals(offsets(await broker.history("held", { limit: -1 })), [2, 3]);
  assertEquals(await broker.channels(), ["held"]);
  await clock.advance(40 * HOUR_MS);
  assertEquals(offsets(await broker.history("held", { limit: -1 })), []);
  assertEquals(await broker.position("held"), position);
  const { gap } = await broker.history("held", { since: { ...position, offset: 2 }, limit: -1 });
  assertEquals(gap, true);
});

Deno.test("the memory broker keeps to its bytes, the channel published to last losing its own last", async () => {
  await using broker = new MemoryBroker({ historyBytesMax: 1_000_000, channelsMax: 50 });
  await broker.start(new RecordingEvents());
  await broker.subscribe("held");
  await broker.publish("held", makeJsonEvent(1));
  const data = new Uint8Array(10_000);
  for (let n = 0; n < 1_000; n++) await broker.publish(`c${n % 200}`, makeEvent({ data }));
  const channels = await broker.channels();
  assertLess(channels.length, 52);
  assert(channels.includes("held"), "what is subscribed to is not forgotten");
  let kept = 0;
  for (const channel of channels) {
    for (const { event } of (await broker.history(channel, { limit: -1 })).publications) {
      kept += event.data.length;
    }
  }
  assertLess(kept, 1_000_000);
  assertEquals(offsets(await broker.history("c199", { limit: -1 })).length, 1);

  for (let n = 0; n < 200; n++) await broker.publish("one", makeEvent({ data }));
  const { publications } = await broker.history("one", { limit: -1 });
  assertEquals(publications.at(-1)!.offset, 200);
  assertLess(publications.length, 100);
  assert(publications.length > 50, `${publications.length} of one channel are kept`);
});

Deno.test("the memory broker refuses bounds that are none", () => {
  for (const historySize of [-1, 1.5, NaN]) {
    assertThrows(() => new MemoryBroker({ historySize }), RangeError, "historySize");
  }
});

Deno.test("the memory broker with a history of 0 counts and keeps nothing", async () => {
  await using broker = new MemoryBroker({ historySize: 0 });
  await broker.start(new RecordingEvents());
  for (let n = 1; n <= 3; n++) {
    assertEquals((await broker.publish("a", makeJsonEvent(n))).position.offset, n);
  }
  const page = await broker.history("a", { limit: -1 });
  assertEquals([page.publications, page.top.offset, page.more], [[], 3, false]);
  const { epoch } = page.top;
  assertEquals((await broker.history("a", { since: { offset: 2, epoch }, limit: -1 })).gap, true);
  assertEquals((await broker.history("a", { since: { offset: 3, epoch }, limit: -1 })).gap, false);
});
