import { MessengerBus, openBus, RequestTimeoutError } from "@keyop/messenger/bus";
import { MessengerClosedError } from "@keyop/messenger";
import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import { systemClock } from "../../src/base/mod.ts";
import { MessengerHub } from "../../src/bus/messenger_hub.ts";
import { repliesChannel, requestsChannel, streamChannel } from "../../src/bus/messenger_names.ts";
import { eventually } from "../helpers/eventually.ts";
import { RecordingLogger } from "../helpers/recording_logger.ts";
import { tempDir } from "../helpers/temp.ts";
import { TestMessenger } from "../helpers/test_messenger.ts";
import { numbers, publishAll, serveAs, take, text } from "./rules/tools.ts";

const MIB = 1024 * 1024;
/** What trimming may leave of a channel: segments go as a whole. */
const LEFT_MAX = 6 * MIB;

Deno.test("MessengerBus: a request waits through a restart of whoever serves it", async () => {
  await using pi = await TestMessenger.open();
  const id = "3c0f6a1e-one";
  const until = Date.now() + 60_000;
  const channel = requestsChannel("r");
  await pi.messenger.publish(channel, "keyop.bus.request", { id, until, text: "1" });
  const before = new MessengerBus(pi.messenger);
  const begun = Promise.withResolvers<void>();
  await before.serve("r", () => {
    begun.resolve();
    return new Promise(() => {});
  });
  await begun.promise;
  // The process ends before the handler has answered.
  await pi.reopen();
  await using after = new MessengerBus(pi.messenger);
  await serveAs(after, "r", "again");
  const replies = () => pi.payloads(repliesChannel("r", "pi")) as { id: string; text: string }[];
  await eventually("the answer", () => replies().length > 0);
  assertEquals(replies().map(({ id, text }) => [id, text]), [[id, "again:1"]]);

  // What is answered stays answered.
  await after.close();
  await pi.reopen();
  await using third = new MessengerBus(pi.messenger);
  await serveAs(third, "r", "third");
  assertEquals(text(await third.request("r", "2")), "third:2");
  assertEquals(replies().filter((reply) => reply.id === id).length, 1);
});

Deno.test("MessengerBus: a backlog that memory does not hold at once is served whole, each request once", async () => {
  await using pi = await TestMessenger.open();
  const count = 10_500;
  const until = Date.now() + 120_000;
  const requests = numbers(count).map((id) => ({
    payloadType: "keyop.bus.request",
    payload: { id, until, text: id },
  }));
  await pi.messenger.publishBatch(requestsChannel("r"), requests);
  // The last one was answered before.
  const answer = { id: String(count - 1), number: 0, kind: "last", until, text: "" };
  await pi.messenger.publish(repliesChannel("r", "pi"), "keyop.bus.reply", answer);
  await using bus = new MessengerBus(pi.messenger);
  const handled = new Map<string, number>();
  const all = Promise.withResolvers<void>();
  await bus.serve("r", (data) => {
    handled.set(text(data), (handled.get(text(data)) ?? 0) + 1);
    if (handled.size === count - 1) all.resolve();
    return "";
  });
  await all.promise;
  await bus.request("r", "more");
  assertEquals(handled.get(answer.id), undefined);
  assertEquals(Math.max(...handled.values()), 1);
});

Deno.test("MessengerBus: a request whose time is up, or that was given up, is not handled late", async () => {
  await using pi = await TestMessenger.open();
  await using bus = new MessengerBus(pi.messenger);
  await assertRejects(() => bus.request("r", "late", { timeoutMs: 1 }), RequestTimeoutError);
  const giveUp = new AbortController();
  const given = assertRejects(
    () => bus.request("r", "given up", { signal: giveUp.signal, timeoutMs: 60_000 }),
  );
  const lines = () => pi.lines(requestsChannel("r")).length;
  await eventually("both requests", () => lines() === 2);
  giveUp.abort();
  await given;
  await eventually("the giving up", () => lines() === 3);
  const handled: string[] = [];
  await bus.serve("r", (data) => {
    handled.push(text(data));
    return "";
  });
  await bus.request("r", "in time");
  assertEquals(handled, ["in time"]);
});

Deno.test("MessengerBus: buses over one messenger share the requests, none of which is handled twice", async () => {
  await using pi = await TestMessenger.open();
  await using one = new MessengerBus(pi.messenger);
  await using two = new MessengerBus(pi.messenger);
  let handled = 0;
  for (const bus of [one, two, two]) {
    await bus.serve("r", () => {
      handled++;
      return "";
    });
  }
  await Promise.all(numbers(100).map((number) => one.request("r", number)));
  assertEquals(handled, 100);
  assertGreater(one.stats().served, 0);
  assertGreater(two.stats().served, 0);
});

Deno.test("MessengerBus: channels of requests and replies do not grow with what passes through", async () => {
  await using pi = await TestMessenger.open();
  await using bus = new MessengerBus(pi.messenger);
  const hub = MessengerHub.of(pi.messenger, new RecordingLogger(), systemClock);
  const payload = "x".repeat(32 * 1024);
  await bus.serve("r", (data) => data);
  let stored = 0;
  for (let round = 0; round < 20; round++) {
    await Promise.all(numbers(50).map(() => bus.request("r", payload)));
    stored += 50 * payload.length;
    await hub.sweep();
  }
  assertGreater(stored, 4 * LEFT_MAX);
  for (const channel of [requestsChannel("r"), repliesChannel("r", "pi")]) {
    const { bytes } = pi.messenger.stats().channels.find((one) => one.channel === channel)!;
    assert(bytes < LEFT_MAX, `${channel} has ${bytes} bytes`);
  }
  // Sweeping takes nothing from those who still wait.
  assertEquals(text(await bus.request("r", "1")), "1");
});

Deno.test("MessengerBus: replies to a caller that is gone, and requests that nobody serves, are given up", async () => {
  await using pi = await TestMessenger.open();
  await using _bus = new MessengerBus(pi.messenger);
  const hub = MessengerHub.of(pi.messenger, new RecordingLogger(), systemClock);
  const payload = "x".repeat(256 * 1024);
  const gone = repliesChannel("r", "gone");
  const unserved = requestsChannel("unserved");
  const until = Date.now() - 1;
  for (let number = 0; number < 60; number++) {
    const reply = { id: "1", number, kind: "data", until, text: payload };
    await pi.messenger.publish(gone, "keyop.bus.reply", reply);
    const request = { id: String(number), until, text: payload };
    await pi.messenger.publish(unserved, "keyop.bus.request", request);
    if (number % 10 === 9) await hub.sweep();
  }
  for (const channel of [gone, unserved]) {
    const { bytes } = pi.messenger.stats().channels.find((one) => one.channel === channel)!;
    assert(bytes < LEFT_MAX, `${channel} has ${bytes} bytes`);
  }
});

Deno.test("MessengerBus: a channel that happens to be named like one of the bus's is left alone", async () => {
  await using pi = await TestMessenger.open({}, { anyPayloadType: true });
  await using _bus = new MessengerBus(pi.messenger);
  const hub = MessengerHub.of(pi.messenger, new RecordingLogger(), systemClock);
  const payload = "x".repeat(256 * 1024);
  for (let n = 0; n < 40; n++) {
    await pi.messenger.publish("http.requests", "com.example.Hit", payload);
  }
  await hub.sweep();
  const info = await pi.messenger.channelInfo("http.requests");
  assertEquals(info!.start, 0);
});

Deno.test("MessengerBus: a stream gets what others publish to the channel, as JSON", async () => {
  await using pi = await TestMessenger.open({}, { anyPayloadType: true });
  await using bus = new MessengerBus(pi.messenger);
  const stream = await bus.stream("readings");
  await pi.messenger.publish("readings", "com.example.Reading", { celsius: 21.5 });
  assertEquals(await take(stream, 1), [`{"celsius":21.5}`]);
  await bus.publish("readings", "23");
  assertEquals(pi.payloads("readings").at(-1), { text: "23" });
});

Deno.test("MessengerBus: records that are none of the bus's are left out, and the others served", async () => {
  await using pi = await TestMessenger.open();
  await using bus = new MessengerBus(pi.messenger, { logger: new RecordingLogger() });
  await serveAs(bus, "r", "r");
  const { messenger } = pi;
  const channel = requestsChannel("r");
  await assertRejects(() => messenger.publish(channel, "keyop.bus.request", { id: 1 }));
  await assertRejects(() =>
    messenger.publish(channel, "keyop.bus.request", { id: "1", until: 1e15, base64: "?" })
  );
  await messenger.publish(channel, "com.example.Other", null);
  await messenger.publish(channel, "keyop.bus.cancel", { id: "nobody" });
  assertEquals(text(await bus.request("r", "1")), "r:1");
});

Deno.test("MessengerBus: a messenger that closes first ends streams and requests with its error", async () => {
  await using pi = await TestMessenger.open();
  await using bus = new MessengerBus(pi.messenger, { logger: new RecordingLogger() });
  const stream = await bus.stream("s");
  const server = await bus.serve("r", () => "");
  const asking = assertRejects(() => bus.request("nobody", ""));
  await eventually("the request", () => pi.lines(requestsChannel("nobody")).length === 1);
  await pi.messenger.close();
  await assertRejects(() => stream.closed, MessengerClosedError);
  await assertRejects(() => server.closed, MessengerClosedError);
  await asking;
  const error = await assertRejects(() => bus.publish("s", "1"));
  assertEquals((error as { code?: string }).code, "bus_closed");
});

Deno.test("MessengerBus: a slow reader of many replies holds up no other caller and loses nothing", async () => {
  await using pi = await TestMessenger.open();
  await using bus = new MessengerBus(pi.messenger);
  await serveAs(bus, "r", "r");
  await bus.serve("count", async function* () {
    for (let n = 0; n < 5_000; n++) yield String(n);
  });
  const slow = bus.requestMany("count", "", { timeoutMs: 60_000 })[Symbol.asyncIterator]();
  assertEquals(text((await slow.next()).value!), "0");
  const quick = await Array.fromAsync(bus.requestMany("count", "", { timeoutMs: 60_000 }));
  assertEquals(quick.map(text), numbers(5_000));
  assertEquals(text(await bus.request("r", "1")), "r:1");
  for (let n = 1; n < 5_000; n++) assertEquals(text((await slow.next()).value!), String(n));
  assertEquals((await slow.next()).done, true);
});

Deno.test("MessengerBus: openBus opens the messenger of a configuration, and closes it", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/pi.yaml`;
  await Deno.writeTextFile(path, `name: pi\nstorage: { data_dir: ${dir.path}/data }\n`);
  for (const round of ["first", "second"]) {
    await using bus = await openBus(`messenger:${path}`, { logger: new RecordingLogger() });
    await serveAs(bus, "r", round);
    assertEquals(text(await bus.request("r", "1")), `${round}:1`);
  }
  await assertRejects(() => openBus("messenger:"), Error, "name the messenger's configuration");
});

Deno.test("names of channels are valid, and differ for subjects that differ", () => {
  const subjects = ["a", "a.requests", "a.replies.x", ".", "..", "x".repeat(255), "a.dead-letter"];
  const instances = ["pi", "a pi", "x".repeat(255), ".", "pi.dead-letter"];
  const names = subjects.flatMap((subject) => [
    streamChannel(subject),
    requestsChannel(subject),
    ...instances.map((instance) => repliesChannel(subject, instance)),
  ]);
  assertEquals(new Set(names).size, names.length);
  for (const name of names) {
    assert(/^[a-zA-Z0-9._-]{1,255}$/.test(name) && !name.endsWith(".dead-letter"), name);
  }
  assertEquals(requestsChannel("thermostat"), "thermostat.requests");
  assertEquals(repliesChannel("thermostat", "pi"), "thermostat.replies.pi");
});

Deno.test("MessengerBus: payloads of any size up to its limit arrive", async () => {
  await using pi = await TestMessenger.open();
  await using bus = new MessengerBus(pi.messenger);
  const { maxPayloadBytes } = bus.stats();
  await bus.serve("r", (data) => data);
  for (const byte of [0, 255]) {
    const bytes = new Uint8Array(maxPayloadBytes).fill(byte);
    const answer = await bus.request("r", bytes);
    assertEquals([answer.length, answer[0], answer.at(-1)], [bytes.length, byte, byte]);
  }
  const stream = await bus.stream("s");
  await publishAll(bus, "s", ["\0".repeat(64 * 1024)]);
  assertEquals((await take(stream, 1))[0]!.length, 64 * 1024);
});
