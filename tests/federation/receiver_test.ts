import { assertEquals, assertStringIncludes } from "@std/assert";
import { StorageError } from "../../src/base/mod.ts";
import { type Hub, memoryLinkPair } from "../../src/federation/mod.ts";
import { turn } from "../helpers/fake_clock.ts";
import { anyPeer, Instance, makeHub, messages } from "../helpers/federation.ts";
import { HeldLogs } from "../helpers/held_logs.ts";
import { clientHello, ScriptedPeer } from "../helpers/scripted_peer.ts";
import { until } from "../helpers/until.ts";

/** A peer that has introduced itself to the hub. */
async function join(hub: Hub, name: string): Promise<ScriptedPeer> {
  const pair = memoryLinkPair({ first: { name, address: "memory" }, capacity: 1_000 });
  hub.accept(pair.second);
  const peer = new ScriptedPeer(pair.first);
  peer.say(clientHello(name));
  assertEquals((await peer.nextText()).role, "hub");
  return peer;
}

Deno.test("a frame is acknowledged only after its records are stored", async () => {
  const logs = new HeldLogs();
  const [kitchen, here] = [new Instance("kitchen"), new Instance("hub", { logs })];
  const hub = makeHub(here, [anyPeer("kitchen")]);
  const peer = await join(hub, "kitchen");
  logs.isHolding = true;
  const [a, b] = [kitchen.record("c", 1), kitchen.record("c", 2)];
  peer.sendRecords(a.text, b.text);
  await until("the append", () => logs.held.length === 1);
  await turn(20);
  assertEquals(peer.frames, []);
  assertEquals(logs.held[0]!.records, 2);
  logs.release();
  assertEquals(await peer.nextAck(), b.id);
  assertEquals(here.payloads("c"), [1, 2]);
  assertEquals(here.audited("forward").map((event) => [event.direction, event.messageId]), [
    ["inbound", b.id],
  ]);
  await hub.close();
});

Deno.test("frames that come in while others are stored are stored as one group, and acknowledged in order", async () => {
  const logs = new HeldLogs();
  const [kitchen, here] = [new Instance("kitchen"), new Instance("hub", { logs })];
  const hub = makeHub(here, [anyPeer("kitchen")]);
  const peer = await join(hub, "kitchen");
  logs.isHolding = true;
  const records = Array.from({ length: 6 }, (_, n) => kitchen.record("c", n));
  for (const { text } of records) peer.sendRecords(text);
  await until("the append", () => logs.held.length === 1);
  await turn(20);
  assertEquals(logs.held.map((held) => held.records), [1]);
  logs.held.shift()!.pass();
  await until("the next append", () => logs.held.length === 1);
  assertEquals(logs.held.map((held) => held.records), [5]);
  logs.release();
  for (const { id } of records) assertEquals(await peer.nextAck(), id);
  assertEquals(here.payloads("c"), [0, 1, 2, 3, 4, 5]);
  await hub.close();
});

Deno.test("a frame that mixes channels is stored in each, in order", async () => {
  const [kitchen, here] = [new Instance("kitchen"), new Instance("hub")];
  const hub = makeHub(here, [anyPeer("kitchen")]);
  const peer = await join(hub, "kitchen");
  const records = ["a", "b", "a", "b"].map((channel, n) => kitchen.record(channel, n));
  peer.sendRecords(...records.map(({ text }) => text));
  assertEquals(await peer.nextAck(), records[3]!.id);
  assertEquals([here.payloads("a"), here.payloads("b")], [[0, 2], [1, 3]]);
  await hub.close();
});

Deno.test("a failed append is not acknowledged, closes the link, and the resent record is stored once", async () => {
  const logs = new HeldLogs();
  const [kitchen, here] = [new Instance("kitchen"), new Instance("hub", { logs })];
  const hub = makeHub(here, [anyPeer("kitchen")]);
  const first = await join(hub, "kitchen");
  logs.isHolding = true;
  const [a, b] = [kitchen.record("c", 1), kitchen.record("c", 2)];
  first.sendRecords(a.text);
  await until("the append", () => logs.held.length === 1);
  first.sendRecords(b.text);
  await turn(10);
  logs.held.shift()!.fail(new StorageError("no disk"));
  assertEquals((await first.link.closed).code, 1011);
  assertEquals(first.frames, []);
  logs.release();
  assertEquals(here.count("c"), 0, "what came behind a failure must not be stored before it");

  const second = await join(hub, "kitchen");
  second.sendRecords(a.text, b.text);
  assertEquals(await second.nextAck(), b.id);
  second.sendRecords(a.text, b.text);
  assertEquals(await second.nextAck(), b.id);
  assertEquals(here.payloads("c"), [1, 2]);
  await hub.close();
});

Deno.test("a repetition of a record that another link is storing waits for it", async () => {
  const logs = new HeldLogs();
  const [source, here] = [new Instance("source"), new Instance("hub", { logs })];
  const hub = makeHub(here, [anyPeer("left"), anyPeer("right")]);
  const [left, right] = [await join(hub, "left"), await join(hub, "right")];
  logs.isHolding = true;
  const record = source.record("c", 1);
  left.sendRecords(record.text);
  await until("the append", () => logs.held.length === 1);
  right.sendRecords(record.text);
  await turn(20);
  assertEquals(right.frames, [], "acknowledged although it is not stored");
  logs.release();
  assertEquals(await left.nextAck(), record.id);
  assertEquals(await right.nextAck(), record.id);
  assertEquals(here.payloads("c"), [1]);
  await hub.close();
});

Deno.test("when the storing that a repetition waits for fails, neither link is acknowledged", async () => {
  const logs = new HeldLogs();
  const [source, here] = [new Instance("source"), new Instance("hub", { logs })];
  const hub = makeHub(here, [anyPeer("left"), anyPeer("right")]);
  const [left, right] = [await join(hub, "left"), await join(hub, "right")];
  logs.isHolding = true;
  const record = source.record("c", 1);
  left.sendRecords(record.text);
  await until("the append", () => logs.held.length === 1);
  right.sendRecords(record.text);
  await turn(20);
  logs.held.shift()!.fail(new StorageError("no disk"));
  assertEquals((await left.link.closed).code, 1011);
  assertEquals((await right.link.closed).code, 1011);
  logs.release();
  const again = await join(hub, "right");
  again.sendRecords(record.text);
  assertEquals(await again.nextAck(), record.id);
  assertEquals(here.payloads("c"), [1]);
  await hub.close();
});

Deno.test("two links that wait for each other's repetitions do not wait forever", async () => {
  const logs = new HeldLogs();
  const [source, here] = [new Instance("source"), new Instance("hub", { logs })];
  const hub = makeHub(here, [anyPeer("left"), anyPeer("right")]);
  const [left, right] = [await join(hub, "left"), await join(hub, "right")];
  logs.isHolding = true;
  const [a, b, x, y] = [1, 2, 3, 4].map((n) => source.record("c", n));
  left.sendRecords(a!.text);
  right.sendRecords(b!.text);
  await until("both appends", () => logs.held.length === 2);
  // Behind what is being stored: each link has what the other brings again, and waits with it.
  left.sendRecords(x!.text);
  right.sendRecords(y!.text);
  await turn(5);
  left.sendRecords(y!.text);
  right.sendRecords(x!.text);
  await turn(20);
  logs.release();
  for (const id of [a!.id, x!.id, y!.id]) assertEquals(await left.nextAck(), id);
  for (const id of [b!.id, y!.id, x!.id]) assertEquals(await right.nextAck(), id);
  assertEquals(new Set(here.payloads("c")), new Set([1, 2, 3, 4]));
  assertEquals(here.count("c"), 4);
  await hub.close();
});

Deno.test("what cannot be taken counts as handled: it is counted, logged, audited and acknowledged", async () => {
  const [kitchen, here] = [new Instance("kitchen"), new Instance("hub")];
  const hub = makeHub(here, [{ name: "kitchen", subscribe: [], publish: ["c"] }]);
  const peer = await join(hub, "kitchen");
  const good = kitchen.record("c", "good");
  const looped = new Instance("hub").record("c", "mine");
  const forbidden = kitchen.record("secret", 1);
  const escaping = good.text.replace('"channel":"c"', '"channel":"../c"');
  const damaged = good.text.replace(':"good"', ":good");
  peer.sendRecords(forbidden.text, looped.text, good.text, good.text, escaping, damaged, "{}");
  assertEquals(await peer.nextAck(), "", "the last record has no id to name");
  peer.sendRecords(damaged);
  assertEquals(await peer.nextAck(), good.id, "its id can be read where it always stands");
  assertEquals(here.payloads("c"), ["good"]);
  assertEquals(here.logs.names(), ["c"]);
  const { forbidden: f, loops, duplicates, malformed, storedRecords } = hub.stats().peers[0]!;
  assertEquals({ f, loops, duplicates, malformed, storedRecords }, {
    f: 2,
    loops: 1,
    duplicates: 1,
    malformed: 3,
    storedRecords: 1,
  });
  assertEquals(here.audited("policy_violation").length, 5);
  assertEquals(here.audited("policy_violation")[0], {
    event: "policy_violation",
    direction: "inbound",
    peer: "kitchen",
    peerAddr: "memory",
    detail: 'channel "secret" is not allowed',
    messageId: forbidden.id,
    channel: "secret",
  });
  assertEquals(here.audited("loop_dropped").map((event) => event.messageId), [looped.id]);
  const warnings = messages(here, "warn").filter((line) => line.includes("dropped"));
  assertEquals(warnings.length, 3, "one line for each kind");
  await hub.close();
});

Deno.test("dead letters are taken only from peers that are allowed them by name", async () => {
  const [kitchen, here] = [new Instance("kitchen"), new Instance("hub")];
  const hub = makeHub(here, [
    anyPeer("kitchen"),
    { name: "other", subscribe: [], publish: ["c.dead-letter"] },
  ]);
  const record = kitchen.record("c.dead-letter", 1);
  const [anything, named] = [await join(hub, "kitchen"), await join(hub, "other")];
  anything.sendRecords(record.text);
  await anything.nextAck();
  assertEquals(here.count("c.dead-letter"), 0);
  named.sendRecords(record.text);
  await named.nextAck();
  assertEquals(here.count("c.dead-letter"), 1);
  await hub.close();
});

Deno.test("a record keeps its bytes, apart from the route", async () => {
  const here = new Instance("hub");
  const hub = makeHub(here, [anyPeer("kitchen")]);
  const peer = await join(hub, "kitchen");
  const text =
    '{"v":1,"id":"0190a0a0-0000-7000-8000-000000000001","ts":"2026-01-01T00:00:00.123456789Z",' +
    '"channel":"c","origin":"kitchen","payload_type":"t","payload":{"n":1.00,"x":"\\u003c"}}';
  peer.sendRecords(text);
  await peer.nextAck();
  const log = here.logs.get("c")!;
  const block = log.reader(0).read(1_000);
  const stored = new TextDecoder().decode(
    ("records" in block ? block : await block).records[0]!.bytes,
  );
  assertEquals(stored, text.replace(',"payload":{', ',"route":["kitchen","hub"],"payload":{'));
  await hub.close();
});

Deno.test("after a damaged frame what came before it is stored and acknowledged, then the link ends", async () => {
  const [kitchen, here] = [new Instance("kitchen"), new Instance("hub")];
  const hub = makeHub(here, [anyPeer("kitchen")]);
  const peer = await join(hub, "kitchen");
  const record = kitchen.record("c", 1);
  peer.sendRecords(record.text);
  peer.link.send(new Uint8Array([0, 0, 0, 9, 1]));
  peer.sendRecords(kitchen.record("c", 2).text);
  assertEquals(await peer.nextAck(), record.id);
  const { code, reason } = await peer.link.closed;
  assertEquals(code, 4400);
  assertStringIncludes(reason, "cut short");
  assertEquals(here.payloads("c"), [1]);
  await hub.close();
});

Deno.test("a record longer than the announced limit ends the link with 1009", async () => {
  const [kitchen, here] = [
    new Instance("kitchen"),
    new Instance("hub", { limits: { maxRecordBytes: 500 } }),
  ];
  const hub = makeHub(here, [anyPeer("kitchen")]);
  const peer = await join(hub, "kitchen");
  peer.sendRecords(kitchen.record("c", "x".repeat(500)).text);
  assertEquals((await peer.link.closed).code, 1009);
  await hub.close();
});

Deno.test("a peer that sends beyond the window is held back, and loses nothing", async () => {
  const logs = new HeldLogs();
  const [kitchen, here] = [
    new Instance("kitchen"),
    new Instance("hub", { logs, limits: { window: 4 } }),
  ];
  const hub = makeHub(here, [anyPeer("kitchen")]);
  const peer = await join(hub, "kitchen");
  logs.isHolding = true;
  const records = Array.from({ length: 100 }, (_, n) => kitchen.record("c", n));
  for (const { text } of records) peer.sendRecords(text);
  await turn(200);
  const received = hub.stats().peers[0]!.receivedRecords!;
  assertEquals(received, 5, "one more than the window");
  logs.release();
  for (const { id } of records) assertEquals(await peer.nextAck(), id);
  assertEquals(here.payloads("c"), Array.from({ length: 100 }, (_, n) => n));
  await hub.close();
});

Deno.test("a peer is held back by bytes as well", async () => {
  const logs = new HeldLogs();
  const limits = { window: 4, maxBatchBytes: 1_000 };
  const [kitchen, here] = [new Instance("kitchen"), new Instance("hub", { logs, limits })];
  const hub = makeHub(here, [anyPeer("kitchen")]);
  const peer = await join(hub, "kitchen");
  logs.isHolding = true;
  const records = Array.from({ length: 5 }, (_, n) => kitchen.record("c", `${n}`.repeat(5_000)));
  for (const { text } of records) peer.sendRecords(text);
  await turn(100);
  assertEquals(hub.stats().peers[0]!.receivedRecords, 1);
  logs.release();
  for (const { id } of records) assertEquals(await peer.nextAck(), id);
  await hub.close();
});

Deno.test("a peer that never reads its acknowledgements is held back in the end", async () => {
  const limits = { window: 4 };
  const [kitchen, here] = [new Instance("kitchen"), new Instance("hub", { limits })];
  const hub = makeHub(here, [anyPeer("kitchen")]);
  const pair = memoryLinkPair({ first: { name: "kitchen", address: "memory" }, capacity: 8 });
  hub.accept(pair.second);
  const peer = new ScriptedPeer(pair.first);
  peer.say(clientHello("kitchen"));
  await peer.nextText();
  peer.link.pause();
  for (let n = 0; n < 200; n++) peer.sendRecords(kitchen.record("c", n).text);
  await turn(500);
  const stored = here.count("c");
  assertEquals(stored < 30, true, `${stored} frames were taken`);
  peer.link.resume();
  await until("all records", () => here.count("c") === 200);
  await hub.close();
});

Deno.test("what a peer sends again after a restart here is not stored twice", async () => {
  const [kitchen, before] = [new Instance("kitchen"), new Instance("hub")];
  const records = Array.from({ length: 500 }, (_, n) => kitchen.record("c", n));
  const texts = records.map(({ text }) => text);
  const firstHub = makeHub(before, [anyPeer("kitchen")]);
  const first = await join(firstHub, "kitchen");
  first.sendRecords(...texts);
  await first.nextAck();
  await firstHub.close();

  // The logs are what is left of a process that was killed.
  const after = new Instance("hub", { logs: before.logs });
  const secondHub = makeHub(after, [{ name: "kitchen", subscribe: [], publish: ["c"] }]);
  await secondHub.listen();
  await after.publish("c", "new here");
  const second = await join(secondHub, "kitchen");
  const late = kitchen.record("c", "new there");
  second.sendRecords(...texts, late.text);
  assertEquals(await second.nextAck(), late.id);
  assertEquals(after.count("c"), 502);
  assertEquals(secondHub.stats().peers[0]!.duplicates, 500);
  await secondHub.close();
});

Deno.test("much that is published after a restart does not hide what a peer sends again", async () => {
  const limits = { window: 1, maxBatchBytes: 2_000 };
  const [kitchen, before] = [new Instance("kitchen"), new Instance("hub", { limits })];
  const firstHub = makeHub(before, [anyPeer("kitchen")]);
  const first = await join(firstHub, "kitchen");
  const record = kitchen.record("c", "again");
  first.sendRecords(record.text);
  await first.nextAck();
  await firstHub.close();

  const after = new Instance("hub", { logs: before.logs, limits });
  const secondHub = makeHub(after, [{ name: "kitchen", subscribe: [], publish: ["c", "new"] }]);
  await secondHub.listen();
  assertEquals(after.logs.names(), ["c"], "channels are not made by looking for them");
  await after.publishAll("c", Array.from({ length: 1_000 }, (_, n) => n));
  const second = await join(secondHub, "kitchen");
  second.sendRecords(record.text);
  assertEquals(await second.nextAck(), record.id);
  assertEquals(after.count("c"), 1_001);
  await secondHub.close();
});

Deno.test("an id that was dropped for one reason may still come in rightly", async () => {
  const [kitchen, here] = [new Instance("kitchen"), new Instance("hub")];
  const hub = makeHub(here, [{ name: "kitchen", subscribe: [], publish: ["c"] }]);
  const peer = await join(hub, "kitchen");
  const { id, text } = kitchen.record("c", 1);
  peer.sendRecords(text.replace('"channel":"c"', '"channel":"d"'));
  await peer.nextAck();
  peer.sendRecords(text);
  assertEquals(await peer.nextAck(), id);
  assertEquals(here.payloads("c"), [1]);
  await hub.close();
});
