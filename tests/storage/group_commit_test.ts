import {
  assert,
  assertEquals,
  assertGreater,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { setImmediate } from "node:timers";
import { MessengerClosedError, StorageError } from "../../src/base/mod.ts";
import { turn } from "../helpers/fake_clock.ts";
import { TestChannel } from "../helpers/test_channel.ts";

const MIB = 1024 * 1024;

/** Appends and tells how it ended: the position, or the error's name. */
function outcome(channel: TestChannel, text: string): Promise<number | string> {
  return channel.log.append(text, (position) => position).catch((error) => error.name);
}

function texts(count: number, first = 0): string[] {
  return Array.from({ length: count }, (_, n) => `record ${first + n}`);
}

function writes(channel: TestChannel): number[] {
  return channel.files.calls.filter(({ call, path }) => call === "write" && path.endsWith(".jsonl"))
    .map(({ bytes }) => bytes!);
}

function content(channel: TestChannel): string {
  return channel.segments().map(({ text }) => text).join("");
}

Deno.test("what one turn publishes is written with one call and synced with one", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "always" });
  channel.files.calls.length = 0;
  await Promise.all(texts(100).map((text) => outcome(channel, text)));
  assertEquals(writes(channel).length, 1);
  assertEquals(channel.files.count("sync"), 1);
  assertEquals([channel.log.stats().appended, channel.log.stats().commits], [100, 1]);
});

Deno.test("under always everything that is ready to publish joins the group", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "always" });
  await Promise.all(
    texts(20).map(async (text, n) => {
      for (let turns = 0; turns < n; turns++) await Promise.resolve();
      await outcome(channel, text);
    }),
  );
  assertEquals(channel.log.stats().commits, 1);
});

Deno.test("while a slow sync is under way the next group gathers", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "always" });
  channel.files.onCall = (call) => call === "sync" && channel.clock.pass(5);
  await outcome(channel, "slow");
  const gate = Promise.withResolvers<void>();
  channel.files.syncGate = gate.promise;
  const settled: string[] = [];
  const append = (text: string) => channel.log.append(text, () => settled.push(text));
  const first = append("a");
  await turn();
  const rest = [append("b"), append("c")];
  await turn();
  assertEquals(settled, []);
  assertEquals(content(channel), "slow\na\n");
  gate.resolve();
  await Promise.all([first, ...rest]);
  assertEquals(settled, ["a", "b", "c"]);
  assertEquals(channel.log.stats().commits, 3);
});

Deno.test("a sync that takes less than a millisecond blocks, a longer one does not", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "always" });
  let syncMs = 0.5;
  channel.files.onCall = (call) => call === "sync" && channel.clock.pass(syncMs);
  const asides: (boolean | undefined)[] = [];
  for (const ms of [0.5, 0.5, 7, 7, 0.2, 0.2]) {
    syncMs = ms;
    await outcome(channel, "a");
    asides.push(channel.files.calls.filter(({ call }) => call === "sync").at(-1)!.aside);
  }
  // How long the last one took decides about the next.
  assertEquals(asides, [undefined, undefined, undefined, true, true, undefined]);
});

Deno.test("under periodic a sync follows what was written, one interval later", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "periodic", syncIntervalMs: 200 });
  channel.files.calls.length = 0;
  await outcome(channel, "a");
  await channel.clock.advance(199);
  await outcome(channel, "b");
  assertEquals(channel.files.count("sync"), 0);
  await channel.clock.advance(1);
  await channel.files.idle();
  assertEquals(channel.files.count("sync"), 1);
  await channel.clock.advance(1_000);
  assertEquals(channel.files.count("sync"), 1);
  await outcome(channel, "c");
  await channel.clock.advance(200);
  assertEquals(channel.files.count("sync"), 2);
});

Deno.test("a periodic sync that fails is logged once and tried again, and service goes on", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "periodic", syncIntervalMs: 200 });
  await outcome(channel, "a");
  channel.files.calls.length = 0;
  channel.files.fail("sync", { times: 3 });
  for (let tries = 1; tries <= 4; tries++) {
    await channel.clock.advance(200);
    await channel.files.idle();
    assertEquals(channel.files.count("sync"), tries);
    assertEquals(channel.logger.matching("a periodic sync failed").length, 1);
    assertEquals(channel.logger.matching("succeed again").length, tries === 4 ? 1 : 0);
    if (tries === 2) await outcome(channel, "b");
  }
  await channel.clock.advance(1_000);
  assertEquals(channel.files.count("sync"), 4);
  await channel.reopen();
  assertEquals(await channel.texts(), ["a", "b"]);
});

Deno.test("under none nothing is synced until the channel closes", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "none" });
  channel.files.calls.length = 0;
  await outcome(channel, "a");
  await channel.clock.advance(60_000);
  assertEquals(channel.files.count("sync"), 0);
  await channel.logs.close();
  assertEquals(channel.files.count("sync"), 1);
});

for (const syncPolicy of ["always", "periodic", "none"] as const) {
  Deno.test(`writes that come short are made whole, under ${syncPolicy}`, async () => {
    await using channel = await TestChannel.open({ syncPolicy, segmentBytes: 200 });
    channel.files.writeBytesMax = 7;
    const all = texts(50);
    await channel.log.appendAll(all);
    assertEquals(await channel.texts(), all);
    await channel.reopen();
    assertEquals(await channel.texts(), all);
    assertEquals(channel.logger.from("warn"), []);
  });

  Deno.test(`a full disk makes publishers wait and loses nothing, under ${syncPolicy}`, async () => {
    await using channel = await TestChannel.open({ syncPolicy, segmentBytes: 100 });
    channel.files.roomBytes = 150;
    const appended = texts(30).map((text) => outcome(channel, text));
    await channel.clock.untilTimer(10);
    const later = texts(30, 30).map((text) => outcome(channel, text));
    await channel.clock.advance(10);
    await channel.clock.fire(20);
    assertEquals(channel.log.end, 0);
    assertEquals(channel.log.stats().stalled, true);
    assertEquals(await channel.texts(), []);
    assert(content(channel).endsWith("\n"), "a half-written record is left while the disk is full");

    channel.files.roomBytes = Infinity;
    await channel.clock.fire(40);
    const positions = await Promise.all([...appended, ...later]);
    assertEquals(positions, [...positions].sort((a, b) => Number(a) - Number(b)));
    assertEquals(await channel.texts(), texts(60));
    assertEquals(channel.log.stats().stalled, false);
    await channel.reopen();
    assertEquals(await channel.texts(), texts(60));
  });

  Deno.test(`a stall is logged once and its end once, under ${syncPolicy}`, async () => {
    await using channel = await TestChannel.open({ syncPolicy });
    for (const round of [1, 2]) {
      channel.files.roomBytes = 0;
      const appended = outcome(channel, "a");
      for (const waitMs of [10, 20, 40]) await channel.clock.fire(waitMs);
      channel.files.roomBytes = Infinity;
      await channel.clock.fire(80);
      await appended;
      const stalls = channel.logger.matching("the disk refuses writes");
      const ends = channel.logger.matching("the disk takes writes again");
      assertEquals([stalls.length, ends.length], [round, round]);
      assertEquals([stalls[0]!.level, ends[0]!.level], ["error", "info"]);
      assertStringIncludes(String(stalls[0]!.fields.error), "No space left");
    }
  });
}

Deno.test("waits between tries double from 10 ms up to a second", async () => {
  await using channel = await TestChannel.open();
  channel.files.roomBytes = 0;
  const begin = channel.clock.started.length;
  const appended = outcome(channel, "a");
  for (const waitMs of [10, 20, 40, 80, 160, 320, 640, 1_000, 1_000]) {
    await channel.clock.fire(waitMs);
  }
  channel.files.roomBytes = Infinity;
  await channel.clock.fire(1_000);
  await appended;
  assertEquals(channel.clock.started.slice(begin, begin + 10), [
    10,
    20,
    40,
    80,
    160,
    320,
    640,
    1_000,
    1_000,
    1_000,
  ]);
});

Deno.test("while the disk is full no more gathers than the bound", async () => {
  await using channel = await TestChannel.open({ maxPendingBytes: 10_000 });
  channel.files.roomBytes = 0;
  const all = Array.from({ length: 100 }, (_, n) => `${n}`.padEnd(999, "x"));
  const first = outcome(channel, "first");
  await channel.clock.untilTimer(10);
  const appended = all.map((text) => outcome(channel, text));
  channel.files.calls.length = 0;
  channel.files.roomBytes = Infinity;
  await channel.clock.advance(10);
  await Promise.all([first, ...appended]);
  assertEquals(await channel.texts(), ["first", ...all]);
  for (const bytes of writes(channel)) assertGreater(11_001, bytes);
  assertGreater(writes(channel).length, 9);
});

Deno.test("long records that waited for a full disk keep their order", async () => {
  for (const syncPolicy of ["always", "periodic", "none"] as const) {
    await using channel = await TestChannel.open({ syncPolicy, maxPendingBytes: 4 * MIB });
    channel.files.roomBytes = 0;
    const all = Array.from({ length: 24 }, (_, n) => `${n} `.padEnd(600_000, "x"));
    const first = outcome(channel, "first");
    await channel.clock.untilTimer(10);
    const appended = all.map((text) => outcome(channel, text));
    channel.files.roomBytes = Infinity;
    await channel.clock.advance(10);
    await Promise.all([first, ...appended]);
    const order = (await channel.texts()).map((text) => text.slice(0, 3).replace(/ .*/, ""));
    assertEquals(order, ["fir", ...all.map((_, n) => `${n}`)], syncPolicy);
  }
});

Deno.test("many long records that waited do not exhaust the stack", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "none", maxPendingBytes: 1 });
  channel.files.roomBytes = 0;
  const first = outcome(channel, "first");
  await channel.clock.untilTimer(10);
  const long = "x".repeat(MIB);
  const appended = Array.from({ length: 60 }, () => outcome(channel, long));
  channel.files.roomBytes = Infinity;
  await channel.clock.advance(10);
  await Promise.all([first, ...appended]);
  assertEquals(channel.log.end, 6 + 60 * (MIB + 1));
});

Deno.test("a disk that does not even take the cutting back is cut when it can be", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "none" });
  await outcome(channel, "a");
  channel.files.roomBytes = 3;
  channel.files.fail("truncate", { times: 3 });
  const appended = outcome(channel, "bbbbbb");
  for (const waitMs of [10, 20, 40, 80]) await channel.clock.fire(waitMs);
  channel.files.roomBytes = Infinity;
  await channel.clock.fire(160);
  await appended;
  assertEquals(content(channel), "a\nbbbbbb\n");
});

Deno.test("closing gives up on a full disk after five seconds, and the log is whole", async () => {
  await using channel = await TestChannel.open({ segmentBytes: 100, maxPendingBytes: 100 });
  await channel.log.appendAll(texts(3));
  channel.files.roomBytes = 170;
  const appended = texts(40, 3).map((text) => channel.log.append(text, (position) => position));
  const results = Promise.allSettled(appended);
  await channel.clock.untilTimer(10);
  const closed = channel.logs.close();
  await channel.clock.advance(4_999);
  assertEquals(channel.log.stats().stalled, true);
  await channel.clock.advance(1);
  await closed;
  const rejected = (await results).filter((result) => result.status === "rejected");
  for (const { reason } of rejected) {
    assert(reason instanceof StorageError);
    assertStringIncludes(reason.message, "readings");
  }
  assertGreater(rejected.length, 20);
  const stored = 43 - rejected.length;
  assertEquals(content(channel), texts(stored).map((text) => `${text}\n`).join(""));
  channel.files.roomBytes = Infinity;
  await channel.open();
  assertEquals(await channel.texts(), texts(stored));
  await channel.log.appendAll(texts(20, stored));
  assertEquals(await channel.texts(), texts(stored + 20));
  assertEquals(channel.log.stats().skippedBytes, 0);
});

Deno.test("closing gives up on a segment that cannot be made, and leaves none of it", async () => {
  await using channel = await TestChannel.open({ segmentBytes: 100 });
  await channel.log.appendAll(texts(3));
  channel.files.fail("syncDir", { times: Infinity });
  const appended = assertRejects(() => channel.log.appendAll(texts(20, 3)), StorageError);
  await channel.clock.untilTimer(10);
  const closed = channel.logs.close().catch(() => {});
  await channel.clock.advance(5_000);
  await Promise.all([appended, closed]);
  channel.files.heal();
  await channel.open();
  assertEquals(channel.segments().length, 1);
  assertEquals(await channel.texts(), texts(3));
  assertEquals(channel.log.stats().skippedBytes, 0);
});

Deno.test("closing waits for a disk that has room again in time", async () => {
  await using channel = await TestChannel.open();
  channel.files.roomBytes = 0;
  const appended = texts(3).map((text) => outcome(channel, text));
  await channel.clock.untilTimer(10);
  const closed = channel.logs.close();
  await assertRejects(() => channel.log.append("late", () => undefined), MessengerClosedError);
  channel.files.roomBytes = Infinity;
  await channel.clock.advance(10);
  await closed;
  assertEquals(await Promise.all(appended), [0, 9, 18]);
});

Deno.test("a log that closes well leaves no timer behind", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "periodic" });
  await outcome(channel, "a");
  await channel.logs.close();
  assertEquals(channel.clock.running, []);
});

Deno.test("a last sync that fails makes closing fail with a StorageError, and frees the directory", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "none" });
  await outcome(channel, "a");
  channel.files.fail("sync");
  const error = await assertRejects(() => channel.logs.close(), StorageError);
  assertStringIncludes(error.message, "readings");
  await channel.open();
  assertEquals(await channel.texts(), ["a"]);
});

Deno.test("a publisher that awaits each message lets others have their turn", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "none" });
  channel.files.onCall = (call) => call === "write" && channel.clock.pass(1);
  let turns = 0;
  let running = true;
  const count = () => {
    turns++;
    if (running) setImmediate(count);
  };
  setImmediate(count);
  for (let n = 0; n < 100; n++) await outcome(channel, "a");
  running = false;
  assertGreater(turns, 3);
});

Deno.test("a jump of the wall clock changes neither order nor service", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "periodic" });
  const jumps = [0, Date.UTC(2040, 0), Date.UTC(2026, 0), Date.UTC(1999, 0)];
  for (let n = 0; n < 100; n++) {
    channel.clock.setWall(jumps[n % jumps.length]!);
    await outcome(channel, `${n}`);
  }
  assertEquals(await channel.texts(), Array.from({ length: 100 }, (_, n) => `${n}`));
});
