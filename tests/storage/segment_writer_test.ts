import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { InvalidChannelNameError, StorageError } from "../../src/base/mod.ts";
import { diskFullError } from "../helpers/faulty_files.ts";
import { segmentFile, TestChannel } from "../helpers/test_channel.ts";

/** Records of 40 bytes with their line feed. */
function lines(count: number, first = 0): string[] {
  return Array.from({ length: count }, (_, n) => `record ${first + n} `.padEnd(39, "."));
}

function names(channel: TestChannel): string[] {
  return channel.segments().map(({ name }) => name);
}

Deno.test("a channel begins with one segment whose name is 20 zeros", async () => {
  await using channel = await TestChannel.open();
  await channel.log.appendAll(["a", "b"]);
  assertEquals(channel.segments(), [{ name: "00000000000000000000.jsonl", text: "a\nb\n" }]);
});

Deno.test("a segment is named by the offset of its first byte, in 20 digits", async () => {
  await using channel = await TestChannel.open({ segmentBytes: 100 });
  for (const line of lines(5)) await channel.log.append(line, () => undefined);
  assertEquals(names(channel), [
    "00000000000000000000.jsonl",
    "00000000000000000080.jsonl",
    "00000000000000000160.jsonl",
  ]);
  assertEquals(channel.log.stats().segments, 3);
});

Deno.test("a record that just fits does not begin a segment, one byte more does", async () => {
  await using channel = await TestChannel.open({ segmentBytes: 100 });
  await channel.log.append("x".repeat(59), () => undefined);
  await channel.log.append("y".repeat(39), () => undefined);
  assertEquals(names(channel), [segmentFile(0)]);
  await channel.log.append("", () => undefined);
  assertEquals(names(channel), [segmentFile(0), segmentFile(100)]);
});

Deno.test("a group that is larger than a new channel's segment is cut between records", async () => {
  await using channel = await TestChannel.open({ segmentBytes: 100 });
  await channel.log.appendAll(lines(7));
  assertEquals(channel.segments().map(({ text }) => text.length), [80, 80, 80, 40]);
  assertEquals(await channel.texts(), lines(7));
});

Deno.test("a group that spans several segments is cut between records", async () => {
  await using channel = await TestChannel.open({ segmentBytes: 100 });
  await channel.log.append(lines(1)[0]!, () => undefined);
  const positions = await channel.log.appendAll(lines(6, 1));
  assertEquals(channel.segments().map(({ text }) => text.length), [80, 80, 80, 40]);
  assertEquals(positions, [40, 80, 120, 160, 200, 240]);
  assertEquals(await channel.texts(), lines(7));
});

Deno.test("a record longer than a segment has one of its own", async () => {
  await using channel = await TestChannel.open({ segmentBytes: 100 });
  const texts = ["a", "b".repeat(500), "c", "d".repeat(200), "e".repeat(300), "f"];
  await channel.log.appendAll(texts);
  assertEquals(channel.segments().map(({ text }) => text.length), [2, 501, 2, 201, 301, 2]);
  assertEquals(await channel.texts(), texts);
});

Deno.test("a new channel takes a record longer than a segment", async () => {
  await using channel = await TestChannel.open({ segmentBytes: 100 });
  await channel.log.append("x".repeat(150), () => undefined);
  await channel.log.append("y", () => undefined);
  assertEquals(names(channel), [segmentFile(0), segmentFile(151)]);
});

Deno.test("segments follow one another without gap, none over its size unless of one record", async () => {
  const groups = fc.array(fc.array(fc.integer({ min: 0, max: 150 }), { maxLength: 12 }), {
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(groups, fc.integer({ min: 1, max: 300 }), async (lengths, segmentBytes) => {
      await using channel = await TestChannel.open({ segmentBytes, syncPolicy: "none" });
      const texts = lengths.map((group) => group.map((length) => "x".repeat(length + 1)));
      await Promise.all(texts.map((group) => channel.log.appendAll(group)));
      let start = 0;
      for (const { name, text } of channel.segments()) {
        assertEquals(name, segmentFile(start));
        assert(text.length <= segmentBytes || text.indexOf("\n") === text.length - 1);
        start += text.length;
      }
      assertEquals(channel.log.end, start);
      assertEquals(await channel.texts(), texts.flat());
      await channel.reopen();
      assertEquals(channel.log.end, start);
      assertEquals(await channel.texts(), texts.flat());
    }),
    { numRuns: 40 },
  );
});

Deno.test("a reopened channel goes on in its last segment", async () => {
  await using channel = await TestChannel.open({ segmentBytes: 100 });
  await channel.log.appendAll(lines(3));
  await channel.reopen();
  await channel.log.appendAll(lines(2, 3));
  assertEquals(channel.segments().map(({ text }) => text.length), [80, 80, 40]);
  assertEquals(await channel.texts(), lines(5));
});

for (const syncPolicy of ["always", "periodic", "none"] as const) {
  Deno.test(`a full segment is synced before the next is made, under ${syncPolicy}`, async () => {
    await using channel = await TestChannel.open({ segmentBytes: 100, syncPolicy });
    await channel.log.appendAll(lines(2));
    channel.files.calls.length = 0;
    await channel.log.append(lines(1, 2)[0]!, () => undefined);
    const calls = channel.files.calls
      .filter(({ call }) => ["sync", "open", "syncDir", "write"].includes(call))
      .map(({ call, path }) => `${call} ${path.slice(channel.folder.length + 1)}`);
    const expected = [`open ${segmentFile(80)}`, "syncDir ", `write ${segmentFile(80)}`];
    const sync = `sync ${segmentFile(0)}`;
    // Under `always` the bytes were synced when they were written.
    assertEquals(
      calls.slice(0, 4),
      syncPolicy === "always" ? [...expected, `sync ${segmentFile(80)}`] : [sync, ...expected],
    );
  });
}

Deno.test("a new channel's folder is made durable with its parent", async () => {
  await using channel = await TestChannel.open();
  assertEquals(channel.files.count("syncDir", `${channel.dataDir}/channels`) > 1, true);
  const synced = channel.files.calls.filter(({ call }) => call === "syncDir").map(({ path }) =>
    path
  );
  assert(synced.includes(`${channel.dataDir}/channels`));
  assert(synced.includes(channel.folder));
});

Deno.test("a crash anywhere in three records keeps the whole ones and cuts off the rest", async () => {
  const records = ['{"n":1}', '{"n":"żółć"}', '{"n":3}'];
  const bytes = new TextEncoder().encode(records.map((record) => `${record}\n`).join(""));
  await using channel = await TestChannel.closed();
  for (let cut = 0; cut <= bytes.length; cut++) {
    await Deno.remove(`${channel.dataDir}/channels`, { recursive: true }).catch(() => {});
    await channel.write(segmentFile(0), bytes.subarray(0, cut));
    channel.logger.lines.length = 0;
    await channel.open();

    const kept = bytes.subarray(0, cut).lastIndexOf(0x0a) + 1;
    const whole = bytes.subarray(0, kept).filter((byte) => byte === 0x0a).length;
    assertEquals(channel.log.end, kept, `cut at ${cut}`);
    assertEquals(await channel.texts(), records.slice(0, whole), `cut at ${cut}`);
    const torn = `${channel.folder}/${segmentFile(0)}.torn`;
    const warnings = channel.logger.matching("cut off a record");
    if (kept === cut) {
      assertEquals(channel.segments().length, 1, `cut at ${cut}`);
      assertEquals(warnings, []);
    } else {
      assertEquals(await Deno.readFile(torn), bytes.slice(kept, cut), `cut at ${cut}`);
      assertEquals(warnings.map(({ level, fields }) => [level, fields.bytes]), [
        ["warn", cut - kept],
      ]);
      assertStringIncludes(String(warnings[0]!.fields.kept_in), ".torn");
    }

    await channel.log.append("next", () => undefined);
    assertEquals(await channel.texts(), [...records.slice(0, whole), "next"], `cut at ${cut}`);
    await channel.logs.close();
  }
});

Deno.test("what a crash cut short in the last segment leaves the ones before it alone", async () => {
  await using channel = await TestChannel.closed();
  await channel.write(segmentFile(0), "aaa\nbbb\n");
  await channel.write(segmentFile(8), "cc");
  await channel.open();
  assertEquals(await channel.texts(), ["aaa", "bbb"]);
  assertEquals(channel.log.end, 8);
  await channel.log.append("ccc", () => undefined);
  assertEquals(await channel.texts(), ["aaa", "bbb", "ccc"]);
});

Deno.test("a channel opens although a full disk does not take what was cut off", async () => {
  await using channel = await TestChannel.open();
  await channel.logs.close();
  await channel.write(segmentFile(0), "whole\nhal");
  channel.files.roomBytes = 0;
  await channel.open();
  assertEquals(await channel.texts(), ["whole"]);
  assertEquals(channel.segments(), [{ name: segmentFile(0), text: "whole\n" }]);
  const [warning] = channel.logger.matching("cut off a record");
  assertEquals(warning!.fields.bytes, 3);
  assertEquals(warning!.fields.kept_in, undefined);
});

Deno.test("files with other names in a channel's folder are left alone", async () => {
  await using channel = await TestChannel.closed();
  await channel.write(segmentFile(0), "a\n");
  const others = [`${segmentFile(0)}.torn`, "5.jsonl", "99999999999999999999.jsonl", "notes.txt"];
  for (const name of others) await channel.write(name, "something\n");
  await channel.open();
  await channel.log.append("b", () => undefined);
  assertEquals(await channel.texts(), ["a", "b"]);
  assertEquals(names(channel).filter((name) => name !== segmentFile(0)).sort(), others.sort());
});

Deno.test("a channel's folder that cannot be used is a StorageError that names it", async () => {
  await using channel = await TestChannel.open();
  await Deno.writeTextFile(`${channel.dataDir}/channels/other`, "a file");
  const error = await assertRejects(() => channel.logs.open("other"), StorageError);
  assertStringIncludes(error.message, `${channel.dataDir}/channels/other`);
});

Deno.test("a channel name that would leave the data directory is refused", async () => {
  await using channel = await TestChannel.open();
  for (const name of ["..", "../other", "a/b", ""]) {
    await assertRejects(() => channel.logs.open(name), InvalidChannelNameError);
  }
});

Deno.test("a segment that cannot be made is tried again, and nothing is lost or doubled", async () => {
  for (const call of ["open", "truncate", "syncDir"] as const) {
    await using channel = await TestChannel.open({ segmentBytes: 100, syncPolicy: "none" });
    await channel.log.appendAll(lines(2));
    channel.files.fail(call, { path: "channels/readings", times: 2, error: diskFullError });
    const appended = channel.log.appendAll(lines(3, 2));
    await channel.clock.fire(10);
    assertEquals(channel.log.stats().stalled, true);
    await channel.clock.fire(20);
    await appended;
    assertEquals(channel.segments().map(({ text }) => text.length), [80, 80, 40], call);
    assertEquals(await channel.texts(), lines(5), call);
  }
});
