import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { StorageError } from "../../src/base/mod.ts";
import { turn } from "../helpers/fake_clock.ts";
import { TestChannel } from "../helpers/test_channel.ts";

const FAILED = "Cannot sync";

/** Appends each text by itself; gives those whose append settled. */
async function appendEach(channel: TestChannel, texts: readonly string[]): Promise<string[]> {
  const results = await Promise.allSettled(
    texts.map((text) => channel.log.append(text, () => text)),
  );
  return results.flatMap((result) => result.status === "fulfilled" ? [result.value] : []);
}

/** Makes syncs look slow, so that the next ones happen aside. */
function slowDown(channel: TestChannel): void {
  channel.files.onCall = (call) => call === "sync" && channel.clock.pass(5);
}

for (const way of ["blocking", "asynchronous"] as const) {
  Deno.test(`a failed sync under always rejects its whole group, ${way}`, async () => {
    await using channel = await TestChannel.open({ syncPolicy: "always" });
    if (way === "asynchronous") slowDown(channel);
    await channel.log.append("before", () => undefined);
    await turn();
    channel.files.fail("sync", { path: "channels/" });
    const group = ["a", "b", "c"].map((text) => channel.log.append(text, () => undefined));
    const batch = channel.log.appendAll(["d", "e"]);
    for (const append of [...group, batch]) await assertRejects(() => append, StorageError, FAILED);
    const sync = channel.files.calls.filter(({ call }) => call === "sync").at(-1)!;
    assertEquals(sync.aside ?? false, way === "asynchronous");

    assertEquals(channel.log.end, 7);
    assertEquals(await channel.texts(), ["before"]);
    assertEquals(channel.logger.from("error").length, 1);
    assertStringIncludes(channel.logger.from("error")[0]!, "a sync failed");
    assertEquals(await channel.log.append("after", (position) => position), 7);
    assertEquals(await channel.texts(), ["before", "after"]);
    await channel.reopen();
    assertEquals(await channel.texts(), ["before", "after"]);
  });

  Deno.test(`records whose sync failed are gone after reopening, ${way}`, async () => {
    await using channel = await TestChannel.open({ syncPolicy: "always" });
    if (way === "asynchronous") slowDown(channel);
    await channel.log.append("before", () => undefined);
    await turn();
    channel.files.fail("sync", { path: "channels/" });
    assertEquals(await appendEach(channel, ["a", "b"]), []);
    await channel.reopen();
    assertEquals(await channel.texts(), ["before"]);
    assertEquals(channel.log.end, 7);
  });

  Deno.test(`publishers that came during a failing sync are served after it, ${way}`, async () => {
    await using channel = await TestChannel.open({ syncPolicy: "always", maxPendingBytes: 5 });
    if (way === "asynchronous") slowDown(channel);
    await channel.log.append("before", () => undefined);
    await turn();
    channel.files.fail("sync", { path: "channels/" });
    const first = assertRejects(() => channel.log.append("first", () => undefined), StorageError);
    const rest = first.then(() => {});
    const later = ["a", "b", "c"].map((text) => channel.log.append(text, () => text));
    await rest;
    const served = (await Promise.allSettled(later))
      .flatMap((result) => result.status === "fulfilled" ? [result.value] : []);
    assertEquals(await channel.texts(), ["before", ...served]);
  });

  Deno.test(`a failed sync at the end of a group over several segments takes all back, ${way}`, async () => {
    await using channel = await TestChannel.open({ syncPolicy: "always", segmentBytes: 10 });
    if (way === "asynchronous") slowDown(channel);
    await channel.log.append("before", () => undefined);
    await turn();
    for (const nth of [1, 2, 3]) {
      const end = channel.files.fail("sync", { path: "channels/", nth });
      await assertRejects(
        () => channel.log.appendAll(["aaaaaa", "bbbbbb", "cccccc"]),
        StorageError,
      );
      end();
      assertEquals(channel.segments().map(({ text }) => text), ["before\n"], `sync ${nth}`);
      assertEquals(await channel.texts(), ["before"], `sync ${nth}`);
    }
    await channel.log.appendAll(["x", "y"]);
    await channel.reopen();
    assertEquals(await channel.texts(), ["before", "x", "y"]);
    assertEquals(channel.log.stats().skippedBytes, 0);
  });
}

Deno.test("after a failed sync the segment is written through a new handle", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "always" });
  await channel.log.append("before", () => undefined);
  await turn();
  channel.files.fail("sync", { path: "channels/" });
  await appendEach(channel, ["a"]);
  const opened = channel.files.count("open", ".jsonl");
  assertEquals(opened, 2);
  assertEquals(channel.files.count("close", ".jsonl"), 1);
  await channel.log.append("after", () => undefined);
  assertEquals(channel.files.count("open", ".jsonl"), opened);
});

for (const call of ["truncate", "open", "remove", "syncDir"] as const) {
  Deno.test(`records that cannot be taken back at once are by the next write, ${call}`, async () => {
    await using channel = await TestChannel.open({ syncPolicy: "always", segmentBytes: 20 });
    await channel.log.append("before", () => undefined);
    await turn();
    channel.files.fail("sync", { path: "channels/", nth: 2 });
    let syncs = 0;
    channel.files.onCall = (seen) => {
      if (seen === "sync" && ++syncs === 2) channel.files.fail(call, { path: "readings" });
    };
    const group = channel.log.appendAll(["aaaaaa", "bbbbbb", "cccccc"]);
    await assertRejects(() => group, StorageError, FAILED);
    assertEquals(channel.logger.matching("could not take records back yet").length, 1);
    await channel.log.append("after", () => undefined);
    assertEquals(await channel.texts(), ["before", "after"]);
    await channel.reopen();
    assertEquals(await channel.texts(), ["before", "after"]);
    assertEquals(channel.log.stats().skippedBytes, 0);
  });
}

Deno.test("records that cannot be taken back at once are taken back when the channel closes", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "always" });
  await channel.log.append("before", () => undefined);
  await turn();
  channel.files.fail("sync", { path: "channels/" });
  channel.files.fail("truncate", { path: "channels/" });
  assertEquals(await appendEach(channel, ["a", "b"]), []);
  await channel.reopen();
  assertEquals(await channel.texts(), ["before"]);
});

Deno.test("under always exactly what settled is in the log, whatever fails", async () => {
  const faults = fc.array(
    fc.record({
      call: fc.constantFrom("sync", "write", "truncate", "open", "syncDir", "remove" as const),
      nth: fc.integer({ min: 1, max: 6 }),
      times: fc.integer({ min: 1, max: 2 }),
    }),
    { maxLength: 3 },
  );
  const groups = fc.array(fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 6 }), {
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(groups, faults, fc.boolean(), async (lengths, failing, slow) => {
      await using channel = await TestChannel.open({ syncPolicy: "always", segmentBytes: 16 });
      if (slow) slowDown(channel);
      for (const { call, nth, times } of failing) {
        channel.files.fail(call, { path: "channels/", nth, times });
      }
      const settled: string[] = [];
      let n = 0;
      for (const group of lengths) {
        const texts = group.map((length) => `${n++}`.padEnd(length, "x"));
        settled.push(...await channel.clock.hurry(appendEach(channel, texts)));
      }
      channel.files.heal();
      assertEquals(await channel.texts(), settled);
      await channel.reopen();
      assertEquals(await channel.texts(), settled);
      assertEquals(channel.log.stats().skippedBytes, 0);
    }),
    { numRuns: 150 },
  );
});

Deno.test("a publisher that awaits each message is told of a failed sync, and goes on", async () => {
  await using channel = await TestChannel.open({ syncPolicy: "always" });
  await channel.log.append("before", () => undefined);
  channel.files.fail("sync", { path: "channels/" });
  await assertRejects(() => channel.log.append("a", () => undefined), StorageError, FAILED);
  assertEquals(await channel.log.append("b", (position) => position), 7);
  await channel.reopen();
  assertEquals(await channel.texts(), ["before", "b"]);
});
