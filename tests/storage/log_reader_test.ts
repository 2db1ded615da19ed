import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import { StorageError } from "../../src/base/mod.ts";
import { MAX_RECORD_BYTES } from "../../src/envelope/mod.ts";
import { turn } from "../helpers/fake_clock.ts";
import { readTexts, segmentFile, TestChannel } from "../helpers/test_channel.ts";

const MIB = 1024 * 1024;

function skipped(channel: TestChannel): [records: number, bytes: number] {
  const { skippedRecords, skippedBytes } = channel.log.stats();
  return [skippedRecords, skippedBytes];
}

Deno.test("a gap between segments is skipped with a warning that says how much is missing", async () => {
  await using channel = await TestChannel.closed();
  await channel.write(segmentFile(0), "a\nb\n");
  await channel.write(segmentFile(1004), "c\n");
  await channel.open();
  assertEquals(channel.log.end, 1006);
  assertEquals(await channel.texts(), ["a", "b", "c"]);
  assertEquals(skipped(channel), [0, 1000]);
  const warnings = channel.logger.matching("a part of the log that is not there");
  assertEquals(warnings.map(({ level, fields }) => [level, fields.position, fields.bytes]), [
    ["warn", 4, 1000],
  ]);
});

Deno.test("a reader from inside a gap begins after it", async () => {
  await using channel = await TestChannel.closed();
  await channel.write(segmentFile(0), "a\n");
  await channel.write(segmentFile(100), "b\n");
  await channel.open();
  for (const from of [2, 3, 50, 99, 100]) assertEquals(await channel.texts(from), ["b"], `${from}`);
});

Deno.test("a reader from before the first segment begins with it and says how much is missing", async () => {
  await using channel = await TestChannel.closed();
  await channel.write(segmentFile(500), "a\nb\n");
  await channel.open();
  assertEquals(channel.log.start, 500);
  assertEquals(await channel.texts(0), ["a", "b"]);
  assertEquals(skipped(channel), [0, 500]);
});

Deno.test("a reader before an empty first segment moves to its beginning", async () => {
  await using channel = await TestChannel.closed();
  await channel.write(segmentFile(500), "");
  await channel.open();
  const reader = channel.log.reader(10);
  assertEquals(await reader.read(1024), { records: [], next: 500 });
  await channel.log.append("a", () => undefined);
  assertEquals((await reader.read(1024)).records.length, 1);
  reader.close();
});

Deno.test("empty lines are skipped and counted", async () => {
  await using channel = await TestChannel.closed();
  await channel.write(segmentFile(0), "\na\n\n\nb\n\n");
  await channel.open();
  assertEquals(await channel.texts(), ["a", "b"]);
  assertEquals(skipped(channel), [4, 0]);
});

Deno.test("a read gives a record also when more empty lines than it asks for come first", async () => {
  await using channel = await TestChannel.closed();
  await channel.write(segmentFile(0), "\n".repeat(100_000) + "a\n");
  await channel.open();
  const reader = channel.log.reader(0);
  const { records } = await reader.read(1024);
  assertEquals(records.length, 1);
  assertEquals(reader.position, channel.log.end);
  reader.close();
});

Deno.test("a line over 10 MiB is skipped and counted, and the rest is given", async () => {
  await using channel = await TestChannel.closed();
  const rest = ["b", "c".repeat(20_000), "d".repeat(300_000), "e"];
  const long = "x".repeat(MAX_RECORD_BYTES + 1);
  await channel.write(segmentFile(0), `a\n${long}\n${rest.join("\n")}\n`);
  await channel.open();
  for (const maxBytes of [1024, 256 * 1024]) {
    const texts = await channel.texts(0, maxBytes);
    assertEquals(texts.map((text) => text.length), [1, 1, 20_000, 300_000, 1]);
  }
  assertEquals(skipped(channel), [2, 0]);
  const errors = channel.logger.matching("a record over 10 MiB");
  assertEquals(errors.map(({ level, fields }) => [level, fields.position]), [
    ["error", 2],
    ["error", 2],
  ]);
});

Deno.test("a line of many segments' length is skipped at the end of its segment", async () => {
  await using channel = await TestChannel.closed();
  const long = "x".repeat(2 * MAX_RECORD_BYTES + 77);
  await channel.write(segmentFile(0), `a\n${long}\n`);
  await channel.write(segmentFile(long.length + 3), "b\n");
  await channel.open();
  assertEquals(await channel.texts(), ["a", "b"]);
  assertEquals(skipped(channel), [1, 0]);
});

Deno.test("a sealed segment whose last line has no end costs that line only", async () => {
  await using channel = await TestChannel.closed();
  await channel.write(segmentFile(0), "a\nhalf a rec");
  await channel.write(segmentFile(12), "b\n");
  await channel.open();
  assertEquals(await channel.texts(), ["a", "b"]);
  assertEquals(skipped(channel), [1, 0]);
  assertEquals(channel.logger.matching("a line without an end").length, 1);
});

Deno.test("a segment that is cut while it is read costs what is missing only", async () => {
  await using channel = await TestChannel.open({ segmentBytes: 4 });
  await channel.log.appendAll(["a", "b", "c", "d", "e"]);
  await Deno.truncate(`${channel.folder}/${segmentFile(4)}`, 3);
  assertEquals(await channel.texts(), ["a", "b", "c", "e"]);
  assertEquals(skipped(channel)[0], 1);
});

Deno.test("a segment that is gone is a StorageError that names it, and reading goes on once it is back", async () => {
  await using channel = await TestChannel.open({ segmentBytes: 4 });
  await channel.log.appendAll(["a", "b", "c", "d"]);
  const path = `${channel.folder}/${segmentFile(0)}`;
  await Deno.rename(path, `${path}.away`);
  const reader = channel.log.reader(0);
  const error = assertThrows(() => reader.read(1024), StorageError);
  assert(error.message.includes(path));
  await Deno.rename(`${path}.away`, path);
  assertEquals((await reader.read(1024)).records.length, 2);
  reader.close();
});

Deno.test("a reader blocks while reads are quick and waits aside once one was slow", async () => {
  await using channel = await TestChannel.open();
  const texts = Array.from({ length: 40 }, (_, n) => `${n}`.padEnd(64 * 1024, "x"));
  await channel.log.appendAll(texts);
  for (const slow of [false, true]) {
    channel.files.onCall = (call) => slow && call === "read" && channel.clock.pass(5);
    const reader = channel.log.reader(0);
    const read: string[] = [];
    const asides: boolean[] = [];
    while (reader.position < channel.log.end) {
      const block = reader.read(256 * 1024);
      asides.push(block instanceof Promise);
      for (const { bytes } of (await block).records) read.push(new TextDecoder().decode(bytes));
    }
    reader.close();
    assert(read.join() === texts.join());
    assertEquals([asides[0], asides.at(-1)], [false, slow]);
  }
  assert(channel.files.calls.some(({ call, aside }) => call === "read" && aside));
  assert(channel.log.end > 2 * MIB);
});

Deno.test("a reader does not see records whose sync is under way", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "always" });
  channel.files.onCall = (call) => call === "sync" && channel.clock.pass(5);
  await channel.log.append("a", () => undefined);
  const gate = Promise.withResolvers<void>();
  channel.files.syncGate = gate.promise;
  const appended = channel.log.append("b", () => undefined);
  await turn();
  assertEquals(channel.segments()[0]!.text, "a\nb\n");
  assertEquals(channel.log.end, 2);
  assertEquals(await channel.texts(), ["a"]);
  gate.resolve();
  await appended;
  assertEquals(await channel.texts(), ["a", "b"]);
});

Deno.test("a reader finishes the segment that it reads although it was deleted meanwhile", async () => {
  await using channel = await TestChannel.open({ segmentBytes: 40_000, maxFiles: 1 });
  await channel.log.appendAll(Array.from({ length: 9 }, (_, n) => `${n}`.repeat(9_999)));
  const reader = channel.log.reader(0);
  const first = await reader.read(1);
  assertEquals(first.records.length, 1);
  await channel.logs.retain();
  assertEquals(channel.segments().length, 1);
  const next = await reader.read(1);
  assertEquals(next.records[0]!.position, channel.log.start);
  reader.close();
  assertEquals(skipped(channel)[1], channel.log.start - 10_000);
});

Deno.test("a closed reader can be closed again", async () => {
  await using channel = await TestChannel.open();
  await channel.log.append("a", () => undefined);
  const reader = channel.log.reader(0);
  await reader.read(1);
  reader.close();
  reader.close();
});

Deno.test("a failing read is an error, and the reader goes on where it was", async () => {
  await using channel = await TestChannel.open();
  await channel.log.appendAll(["a", "b"]);
  channel.files.fail("read");
  const reader = channel.log.reader(0);
  assertInstanceOf(assertThrows(() => reader.read(1024)), Error);
  assertEquals((await reader.read(1024)).records.length, 2);
  reader.close();
  assertEquals(await readTexts(channel.log), ["a", "b"]);
});
