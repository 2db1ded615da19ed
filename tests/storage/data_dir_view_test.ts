import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import { StorageError } from "../../src/base/mod.ts";
import { type ChannelTail, DataDirView, type LogReader } from "../../src/storage/mod.ts";
import { tempDir } from "../helpers/temp.ts";
import { RecordingLogger } from "../helpers/recording_logger.ts";
import { segmentFile, TestChannel } from "../helpers/test_channel.ts";

const decoder = new TextDecoder();

/** Everything that a reader gives until it gives nothing. */
async function drain(reader: LogReader): Promise<string[]> {
  const texts: string[] = [];
  for (;;) {
    const { records } = await reader.read(1_000);
    if (records.length === 0) return texts;
    for (const { bytes } of records) texts.push(decoder.decode(bytes));
  }
}

async function textsOf(tail: ChannelTail, from: number): Promise<string[]> {
  const reader = tail.reader(from);
  try {
    return await drain(reader);
  } finally {
    reader.close();
  }
}

Deno.test("a view shows channels, sizes, segments and cursors", async () => {
  await using channel = await TestChannel.open({ segmentBytes: 64 });
  for (let n = 0; n < 10; n++) await channel.log.append(`record ${n} of 20 by`, () => undefined);
  const cursor = await channel.log.cursor("display");
  await cursor.save(40);
  cursor.close();
  await channel.logs.open("other");
  const view = new DataDirView(`${channel.dataDir}/`);
  assertEquals(view.channels(), ["other", "readings"]);
  const { cursors, ...rest } = view.channel("readings");
  assertEquals(rest, {
    channel: "readings",
    start: 0,
    end: channel.log.end,
    bytes: channel.log.end,
    segments: channel.segments().length,
    torn: undefined,
  });
  assert(rest.segments > 2);
  assertEquals(cursors.map(({ name, position }) => [name, position]), [["display", 40]]);
  assertEquals(view.channel("other").end, 0);
});

Deno.test("a view of what is no data directory, and of no channel, says so", async () => {
  await using dir = await tempDir();
  const error = assertThrows(() => new DataDirView(dir.path), StorageError);
  assert(error.message.includes('has no folder "channels"'), error.message);
  await Deno.mkdir(`${dir.path}/channels`);
  assertThrows(() => new DataDirView(dir.path).tail("x"), StorageError, 'channel "x"');
});

Deno.test("a tail follows through rolling segments without missing or repeating a record", async () => {
  await using channel = await TestChannel.open({ segmentBytes: 50 });
  const tail = new DataDirView(channel.dataDir).tail("readings");
  const reader = tail.reader(0);
  const seen: string[] = [];
  const written: string[] = [];
  for (let n = 0; n < 40; n++) {
    const record = `record ${n}${"x".repeat(n % 30)}`;
    await channel.log.append(record, () => undefined);
    written.push(record);
    if (n % 3 === 0) {
      assertEquals(tail.look(), true);
      seen.push(...await drain(reader));
    }
  }
  tail.look();
  seen.push(...await drain(reader));
  reader.close();
  assertEquals(seen, written);
  assert(channel.segments().length > 10);
  assertEquals(tail.look(), false);
});

Deno.test("a tail gives a half-written line only once it is whole", async () => {
  await using channel = await TestChannel.closed();
  await channel.write(segmentFile(0), "one\ntw");
  const tail = new DataDirView(channel.dataDir).tail("readings");
  assertEquals([tail.end, tail.torn], [4, {
    path: `${channel.folder}/${segmentFile(0)}`,
    bytes: 2,
  }]);
  const reader = tail.reader(0);
  assertEquals(await drain(reader), ["one"]);
  await channel.write(segmentFile(0), "one\ntwo");
  assertEquals([tail.look(), tail.torn?.bytes], [false, 3]);
  assertEquals(await drain(reader), []);
  await channel.write(segmentFile(0), "one\ntwo\nthr");
  assertEquals([tail.look(), tail.end], [true, 8]);
  assertEquals(await drain(reader), ["two"]);
  reader.close();
});

Deno.test("a tail begins at the next record wherever it is asked to begin", async () => {
  await using channel = await TestChannel.closed();
  const lines = ["first\n", "zweite Zeile mit ä\n", "\u{1f600}\n", "x\n"];
  const bytes = new TextEncoder().encode(lines.join(""));
  await channel.write(segmentFile(0), bytes.slice(0, 6));
  await channel.write(segmentFile(6), bytes.slice(6));
  const tail = new DataDirView(channel.dataDir).tail("readings");
  const starts: number[] = [0];
  for (const line of lines) starts.push(starts.at(-1)! + new TextEncoder().encode(line).length);
  await fc.assert(fc.asyncProperty(fc.nat(bytes.length + 5), async (from) => {
    const expected = lines.filter((_, index) => starts[index]! >= from).map((l) => l.trimEnd());
    assertEquals(await textsOf(tail, from), expected, `from ${from}`);
  }));
});

Deno.test("a tail goes on after the segments that retention deletes under it", async () => {
  await using channel = await TestChannel.open({ segmentBytes: 30, maxFiles: 2 });
  for (let n = 0; n < 9; n++) await channel.log.append(`record number ${n}`, () => undefined);
  const logger = new RecordingLogger();
  const tail = new DataDirView(channel.dataDir, { logger }).tail("readings");
  const reader = tail.reader(0);
  channel.logs.retain();
  await channel.log.append("the last one", () => undefined);
  assertEquals(tail.look(), true);
  const texts = await drain(reader);
  reader.close();
  assertEquals(texts.at(-1), "the last one");
  assert(texts.length < 10 && tail.start > 0);
  assertEquals(logger.matching("skipped a part of the log that is not there").length, 1);
});

Deno.test("damaged lines are skipped, logged and do not end a tail", async () => {
  await using channel = await TestChannel.closed();
  await channel.write(segmentFile(0), `a\n\n${"x".repeat(11 * 1024 * 1024)}\nb\n`);
  const logger = new RecordingLogger();
  const tail = new DataDirView(channel.dataDir, { logger }).tail("readings");
  assertEquals(await textsOf(tail, 0), ["a", "b"]);
  assertEquals(tail.damage.skippedRecords, 2);
  assertEquals(logger.from("error"), [
    "error: skipped an empty line",
    "error: skipped a record over 10 MiB",
  ]);
});

Deno.test("a view names the owner, reads what that one writes, and does not hinder it", async () => {
  await using channel = await TestChannel.open();
  const view = new DataDirView(channel.dataDir);
  assertEquals(view.owner, Deno.pid);
  await channel.log.append("one", () => undefined);
  assertEquals(await textsOf(view.tail("readings"), 0), ["one"]);
  await channel.logs.close();
  assertEquals(view.owner, undefined);
  await channel.open();
  assertEquals(view.owner, Deno.pid);
});
