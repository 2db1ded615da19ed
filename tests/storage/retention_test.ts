import { assertEquals, assertRejects } from "@std/assert";
import { MessengerClosedError, StorageError } from "../../src/base/mod.ts";
import type { FileChannelLogsOptions } from "../../src/storage/mod.ts";
import { turn } from "../helpers/fake_clock.ts";
import { segmentFile, TestChannel } from "../helpers/test_channel.ts";

const HOUR_MS = 3_600_000;

/** A channel of segments that begin at 0, 20, 40 … with two records of ten bytes each. */
async function filled(segments: number, options?: FileChannelLogsOptions): Promise<TestChannel> {
  const channel = await TestChannel.open({ segmentBytes: 20, ...options });
  await channel.log.appendAll(
    Array.from({ length: segments * 2 }, (_, n) => `${n}`.padEnd(9, ".")),
  );
  await turn();
  return channel;
}

function starts(channel: TestChannel): number[] {
  return channel.segments().filter(({ name }) => name.endsWith(".jsonl"))
    .map(({ name }) => parseInt(name));
}

async function saveCursor(channel: TestChannel, name: string, position: number): Promise<void> {
  const cursor = await channel.log.cursor(name);
  await cursor.save(position);
  cursor.close();
}

/** Sets when a segment was last written. */
async function writtenAgo(channel: TestChannel, start: number, ms: number): Promise<void> {
  const at = new Date(channel.clock.now() - ms);
  await Deno.utime(`${channel.folder}/${segmentFile(start)}`, at, at);
}

function losses(channel: TestChannel): unknown[] {
  return channel.logger.matching("had not read").map(({ level, fields }) => [
    level,
    fields.channel,
    fields.reader,
    fields.bytes,
  ]);
}

Deno.test("a sealed segment is deleted once every cursor is past its end", async () => {
  await using channel = await filled(4);
  await saveCursor(channel, "quick", 80);
  await saveCursor(channel, "slow", 39);
  channel.logs.retain();
  assertEquals(starts(channel), [20, 40, 60]);
  assertEquals(channel.log.start, 20);
  await saveCursor(channel, "slow", 40);
  channel.logs.retain();
  assertEquals(starts(channel), [40, 60]);
  assertEquals(channel.logger.from("warn"), []);
});

Deno.test("the last segment is never deleted", async () => {
  await using channel = await filled(3, { maxFiles: 1, retentionMs: 1 });
  await saveCursor(channel, "reader", 60);
  await writtenAgo(channel, 40, 100 * HOUR_MS);
  channel.logs.retain();
  assertEquals(starts(channel), [40]);
  await channel.reopen();
  assertEquals([channel.log.start, channel.log.end], [40, 60]);
});

Deno.test("a channel without cursors keeps everything", async () => {
  await using channel = await filled(3);
  channel.logs.retain();
  assertEquals(starts(channel), [0, 20, 40]);
});

Deno.test("a cursor on disk counts although its subscriber is not running", async () => {
  await using channel = await filled(3);
  await channel.writeCursor("away", "25\n");
  await saveCursor(channel, "here", 60);
  channel.logs.retain();
  assertEquals(starts(channel), [20, 40]);
  await channel.log.removeCursor("away");
  channel.logs.retain();
  assertEquals(starts(channel), [40]);
});

Deno.test("a cursor that cannot be read holds every segment", async () => {
  await using channel = await filled(3);
  await saveCursor(channel, "good", 60);
  await channel.writeCursor("damaged", "nonsense\n");
  channel.logs.retain();
  assertEquals(starts(channel), [0, 20, 40]);
});

Deno.test("a cursor whose file fails to open holds every segment", async () => {
  await using channel = await filled(3);
  await saveCursor(channel, "good", 60);
  await saveCursor(channel, "other", 60);
  channel.files.fail("open", { path: "good.offset" });
  channel.logs.retain();
  assertEquals(starts(channel), [0, 20, 40]);
  channel.logs.retain();
  assertEquals(starts(channel), [40]);
});

Deno.test("maxFiles deletes the oldest though unread, and names who lost how much", async () => {
  await using channel = await TestChannel.open({ segmentBytes: 20, maxFiles: 2 });
  await channel.writeCursor("ahead", "80\n");
  await channel.writeCursor("behind", "10\n");
  await channel.writeCursor("inside", "35\n");
  for (let n = 0; n < 8; n++) await channel.log.append(`${n}`.padEnd(9, "."), () => undefined);
  await turn();
  assertEquals(starts(channel), [40, 60]);
  assertEquals(losses(channel), [
    ["warn", "readings", "behind", 10],
    ["warn", "readings", "behind", 20],
    ["warn", "readings", "inside", 5],
  ]);
});

Deno.test("age deletes what was written last longer ago, though unread", async () => {
  await using channel = await filled(4, { retentionMs: HOUR_MS });
  await saveCursor(channel, "behind", 0);
  await writtenAgo(channel, 0, 3 * HOUR_MS);
  await writtenAgo(channel, 20, 2 * HOUR_MS);
  await writtenAgo(channel, 40, HOUR_MS - 1_000);
  channel.logs.retain();
  assertEquals(starts(channel), [40, 60]);
  assertEquals(losses(channel), [
    ["warn", "readings", "behind", 20],
    ["warn", "readings", "behind", 20],
  ]);
});

Deno.test("an old segment behind a young one stays: the log has no holes", async () => {
  await using channel = await filled(3, { retentionMs: HOUR_MS });
  await writtenAgo(channel, 0, 0);
  await writtenAgo(channel, 20, 3 * HOUR_MS);
  channel.logs.retain();
  assertEquals(starts(channel), [0, 20, 40]);
});

Deno.test("it is looked for segments to delete after a roll", async () => {
  await using channel = await filled(2);
  await saveCursor(channel, "reader", 40);
  assertEquals(starts(channel), [0, 20]);
  await channel.log.append("x".repeat(9), () => undefined);
  await turn();
  assertEquals(starts(channel), [40]);
});

Deno.test("it is looked for segments to delete every 30 seconds until the channels close", async () => {
  await using channel = await filled(3);
  await saveCursor(channel, "reader", 20);
  await channel.clock.advance(29_999);
  assertEquals(starts(channel), [0, 20, 40]);
  await channel.clock.advance(1);
  assertEquals(starts(channel), [20, 40]);
  await saveCursor(channel, "reader", 60);
  await channel.clock.advance(30_000);
  assertEquals(starts(channel), [40]);
  await channel.logs.close();
  assertEquals(channel.clock.running, []);
});

Deno.test("a closed directory is left alone: another process may own it", async () => {
  await using channel = await filled(2);
  await saveCursor(channel, "reader", 40);
  const appended = channel.log.append("x".repeat(9), () => undefined);
  const { logs } = channel;
  await logs.close();
  await appended;
  channel.files.calls.length = 0;
  await turn();
  logs.retain();
  assertEquals(channel.files.calls, []);
});

Deno.test("a segment that cannot be deleted is logged, and deleted the next time", async () => {
  await using channel = await filled(4);
  await saveCursor(channel, "reader", 60);
  channel.files.fail("remove", { nth: 2 });
  channel.logs.retain();
  assertEquals(starts(channel), [20, 40, 60]);
  assertEquals(channel.log.start, 20);
  assertEquals(channel.logger.from("error"), ["error: could not delete old segments"]);
  channel.logs.retain();
  assertEquals(starts(channel), [60]);
});

Deno.test("a segment that somebody deleted already does not stop the others", async () => {
  await using channel = await filled(4);
  await saveCursor(channel, "reader", 60);
  await Deno.remove(`${channel.folder}/${segmentFile(0)}`);
  channel.logs.retain();
  assertEquals(starts(channel), [60]);
  assertEquals(channel.log.start, 60);
});

Deno.test("segments of a group that may yet be taken back are not deleted", async () => {
  await using channel = await TestChannel.open({
    segmentBytes: 20,
    syncPolicy: "always",
    maxFiles: 1,
  });
  channel.files.fail("sync", { path: "channels", nth: 4 });
  channel.files.onCall = (call) => {
    if (call === "sync") queueMicrotask(() => channel.logs.retain());
  };
  const records = Array.from({ length: 8 }, (_, n) => `${n}`.padEnd(9, "."));
  await assertRejects(() => channel.log.appendAll(records), StorageError);
  await turn();
  assertEquals(channel.log.end, 0);
  channel.files.onCall = undefined;
  await channel.log.append("after", () => undefined);
  await channel.reopen();
  assertEquals(await channel.texts(), ["after"]);
  assertEquals([channel.log.start, channel.log.stats().skippedBytes], [0, 0]);
});

Deno.test("a closed channel is not trimmed at once, which would make files behind its back", async () => {
  await using channel = await filled(2);
  const { log } = channel;
  const before = channel.segments();
  await channel.logs.close();
  await assertRejects(() => log.trim(log.end, true), MessengerClosedError);
  assertEquals(channel.segments().map(({ name }) => name), before.map(({ name }) => name));
});
