import { assertEquals, assertRejects } from "@std/assert";
import {
  InvalidChannelNameError,
  MessengerClosedError,
  StorageError,
  type StoredMessage,
} from "@keyop/messenger";
import { TestMessenger } from "../helpers/test_messenger.ts";

const TYPE = "com.example.Reading";

async function publish(pi: TestMessenger, ...payloads: unknown[]): Promise<void> {
  await pi.messenger.publishBatch(
    "readings",
    payloads.map((payload) => ({ payloadType: TYPE, payload })),
  );
}

async function payloads(messages: AsyncIterable<StoredMessage>): Promise<unknown[]> {
  return await Array.fromAsync(messages, ({ payload }) => payload);
}

Deno.test("read gives what a channel keeps, from any position, and keeps no cursor", async () => {
  await using pi = await TestMessenger.open();
  await publish(pi, 1, 2, 3);
  const all = await Array.fromAsync(pi.messenger.read("readings"));
  assertEquals(all.map(({ payload }) => payload), [1, 2, 3]);
  assertEquals(all[0]!.next, all[1]!.position);
  assertEquals(await payloads(pi.messenger.read("readings", { from: all[0]!.next })), [2, 3]);
  assertEquals(await payloads(pi.messenger.read("readings", { from: "end" })), []);
  assertEquals([...Deno.readDirSync(`${pi.dataDir}/subscribers`)], []);
});

Deno.test("read of a channel that is not there is empty and makes none", async () => {
  await using pi = await TestMessenger.open();
  assertEquals(await payloads(pi.messenger.read("readings")), []);
  assertEquals(pi.messenger.channels(), []);
  assertEquals(await pi.messenger.channelInfo("readings"), undefined);
});

Deno.test("read with follow waits for what is published, until its signal ends it", async () => {
  await using pi = await TestMessenger.open();
  const stop = new AbortController();
  const created: string[] = [];
  const endTelling = pi.messenger.onChannel((channel) => created.push(channel));
  const messages = pi.messenger.read("readings", { follow: true, signal: stop.signal });
  const first = messages.next();
  await publish(pi, 1, 2);
  assertEquals((await first).value?.payload, 1);
  assertEquals((await messages.next()).value?.payload, 2);
  const waiting = messages.next();
  stop.abort();
  assertEquals(await waiting, { done: true, value: undefined });
  assertEquals(created, ["readings"]);
  endTelling();
});

Deno.test("closing the messenger ends those who read, and refuses more", async () => {
  const pi = await TestMessenger.open();
  const waiting = pi.messenger.read("readings", { follow: true, from: "end" }).next();
  await publish(pi, 1);
  const next = pi.messenger.read("readings", { follow: true, from: "end" }).next();
  assertEquals((await waiting).value?.payload, 1);
  await pi.messenger.close();
  assertEquals(await next, { done: true, value: undefined });
  await assertRejects(() => pi.messenger.read("readings").next(), MessengerClosedError);
  await assertRejects(() => pi.messenger.trim("readings", 0), MessengerClosedError);
  await pi[Symbol.asyncDispose]();
});

Deno.test("read leaves out what its schema refuses, and gives what the schema returns", async () => {
  await using pi = await TestMessenger.open();
  await publish(pi, 1, "two", 3);
  pi.messenger.registerPayloadType(TYPE, async (value) => {
    await Promise.resolve();
    if (typeof value !== "number") throw new TypeError("expected a number");
    return value * 10;
  });
  assertEquals(await payloads(pi.messenger.read("readings")), [10, 30]);
  assertEquals(pi.logger.matching("left out").length, 1);
});

Deno.test("read names a position past the end, and a name that is none", async () => {
  await using pi = await TestMessenger.open();
  await publish(pi, 1);
  const { end } = (await pi.messenger.channelInfo("readings"))!;
  await assertRejects(
    () => pi.messenger.read("readings", { from: end + 5 }).next(),
    StorageError,
    `at ${end + 5}: it ends at ${end}`,
  );
  await assertRejects(() => pi.messenger.read("../x").next(), InvalidChannelNameError);
});

Deno.test("a trimmed channel is read from what it still keeps", async () => {
  await using pi = await TestMessenger.open();
  const big = "x".repeat(3 * 1024 * 1024);
  await publish(pi, big, big);
  await pi.messenger.trim("readings", (await pi.messenger.channelInfo("readings"))!.end);
  await publish(pi, "last");
  await pi.messenger.trim("readings", (await pi.messenger.channelInfo("readings"))!.end);
  assertEquals(await payloads(pi.messenger.read("readings", { from: 0 })), ["last"]);
  await pi.reopen();
  assertEquals(await payloads(pi.messenger.read("readings")), ["last"]);
});
