import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { StorageError } from "../../src/base/mod.ts";
import { EnvelopeEncoder } from "../../src/envelope/mod.ts";
import { MemoryChannelLog, type Position } from "../../src/storage/mod.ts";
import { turn } from "../helpers/fake_clock.ts";
import { Inbox } from "../helpers/inbox.ts";
import { caughtUp, publish, subscribe } from "../helpers/subscribing.ts";
import { segmentFile, TestChannel } from "../helpers/test_channel.ts";

function numbers(count: number, first = 0): number[] {
  return Array.from({ length: count }, (_, n) => first + n);
}

async function savedPosition(channel: TestChannel): Promise<Position | undefined> {
  return (await channel.log.cursors()).find(({ name }) => name === "reader")?.position;
}

Deno.test("messages come in order, each with what its record says", async () => {
  await using channel = await TestChannel.open();
  const encoder = new EnvelopeEncoder("kitchen", channel.clock);
  const line = encoder.encode("readings", "com.example.Reading", '{"celsius":21}', {
    correlationId: "c-1",
    serviceName: "heating",
  });
  await publish(channel, 0);
  const position = await channel.log.append(line, (at) => at);
  const inbox = new Inbox();
  await using subscriber = await subscribe(channel, inbox);
  await inbox.until(2);
  const message = inbox.calls[1]!;
  assertEquals(message.id, encoder.lastId);
  assertEquals([message.channel, message.origin], ["readings", "kitchen"]);
  assertEquals(message.payloadType, "com.example.Reading");
  assertEquals([message.correlationId, message.serviceName], ["c-1", "heating"]);
  assertEquals(message.payload, { celsius: 21 });
  assertEquals(message.timestamp, new Date(channel.clock.now()));
  assertEquals([message.position, message.attempt], [position, 1]);
  await caughtUp(channel, subscriber);
  assertEquals(subscriber.position, channel.log.end);
});

Deno.test("what is published while a subscriber runs reaches it, over several segments", async () => {
  await using channel = await TestChannel.open({ segmentBytes: 1_000 });
  const inbox = new Inbox();
  await using _subscriber = await subscribe(channel, inbox);
  for (const n of numbers(50)) await publish(channel, n);
  await inbox.until(50);
  assertEquals(inbox.payloads, numbers(50));
});

Deno.test("one message at a time: the next waits until the handler's promise settles", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, 1, 2);
  const inbox = new Inbox();
  const first = Promise.withResolvers<void>();
  inbox.react = ({ payload }) => payload === 1 ? first.promise : undefined;
  await using _subscriber = await subscribe(channel, inbox);
  await turn();
  assertEquals(inbox.payloads, [1]);
  first.resolve();
  await inbox.until(2);
  assertEquals(inbox.payloads, [1, 2]);
});

Deno.test("from says where a subscriber without a cursor begins", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, 0, 1, 2);
  const reader = channel.log.reader(0);
  const { records } = await reader.read(65_536);
  reader.close();
  for (
    const [from, expected] of [["start", [0, 1, 2, 3]], ["end", [3]], [records[2]!.position, [
      2,
      3,
    ]]] as const
  ) {
    const inbox = new Inbox();
    await using _subscriber = await subscribe(channel, inbox, {
      from,
      subscriberId: `from-${from}`,
    });
    if (from === "start") await publish(channel, 3);
    if (from === "end") continue;
    await inbox.until(expected.length);
    assertEquals(inbox.payloads, expected);
  }
});

Deno.test("a subscriber from the end gets what is published next, and its cursor is kept at once", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, 0);
  const inbox = new Inbox();
  await using _subscriber = await subscribe(channel, inbox, { from: "end" });
  assertEquals(await savedPosition(channel), channel.log.end);
  await publish(channel, 1);
  await inbox.until(1);
  assertEquals(inbox.payloads, [1]);
});

Deno.test("a subscriber with a cursor goes on from it, whatever from says", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, 0, 1);
  {
    const inbox = new Inbox();
    await using subscriber = await subscribe(channel, inbox);
    await caughtUp(channel, subscriber);
  }
  await publish(channel, 2);
  await channel.reopen();
  const inbox = new Inbox();
  await using _subscriber = await subscribe(channel, inbox, { from: "start" });
  await inbox.until(1);
  assertEquals(inbox.payloads, [2]);
});

Deno.test("a position beyond the end is refused, naming both", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, 0);
  const from = channel.log.end + 5;
  const error = await assertRejects(() => subscribe(channel, new Inbox(), { from }), StorageError);
  assertStringIncludes(error.message, String(from));
  assertStringIncludes(error.message, String(channel.log.end));
});

Deno.test("a cursor past the end is an error that names both numbers", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, 0);
  await channel.writeCursor("reader", "987654\n");
  const error = await assertRejects(() => subscribe(channel, new Inbox()), StorageError);
  assertStringIncludes(error.message, "987654");
  assertStringIncludes(error.message, String(channel.log.end));
  assertEquals(await savedPosition(channel), 987_654);
});

Deno.test("a cursor past the end begins anew at the end when that was asked for", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, 0);
  await channel.writeCursor("reader", "987654\n");
  const inbox = new Inbox();
  await using _subscriber = await subscribe(channel, inbox, { from: "end", endAsked: true });
  const [warning] = channel.logger.matching("stood past the end");
  assertEquals([warning!.fields.cursor, warning!.fields.end], [987_654, channel.log.end]);
  assertEquals(await savedPosition(channel), channel.log.end);
  await publish(channel, 1);
  await inbox.until(1);
  assertEquals(inbox.payloads, [1]);
});

Deno.test("a cursor before the first segment moves to it and says how much was lost", async () => {
  await using channel = await TestChannel.closed();
  await channel.write(segmentFile(5_000), "");
  await channel.writeCursor("reader", "1200\n");
  await channel.open();
  await publish(channel, 1);
  const inbox = new Inbox();
  await using _subscriber = await subscribe(channel, inbox);
  await inbox.until(1);
  assertEquals(inbox.calls[0]!.position, 5_000);
  const [warning] = channel.logger.matching("a part of the log that is not there");
  assertEquals([warning!.fields.position, warning!.fields.bytes], [1_200, 3_800]);
});

Deno.test("a cursor that cannot be read or written at the start is an error", async () => {
  await using channel = await TestChannel.open();
  await channel.writeCursor("reader", "nonsense\n");
  await assertRejects(() => subscribe(channel, new Inbox()), StorageError, "reader.offset");
  channel.files.fail("rename");
  await assertRejects(
    () => subscribe(channel, new Inbox(), { subscriberId: "other" }),
    StorageError,
    "other.offset",
  );
});

async function overwrite(path: string, at: number, bytes: number[]): Promise<void> {
  using file = await Deno.open(path, { write: true });
  await file.seek(at, Deno.SeekMode.Start);
  await file.write(new Uint8Array(bytes));
}

Deno.test("a damaged line in the middle costs that line only, and is counted", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, 1);
  for (
    const line of ['{"v":1,"id":"broken', "not json at all", "\0\0\0\0", '{"v":1}', "[]", "null"]
  ) {
    await channel.log.append(line, () => undefined);
  }
  const at = await channel.log.append("{  }", (position) => position);
  await overwrite(`${channel.folder}/${segmentFile(0)}`, at, [0x7b, 0xff, 0xfe, 0x7d]);
  await publish(channel, 2);
  const inbox = new Inbox();
  await using subscriber = await subscribe(channel, inbox);
  await caughtUp(channel, subscriber);
  assertEquals(inbox.payloads, [1, 2]);
  assertEquals(subscriber.stats().damaged, 7);
  const errors = channel.logger.matching("a line that is no record");
  assertEquals(errors.length, 7);
  assertEquals(errors[0]!.level, "error");
  assertEquals(errors[0]!.fields.channel, "readings");
  assertEquals(await savedPosition(channel), channel.log.end);
});

Deno.test("a record of an unknown version is skipped with a warning that names it", async () => {
  await using channel = await TestChannel.open();
  await channel.log.append('{"v":2,"id":"x","payload":1}', () => undefined);
  await publish(channel, 1);
  const inbox = new Inbox();
  await using subscriber = await subscribe(channel, inbox);
  await inbox.until(1);
  const [warning] = channel.logger.matching("a line that is no record");
  assertEquals(warning!.level, "warn");
  assertStringIncludes(String(warning!.fields.reason), "version 2");
  assertEquals(subscriber.stats().damaged, 1);
});

Deno.test("much damage does not flood the log", async () => {
  await using channel = await TestChannel.open();
  await channel.log.appendAll(Array.from({ length: 2_500 }, () => "junk"));
  const inbox = new Inbox();
  await using subscriber = await subscribe(channel, inbox, { cursorFlushMs: 1_000 });
  await caughtUp(channel, subscriber);
  assertEquals(subscriber.stats().damaged, 2_500);
  assertEquals(channel.logger.matching("a line that is no record").length, 12);
});

Deno.test("lines that end as on Windows are read", async () => {
  await using channel = await TestChannel.open();
  const encoder = new EnvelopeEncoder("test-host", channel.clock);
  await channel.log.append(encoder.encode("readings", "test", "1") + "\r", () => undefined);
  const inbox = new Inbox();
  await using _subscriber = await subscribe(channel, inbox);
  await inbox.until(1);
  assertEquals(inbox.payloads, [1]);
});

Deno.test("messages over the age are skipped and counted, the younger delivered", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, "old");
  channel.clock.pass(60_001);
  await publish(channel, "young");
  const inbox = new Inbox();
  await using subscriber = await subscribe(channel, inbox, { maxAgeMs: 60_000 });
  await caughtUp(channel, subscriber);
  assertEquals(inbox.payloads, ["young"]);
  assertEquals(subscriber.stats().expired, 1);
});

Deno.test("a timestamp that cannot be read does not count as old", async () => {
  await using channel = await TestChannel.open();
  const encoder = new EnvelopeEncoder("test-host", channel.clock);
  const line = encoder.encode("readings", "test", "1").replace(/"ts":"[^"]*"/, '"ts":"yesterday"');
  await channel.log.append(line, () => undefined);
  const inbox = new Inbox();
  await using _subscriber = await subscribe(channel, inbox, { maxAgeMs: 1 });
  await inbox.until(1);
});

Deno.test("the handler runs within the message's correlation id", async () => {
  await using channel = await TestChannel.open();
  const encoder = new EnvelopeEncoder("test-host", channel.clock);
  const line = encoder.encode("readings", "test", "1", { correlationId: "c-7" });
  await channel.log.append(line, () => undefined);
  const inbox = new Inbox();
  const contexts: string[] = [];
  await using _subscriber = await subscribe(channel, inbox, {
    inContext: (id, call) => {
      contexts.push(id);
      return call();
    },
  });
  await inbox.until(1);
  assertEquals(contexts, ["c-7"]);
});

Deno.test("a lag over the bound is warned of once, and again after it was made good", async () => {
  await using channel = await TestChannel.open();
  const inbox = new Inbox();
  let gate = Promise.withResolvers<void>();
  inbox.react = () => gate.promise;
  await publish(channel, 0);
  await using subscriber = await subscribe(channel, inbox, { lagWarnBytes: 10_000 });
  for (const round of [1, 2]) {
    await inbox.until(round === 1 ? 1 : 302);
    for (const n of numbers(300)) await publish(channel, n);
    gate.resolve();
    await caughtUp(channel, subscriber);
    const warnings = channel.logger.matching("far behind");
    assertEquals(warnings.length, round);
    assert(Number(warnings[0]!.fields.lag_bytes) > 10_000);
    gate = Promise.withResolvers();
    if (round === 1) await publish(channel, 0);
  }
});

Deno.test("stats tell position, lag and what was delivered", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, 1, 2, 3);
  const inbox = new Inbox();
  const gate = Promise.withResolvers<void>();
  inbox.react = ({ payload }) => payload === 2 ? gate.promise : undefined;
  await using subscriber = await subscribe(channel, inbox);
  await turn();
  const { position } = inbox.calls[1]!;
  assertEquals(subscriber.stats(), {
    channel: "readings",
    subscriberId: "reader",
    position,
    lagBytes: channel.log.end - position,
    delivered: 1,
    retries: 0,
    deadLettered: 0,
    damaged: 0,
    expired: 0,
  });
  gate.resolve();
  await caughtUp(channel, subscriber);
  assertEquals([subscriber.stats().delivered, subscriber.stats().lagBytes], [3, 0]);
});

Deno.test("handlers that return at once let others have their turn", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, ...numbers(500));
  const inbox = new Inbox();
  inbox.react = () => channel.clock.pass(1);
  await using _subscriber = await subscribe(channel, inbox);
  const before = inbox.calls.length;
  assert(before < 100, `${before} handler calls before anybody else had a turn`);
  await inbox.until(500);
});

Deno.test("a read that fails is logged and tried again, and no message is lost", async () => {
  await using channel = await TestChannel.open();
  await publish(channel, 1, 2);
  channel.files.fail("read", { path: ".jsonl" });
  const inbox = new Inbox();
  await using _subscriber = await subscribe(channel, inbox);
  await channel.clock.fire(5_000);
  await inbox.until(2);
  assertEquals(inbox.payloads, [1, 2]);
  assertEquals(channel.logger.from("error"), ["error: could not read: delivery pauses"]);
});

Deno.test("a subscriber of a log whose channels were closed ends quietly", async () => {
  await using channel = await TestChannel.open();
  const inbox = new Inbox();
  const subscriber = await subscribe(channel, inbox);
  await channel.logs.close();
  await turn();
  assertEquals(channel.logger.from("warn"), []);
  await subscriber.close();
});

Deno.test("a subscriber follows a log in memory alike", async () => {
  await using channel = await TestChannel.open();
  const log = new MemoryChannelLog("readings");
  const encoder = new EnvelopeEncoder("test-host", channel.clock);
  const inbox = new Inbox();
  await using subscriber = await subscribe(channel, inbox, { log });
  for (const n of numbers(10)) {
    await log.append(encoder.encode("readings", "test", `${n}`), () => undefined);
  }
  await inbox.until(10);
  await turn();
  assertEquals(inbox.payloads, numbers(10));
  assertEquals(subscriber.position, log.end);
  assertEquals((await log.cursors()).map(({ position }) => position), [log.end]);
});

Deno.test("whatever is between, every record is delivered once and in order", async () => {
  const line = fc.oneof(
    { arbitrary: fc.constant("record"), weight: 6 },
    { arbitrary: fc.constantFrom("junk", "", '{"v":9}', "{}"), weight: 2 },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 40 }),
      fc.integer({ min: 100, max: 1_000 }),
      fc.constantFrom(0, 50),
      async (kinds, segmentBytes, cursorFlushMs) => {
        await using channel = await TestChannel.open({ segmentBytes, syncPolicy: "none" });
        const encoder = new EnvelopeEncoder("test-host", channel.clock);
        let n = 0;
        const inbox = new Inbox();
        const half = kinds.length >> 1;
        const lines = kinds.map((kind) =>
          kind === "record" ? encoder.encode("readings", "test", `${n++}`) : kind
        );
        await channel.log.appendAll(lines.slice(0, half));
        {
          await using subscriber = await subscribe(channel, inbox, { cursorFlushMs });
          await caughtUp(channel, subscriber);
        }
        await channel.reopen();
        await channel.log.appendAll(lines.slice(half));
        await using subscriber = await subscribe(channel, inbox, { cursorFlushMs });
        await caughtUp(channel, subscriber);
        assertEquals(inbox.payloads, numbers(n));
      },
    ),
    { numRuns: 30 },
  );
});
