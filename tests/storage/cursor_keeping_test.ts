import { assert, assertEquals, assertGreater } from "@std/assert";
import type { Position } from "../../src/storage/mod.ts";
import { turn } from "../helpers/fake_clock.ts";
import { Inbox } from "../helpers/inbox.ts";
import { caughtUp, publish, subscribe } from "../helpers/subscribing.ts";
import { TestChannel } from "../helpers/test_channel.ts";

function numbers(count: number, first = 0): number[] {
  return Array.from({ length: count }, (_, n) => first + n);
}

function onDisk(channel: TestChannel): Position {
  return Number(channel.cursorFiles().find(({ name }) => name === "reader.offset")!.text);
}

function cursorWrites(channel: TestChannel): number {
  return channel.files.count("write", "reader.offset");
}

Deno.test("with a flush of 0 the cursor is on disk before the next message is delivered", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, ...numbers(5));
  const inbox = new Inbox();
  const seen: boolean[] = [];
  inbox.react = ({ position }) => void seen.push(onDisk(channel) === position);
  await using subscriber = await subscribe(channel, inbox);
  await caughtUp(channel, subscriber);
  assertEquals(seen, [true, true, true, true, true]);
  assertEquals(onDisk(channel), channel.log.end);
});

Deno.test("with slow syncs, too, the cursor is on disk before the next message is delivered", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, ...numbers(5));
  channel.files.onCall = (call) => call === "sync" && channel.clock.pass(5);
  const inbox = new Inbox();
  let handled = 0;
  inbox.react = ({ position }) => {
    if (handled++ > 0) assertEquals(onDisk(channel), position);
  };
  await using subscriber = await subscribe(channel, inbox);
  await caughtUp(channel, subscriber);
  assertEquals(inbox.calls.length, 5);
  assert(channel.files.calls.some(({ call, aside }) => call === "sync" && aside));
});

Deno.test("with a flush interval the cursor is written at most that often, and on close", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "none" });
  await publish(channel, 0);
  const inbox = new Inbox();
  const subscriber = await subscribe(channel, inbox, { cursorFlushMs: 1_000 });
  channel.files.calls.length = 0;
  for (const n of numbers(10)) {
    await publish(channel, n);
    await channel.clock.advance(250);
  }
  await caughtUp(channel, subscriber);
  assertEquals(cursorWrites(channel), 2);
  await channel.clock.advance(1_000);
  assertEquals([cursorWrites(channel), onDisk(channel)], [3, channel.log.end]);
  await channel.clock.advance(10_000);
  assertEquals(cursorWrites(channel), 3);

  await publish(channel, 11);
  await inbox.until(12);
  await subscriber.close();
  assertEquals([cursorWrites(channel), onDisk(channel)], [4, channel.log.end]);
});

Deno.test("three failed cursor writes in a row pause delivery until one succeeds", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, 0);
  const inbox = new Inbox();
  await using subscriber = await subscribe(channel, inbox);
  await caughtUp(channel, subscriber);
  const end = channel.files.fail("sync", { path: "reader.offset", times: Infinity });
  await publish(channel, ...numbers(10, 1));
  for (const waitMs of [10, 20, 40, 80]) await channel.clock.fire(waitMs);
  assertEquals(inbox.payloads, [0, 1, 2, 3]);
  assertEquals(channel.logger.matching("could not write a cursor").length, 3);
  end();
  await channel.clock.fire(160);
  await inbox.until(11);
  await caughtUp(channel, subscriber);
  assertEquals(inbox.payloads, numbers(11));
  assertEquals(channel.logger.matching("could be written again").length, 1);
  assertEquals(onDisk(channel), channel.log.end);
});

Deno.test("two failed cursor writes do not pause delivery", async () => {
  await using channel = await TestChannel.open();
  const inbox = new Inbox();
  await using subscriber = await subscribe(channel, inbox);
  channel.files.fail("sync", { path: "reader.offset", times: 2 });
  await publish(channel, ...numbers(10));
  await caughtUp(channel, subscriber);
  assertEquals(inbox.payloads, numbers(10));
  assertEquals(onDisk(channel), channel.log.end);
});

Deno.test("with a flush interval failed cursor writes pause delivery as well", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "none" });
  await publish(channel, 0);
  const inbox = new Inbox();
  await using subscriber = await subscribe(channel, inbox, { cursorFlushMs: 500 });
  await caughtUp(channel, subscriber);
  const end = channel.files.fail("sync", { path: "reader.offset", times: Infinity });
  for (const n of numbers(3, 1)) {
    await publish(channel, n);
    await turn();
    await channel.clock.advance(500);
  }
  await publish(channel, 4, 5, 6);
  await inbox.until(5);
  await channel.clock.untilTimer(10);
  assertEquals(inbox.payloads, numbers(5));
  end();
  await channel.clock.advance(10);
  await inbox.until(7);
  await caughtUp(channel, subscriber);
});

Deno.test("with a flush interval a failed cursor write is tried again without another message", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "none" });
  await publish(channel, 0);
  const inbox = new Inbox();
  await using subscriber = await subscribe(channel, inbox, { cursorFlushMs: 500 });
  await caughtUp(channel, subscriber);
  channel.files.fail("write", { path: "reader.offset", times: 2 });
  for (let n = 0; n < 3; n++) await channel.clock.advance(500);
  assertEquals(onDisk(channel), channel.log.end);
});

Deno.test("a closed subscriber whose cursor cannot be written says so and closes", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, 0);
  const inbox = new Inbox();
  const subscriber = await subscribe(channel, inbox, { cursorFlushMs: 500 });
  await caughtUp(channel, subscriber);
  channel.files.fail("sync", { path: "reader.offset" });
  await subscriber.close();
  assertEquals(channel.logger.matching("before closing: messages may come again").length, 1);
});

Deno.test("closing during a pause for a cursor that cannot be written does not hang", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "none" });
  const inbox = new Inbox();
  const subscriber = await subscribe(channel, inbox);
  channel.files.fail("sync", { path: "reader.offset", times: Infinity });
  await publish(channel, ...numbers(10));
  await channel.clock.untilTimer(10);
  await subscriber.close();
  assertEquals(inbox.payloads, [0, 1, 2]);
  assertEquals(channel.clock.running.filter((ms) => ms < 1_000), []);
});

Deno.test("closing waits for the running handler and keeps what it handled", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, 0, 1);
  const inbox = new Inbox();
  const done = Promise.withResolvers<void>();
  inbox.react = () => done.promise;
  const subscriber = await subscribe(channel, inbox);
  const closed = subscriber.close();
  let settled = false;
  void closed.then(() => settled = true);
  await turn();
  assertEquals(settled, false);
  done.resolve();
  await closed;
  assertEquals(inbox.payloads, [0]);
  assertEquals(onDisk(channel), subscriber.position);
  assertGreater(subscriber.position, 0);
});

Deno.test("closing aborts the handler's signal", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, 0);
  const inbox = new Inbox();
  inbox.react = (_message, { signal }) =>
    new Promise((resolve) => signal.addEventListener("abort", () => resolve()));
  const subscriber = await subscribe(channel, inbox);
  await subscriber.close();
  assertEquals(onDisk(channel), channel.log.end);
});

Deno.test("closing during a retry leaves the cursor: the message comes again", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "none" });
  await publish(channel, 0, 1, 2);
  const inbox = new Inbox();
  inbox.react = ({ payload }) => {
    if (payload === 1) throw new Error("not now");
  };
  const subscriber = await subscribe(channel, inbox);
  await channel.clock.fire(100);
  await channel.clock.untilTimer(200);
  const { position } = inbox.calls.at(-1)!;
  await subscriber.close();
  assertEquals([subscriber.position, onDisk(channel)], [position, position]);
  assertEquals(channel.clock.running.filter((ms) => ms < 10_000), []);

  const again = new Inbox();
  await using next = await subscribe(channel, again);
  await caughtUp(channel, next);
  assertEquals(again.calls.map(({ payload, attempt }) => [payload, attempt]), [[1, 1], [2, 1]]);
});

Deno.test("a handler that does not finish in five seconds is given up, and its message comes again", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, 0, 1);
  const inbox = new Inbox();
  const stuck = Promise.withResolvers<void>();
  inbox.react = () => stuck.promise;
  const subscriber = await subscribe(channel, inbox);
  const closed = subscriber.close();
  await channel.clock.fire(5_000);
  await closed;

  const again = new Inbox();
  const next = await subscribe(channel, again);
  await caughtUp(channel, next);
  assertEquals(again.payloads, [0, 1]);
  await next.close();
  const end = onDisk(channel);
  assertEquals(end, channel.log.end);
  channel.files.calls.length = 0;
  stuck.resolve();
  await turn();
  assertEquals(
    [onDisk(channel), cursorWrites(channel)],
    [end, 0],
    "a late handler moved the cursor",
  );
});

Deno.test("a handler that fails after its subscriber was given up is not dead-lettered", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, 0);
  const inbox = new Inbox();
  const stuck = Promise.withResolvers<void>();
  inbox.react = () => stuck.promise;
  const subscriber = await subscribe(channel, inbox, { maxRetries: 0 });
  const closed = subscriber.close();
  await channel.clock.fire(5_000);
  await closed;
  stuck.reject(new Error("too late"));
  await turn();
  assertEquals(channel.logs.names(), ["readings"]);
  assertEquals(onDisk(channel), 0);
});

Deno.test("closing twice is closing once", async () => {
  await using channel = await TestChannel.open();
  const subscriber = await subscribe(channel, new Inbox());
  await Promise.all([subscriber.close(), subscriber.close()]);
  await subscriber.close();
});

Deno.test("a subscriber that is closed while it waits gets nothing more", async () => {
  await using channel = await TestChannel.open();
  const inbox = new Inbox();
  const subscriber = await subscribe(channel, inbox);
  await turn();
  await subscriber.close();
  await publish(channel, 1);
  await turn();
  assertEquals(inbox.payloads, []);
});
