import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { StorageError } from "../../src/base/mod.ts";
import type { Cursor } from "../../src/storage/mod.ts";
import { turn } from "../helpers/fake_clock.ts";
import { TestChannel } from "../helpers/test_channel.ts";

function cursorText(channel: TestChannel): string | undefined {
  return channel.cursorFiles().find(({ name }) => name === "reader.offset")?.text;
}

function padded(position: number): string {
  return `${String(position).padStart(20, "0")}\n`;
}

async function cursorAt(channel: TestChannel, position: number): Promise<Cursor> {
  const cursor = await channel.log.cursor("reader");
  await cursor.save(position);
  return cursor;
}

Deno.test("a cursor's file holds its position as 20 digits and a line feed", async () => {
  await using channel = await TestChannel.open();
  const cursor = await channel.log.cursor("reader");
  for (const position of [0, 7, 1_234_567_890, Number.MAX_SAFE_INTEGER]) {
    await cursor.save(position);
    assertEquals(cursorText(channel), padded(position));
  }
  cursor.close();
});

Deno.test("a new cursor's file is written aside, synced, renamed, and its folders synced", async () => {
  await using channel = await TestChannel.open();
  channel.files.calls.length = 0;
  const cursor = await cursorAt(channel, 5);
  const steps = channel.files.calls
    .filter(({ call }) => ["write", "sync", "rename", "syncDir"].includes(call))
    .map(({ call, path }) => `${call} ${path.slice(channel.dataDir.length + 1)}`);
  const temporary = "subscribers/readings/reader.offset.tmp";
  assertEquals(steps.slice(0, 5), [
    `write ${temporary}`,
    `sync ${temporary}`,
    "rename subscribers/readings/reader.offset",
    "syncDir subscribers/readings",
    "syncDir subscribers",
  ]);
  assertEquals(channel.cursorFiles().map(({ name }) => name), ["reader.offset"]);
  cursor.close();
});

Deno.test("a cursor that moves is overwritten in place and synced each time", async () => {
  await using channel = await TestChannel.open();
  const cursor = await cursorAt(channel, 5);
  const before = await Deno.stat(`${channel.cursorFolder}/reader.offset`);
  channel.files.calls.length = 0;
  for (const position of [6, 700, 8_000]) await cursor.save(position);
  assertEquals(
    channel.files.calls.map(({ call }) => call),
    Array(3).fill(["write", "sync"]).flat(),
  );
  assertEquals((await Deno.stat(`${channel.cursorFolder}/reader.offset`)).ino, before.ino);
  cursor.close();

  channel.files.calls.length = 0;
  const again = await cursorAt(channel, 9_000);
  assertEquals(channel.files.count("rename"), 0);
  assertEquals(cursorText(channel), padded(9_000));
  again.close();
});

for (const syncPolicy of ["always", "periodic", "none"] as const) {
  Deno.test(`the records before a cursor are durable before it is, under ${syncPolicy}`, async () => {
    await using channel = await TestChannel.open({ syncPolicy });
    const cursor = await cursorAt(channel, 0);
    const [, second, third] = await channel.log.appendAll(["a", "b", "c"]);
    channel.files.calls.length = 0;
    await cursor.save(second!);
    const path = (file: string) => file.endsWith(".jsonl") ? "segment" : "cursor";
    const steps = () => channel.files.calls.map((seen) => `${seen.call} ${path(seen.path)}`);
    const sync = syncPolicy === "always" ? [] : ["sync segment"];
    assertEquals(steps(), [...sync, "write cursor", "sync cursor"]);
    channel.files.calls.length = 0;
    await cursor.save(third!);
    assertEquals(steps(), ["write cursor", "sync cursor"], "what was synced is synced again");
    cursor.close();

    // Who knows whether the process before was killed between a write and its sync.
    await channel.reopen();
    const again = await channel.log.cursor("reader");
    channel.files.calls.length = 0;
    await again.save(channel.log.end);
    assertEquals(steps()[0], "sync segment");
    again.close();
  });
}

Deno.test("a cursor waits for a sync of its records that is under way", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "periodic", syncIntervalMs: 200 });
  const cursor = await cursorAt(channel, 0);
  await channel.log.append("a", () => undefined);
  const gate = Promise.withResolvers<void>();
  channel.files.syncGate = gate.promise;
  await channel.clock.advance(200);
  channel.files.calls.length = 0;
  const saved = cursor.save(channel.log.end);
  await turn();
  assertEquals(channel.files.count("write"), 0);
  gate.resolve();
  await saved;
  assertEquals(channel.files.calls.map(({ call }) => call), ["sync", "write", "sync"]);
  cursor.close();
});

Deno.test("a cursor is not written when its records cannot be made durable", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "none" });
  const cursor = await cursorAt(channel, 0);
  await channel.log.append("a", () => undefined);
  channel.files.fail("sync", { path: ".jsonl" });
  await assertRejects(
    async () => await cursor.save(channel.log.end),
    StorageError,
    "reader.offset",
  );
  assertEquals(cursorText(channel), padded(0));
  await cursor.save(channel.log.end);
  assertEquals(cursorText(channel), padded(channel.log.end));
  cursor.close();
});

Deno.test("saving the position that is kept writes nothing", async () => {
  await using channel = await TestChannel.open();
  const cursor = await cursorAt(channel, 5);
  channel.files.calls.length = 0;
  await cursor.save(5);
  assertEquals(channel.files.calls, []);
  cursor.close();
});

Deno.test("a cursor as the Go implementation writes it is read, and padded by the next save", async () => {
  for (const text of ["1234\n", "1234", "0001234\n", " 1234 \n"]) {
    await using channel = await TestChannel.closed();
    await channel.writeCursor("reader", text);
    await channel.open();
    const cursor = await channel.log.cursor("reader");
    assertEquals(cursor.position, 1234, JSON.stringify(text));
    assertEquals((await channel.log.cursors()).map(({ position }) => position), [1234]);
    await cursor.save(1235);
    assertEquals(cursorText(channel), padded(1235));
    cursor.close();
  }
});

Deno.test("a damaged cursor is an error that names its file", async () => {
  await using channel = await TestChannel.open();
  const damaged = ["abc\n", "-5\n", "1.5\n", "12 34\n", "1e3", "0x10", "99999999999999999999\n"];
  for (const text of [...damaged, "1".repeat(30), "\0".repeat(21), "000000000000000000\xff3\n"]) {
    await channel.writeCursor("reader", text);
    const error = await assertRejects(() => channel.log.cursor("reader"), StorageError);
    assertStringIncludes(error.message, `${channel.cursorFolder}/reader.offset`);
    assertEquals(cursorText(channel), text, "a damaged cursor is left as it is");
  }
});

Deno.test("a damaged cursor is left out of the list, with an error that names its file", async () => {
  await using channel = await TestChannel.open();
  await channel.writeCursor("good", "5\n");
  await channel.writeCursor("reader", "abc\n");
  assertEquals((await channel.log.cursors()).map(({ name }) => name), ["good"]);
  const [error] = channel.logger.matching("could not read a cursor");
  assertStringIncludes(String(error!.fields.path), "reader.offset");
});

Deno.test("an empty cursor file means that there is no cursor yet, with a warning", async () => {
  await using channel = await TestChannel.open();
  await channel.writeCursor("reader", "");
  const cursor = await channel.log.cursor("reader");
  assertEquals(cursor.position, undefined);
  assertEquals(channel.logger.matching("a cursor without a position").length, 1);
  await cursor.save(3);
  assertEquals(cursorText(channel), padded(3));
  cursor.close();
});

Deno.test("what a crash left beside a cursor is neither read nor listed", async () => {
  await using channel = await TestChannel.open();
  await channel.writeCursor("reader", "5\n");
  await Deno.writeTextFile(`${channel.cursorFolder}/reader.offset.tmp`, "999999");
  await Deno.writeTextFile(`${channel.cursorFolder}/notes.txt`, "7\n");
  assertEquals((await channel.log.cursors()).map(({ name, position }) => [name, position]), [
    ["reader", 5],
  ]);
  const cursor = await cursorAt(channel, 6);
  assertEquals(cursorText(channel), padded(6));
  cursor.close();
});

for (const call of ["open", "write", "sync", "rename", "syncDir", "makeDir"] as const) {
  Deno.test(`a first save that fails is a StorageError, and the next one works: ${call}`, async () => {
    await using channel = await TestChannel.open();
    const cursor = await channel.log.cursor("reader");
    channel.files.fail(call, { path: "subscribers" });
    const error = await assertRejects(async () => await cursor.save(5), StorageError);
    assertStringIncludes(error.message, "reader.offset");
    assertEquals(cursor.position, undefined);
    await cursor.save(6);
    assertEquals([cursor.position, cursorText(channel)], [6, padded(6)]);
    cursor.close();
  });
}

for (const call of ["write", "sync"] as const) {
  for (const way of ["blocking", "asynchronous"] as const) {
    Deno.test(`a save that fails leaves the earlier position: ${call}, ${way}`, async () => {
      await using channel = await TestChannel.open();
      if (way === "asynchronous") {
        channel.files.onCall = (seen) => seen === "sync" && channel.clock.pass(5);
      }
      const cursor = await cursorAt(channel, 5);
      channel.files.fail(call, { path: "reader.offset" });
      await assertRejects(async () => await cursor.save(6), StorageError, "reader.offset");
      assertEquals(cursor.position, 5);
      await cursor.save(7);
      assertEquals([cursor.position, cursorText(channel)], [7, padded(7)]);
      // The one that failed may have reached the file: saving the earlier one writes it again.
      channel.files.fail("sync", { path: "reader.offset" });
      await assertRejects(async () => await cursor.save(8), StorageError);
      await cursor.save(7);
      assertEquals(cursorText(channel), padded(7));
      cursor.close();
    });
  }
}

Deno.test("writes that come short are made whole", async () => {
  await using channel = await TestChannel.open();
  channel.files.writeBytesMax = 3;
  const cursor = await cursorAt(channel, 123_456);
  await cursor.save(654_321);
  assertEquals(cursorText(channel), padded(654_321));
  cursor.close();
});

Deno.test("a cursor moves on a full disk, since its file does not grow", async () => {
  await using channel = await TestChannel.open();
  const cursor = await cursorAt(channel, 5);
  channel.files.roomBytes = 0;
  await cursor.save(6);
  assertEquals(cursorText(channel), padded(6));
  cursor.close();
});

Deno.test("a cursor whose name is too long for a file is a StorageError", async () => {
  await using channel = await TestChannel.open();
  const error = await assertRejects(
    async () => await (await channel.log.cursor("x".repeat(255))).save(1),
    StorageError,
  );
  assert(error.message.includes("xxx.offset"));
});

Deno.test("a cursor with a name that leads elsewhere is refused", async () => {
  await using channel = await TestChannel.open();
  for (const name of ["../x", "a/b", "", ".."]) {
    await assertRejects(() => channel.log.cursor(name), StorageError, JSON.stringify(name));
    await assertRejects(() => channel.log.removeCursor(name), StorageError, JSON.stringify(name));
  }
});

Deno.test("cursors of peers have names beyond those of subscribers", async () => {
  await using channel = await TestChannel.open();
  for (const name of ["fed-hub%3A7", "fedout-10.0.0.1%3A8443", "x.offset"]) {
    const cursor = await channel.log.cursor(name);
    await cursor.save(1);
    cursor.close();
  }
  assertEquals((await channel.log.cursors()).map(({ name }) => name), [
    "fed-hub%3A7",
    "fedout-10.0.0.1%3A8443",
    "x.offset",
  ]);
});
