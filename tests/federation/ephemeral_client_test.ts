import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  EphemeralClosedError,
  EphemeralConnectionLostError,
  HubRejectedError,
  InvalidChannelNameError,
  MessengerError,
} from "../../src/base/mod.ts";
import {
  type Dial,
  EphemeralClient,
  type EphemeralClientOptions,
  type Hub,
  memoryLinkPair,
} from "../../src/federation/mod.ts";
import { FakeClock, turn } from "../helpers/fake_clock.ts";
import { anyPeer, Instance, makeHub, MemoryDialer, untilCount } from "../helpers/federation.ts";
import { HeldLogs } from "../helpers/held_logs.ts";
import { ScriptedPeer } from "../helpers/scripted_peer.ts";
import { until } from "../helpers/until.ts";

const hubHello = {
  instance_name: "hub",
  role: "hub",
  version: "1",
  window: 2,
  max_record_bytes: 1e6,
};

function make(
  hub: Hub,
  options: Partial<EphemeralClientOptions> = {},
): { client: EphemeralClient; dialer: MemoryDialer } {
  const dialer = new MemoryDialer("a", "hub", (link) => hub.accept(link));
  const client = new EphemeralClient({
    hubAddr: "hub:1",
    instanceName: "a",
    backoff: { baseMs: 1, maxMs: 5 },
    dial: dialer.dial,
    ...options,
  });
  return { client, dialer };
}

/** A client whose hub is written out in the test. */
function scripted(options: Partial<EphemeralClientOptions> = {}): {
  client: EphemeralClient;
  hubs: ScriptedPeer[];
} {
  const hubs: ScriptedPeer[] = [];
  const dial: Dial = () => {
    const pair = memoryLinkPair({ second: { name: "hub", address: "memory" } });
    hubs.push(new ScriptedPeer(pair.second));
    return Promise.resolve(pair.first);
  };
  const client = new EphemeralClient({
    hubAddr: "hub:1",
    instanceName: "a",
    backoff: { baseMs: 1, maxMs: 5 },
    dial,
    ...options,
  });
  return { client, hubs };
}

async function connect(client: EphemeralClient, hubs: ScriptedPeer[]): Promise<ScriptedPeer> {
  const connecting = client.connect();
  await until("a link", () => hubs.length === 1);
  await hubs[0]!.nextText();
  hubs[0]!.say(hubHello);
  await connecting;
  return hubs[0]!;
}

Deno.test("publishing settles once the hub has stored the record", async () => {
  const logs = new HeldLogs();
  const [a, here] = [new Instance("a"), new Instance("hub", { logs })];
  const hub = makeHub(here, [anyPeer("a")]);
  const { client } = make(hub);
  await client.connect();
  logs.isHolding = true;
  let settled = false;
  const { text, id } = a.record("c", 1);
  const publishing = client.publish(text, id).then(() => settled = true);
  await until("the append", () => logs.held.length === 1);
  await turn(20);
  assertEquals(settled, false);
  logs.release();
  await publishing;
  assertEquals(here.payloads("c"), [1]);
  assertEquals(here.routes("c"), ["a>hub"]);
  await client.close();
  await hub.close();
});

Deno.test("an ephemeral client hears what is stored while it is connected, also after a reconnection", async () => {
  const here = new Instance("hub");
  const hub = makeHub(here, [anyPeer("a")]);
  const { client, dialer } = make(hub, { subscribe: ["d"] });
  const heard: unknown[] = [];
  const end = client.subscribe("c", ({ payload }) => void heard.push(payload));
  client.subscribe("d", async ({ payload }) => {
    await turn(1);
    heard.push(payload);
    throw new Error("is logged, and no reason to stop");
  });
  await client.connect();
  await here.publish("c", 1);
  await here.publish("d", 2);
  await until("both", () => heard.length === 2);
  dialer.last!.cut();
  await until("reconnected", () => dialer.pairs.length === 2 && client.isConnected);
  await here.publish("c", 3);
  await until("the third", () => heard.length === 3);
  end();
  await here.publishAll("c", [4, 5]);
  await here.publish("d", 6);
  await until("the last", () => heard.includes(6));
  assertEquals(new Set(heard), new Set([1, 2, 3, 6]));
  await until("acknowledged", () => hub.stats().peers[0]!.ackedRecords === 4);
  await client.close();
  await hub.close();
});

Deno.test("records of a channel come one after the other", async () => {
  const here = new Instance("hub");
  const hub = makeHub(here, [anyPeer("a")]);
  const { client } = make(hub);
  let running = 0;
  const heard: unknown[] = [];
  client.subscribe("c", async ({ payload }) => {
    assertEquals(++running, 1);
    await turn(1);
    running--;
    heard.push(payload);
  });
  await client.connect();
  await here.publishAll("c", [1, 2, 3]);
  await here.publishAll("c", [4, 5]);
  await until("all", () => heard.length === 5);
  assertEquals(heard, [1, 2, 3, 4, 5]);
  await client.close();
  await hub.close();
});

Deno.test("it introduces itself as ephemeral, with every channel that it wants", async () => {
  const { client, hubs } = scripted({ subscribe: ["d"] });
  client.subscribe("c", () => {});
  const connecting = client.connect();
  await until("a link", () => hubs.length === 1);
  const hello = await hubs[0]!.nextText();
  assertEquals([hello.ephemeral, hello.subscribe], [true, ["d", "c"]]);
  hubs[0]!.say(hubHello);
  await connecting;
  assertThrows(() => client.subscribe("e", () => {}), MessengerError, '"e"');
  assertThrows(() => client.subscribe("../x", () => {}), InvalidChannelNameError);
  client.subscribe("d", () => {});
  await client.close();
});

Deno.test("what is published at once goes in one frame, within window and write queue", async () => {
  const a = new Instance("a");
  const { client, hubs } = scripted({ writeQueueSize: 5, limits: { maxBatchBytes: 700 } });
  const hub = await connect(client, hubs);
  const records = Array.from({ length: 12 }, (_, n) => a.record("c", n));
  const settled: number[] = [];
  const publishing = records.map(({ text, id }, n) =>
    client.publish(text, id).then(() => void settled.push(n))
  );
  await turn(20);
  const sizes: number[] = [];
  let acked = 0;
  while (acked < 12) {
    await until("a frame", () => hub.frames.length > 0);
    assertEquals(hub.frames.length <= 2, true);
    const frame = await hub.nextRecords();
    sizes.push(frame.length);
    acked += frame.length;
    hub.say({ last_id: frame[frame.length - 1]!.id });
    await until("settled", () => settled.length === acked);
    await turn(5);
  }
  await Promise.all(publishing);
  assertEquals(settled, records.map((_, n) => n));
  assertEquals(sizes.every((size) => size >= 1 && size <= 5), true, String(sizes));
  assertEquals(sizes[0]! > 1, true, String(sizes));
  await client.close();
});

Deno.test("what was not acknowledged fails when the link breaks; what was not sent goes on the next one", async () => {
  const a = new Instance("a");
  const { client, hubs } = scripted({ writeQueueSize: 1 });
  const hub = await connect(client, hubs);
  const [first, second] = [a.record("c", 1), a.record("c", 2)];
  const sent = client.publish(first.text, first.id);
  const waiting = client.publish(second.text, second.id);
  await hub.nextRecords();
  hub.link.close(1001, "restarting");
  await assertRejects(() => sent, EphemeralConnectionLostError, "hub:1");
  await until("the next link", () => hubs.length === 2);
  await hubs[1]!.nextText();
  hubs[1]!.say(hubHello);
  assertEquals((await hubs[1]!.nextRecords()).map(({ id }) => id), [second.id]);
  hubs[1]!.say({ last_id: second.id });
  await waiting;
  await client.close();
});

Deno.test("without reconnecting everything fails when the link breaks, until it is connected again", async () => {
  const a = new Instance("a");
  const { client, hubs } = scripted({ writeQueueSize: 1, autoReconnect: false });
  const hub = await connect(client, hubs);
  const [first, second] = [a.record("c", 1), a.record("c", 2)];
  const both = [first, second].map(({ text, id }) => client.publish(text, id));
  await hub.nextRecords();
  hub.link.close(1001, "");
  for (const one of both) await assertRejects(() => one, EphemeralConnectionLostError);
  await assertRejects(() => client.publish(first.text, first.id), EphemeralConnectionLostError);
  const again = client.connect();
  await until("the next link", () => hubs.length === 2);
  hubs[1]!.say(hubHello);
  await again;
  await client.close();
});

Deno.test("closing fails what was not acknowledged, and everything after", async () => {
  const a = new Instance("a");
  const { client, hubs } = scripted({ writeQueueSize: 1 });
  await connect(client, hubs);
  const [first, second] = [a.record("c", 1), a.record("c", 2)];
  const both = [first, second].map(({ text, id }) => client.publish(text, id));
  await turn(5);
  const closing = client.close();
  for (const one of both) await assertRejects(() => one, EphemeralClosedError);
  await closing;
  await assertRejects(() => client.publish(first.text, first.id), EphemeralClosedError);
  await assertRejects(() => client.connect(), EphemeralClosedError);
  await client.close();
});

Deno.test("a hub that refuses is told as such, when connecting and later", async () => {
  const [a, here] = [new Instance("a"), new Instance("hub")];
  const hub = makeHub(here, []);
  const { client: refused } = make(hub);
  const { text, id } = a.record("c", 1);
  const early = refused.publish(text, id);
  const error = await assertRejects(() => refused.connect(), HubRejectedError, "allowlist");
  assertEquals(error.closeCode, 4403);
  await assertRejects(() => early, HubRejectedError);
  await refused.close();

  hub.applyPolicy([anyPeer("a")]);
  const { client } = make(hub);
  await client.connect();
  hub.applyPolicy([]);
  await until("refused", () => !client.isConnected);
  await assertRejects(() => client.publish(text, id), HubRejectedError);
  await client.close();
  await hub.close();
});

Deno.test("a hub that is not there is an error to try again after", async () => {
  let isUp = false;
  const here = new Instance("hub");
  const hub = makeHub(here, [anyPeer("a")]);
  const { dialer } = make(hub);
  const dial: Dial = (options) =>
    isUp ? dialer.dial(options) : Promise.reject(new Error("connection refused"));
  const client = new EphemeralClient({ hubAddr: "hub:1", instanceName: "a", dial });
  const a = new Instance("a");
  const { text, id } = a.record("c", 1);
  const publishing = client.publish(text, id);
  const error = await assertRejects(() => client.connect(), MessengerError, "connection refused");
  assertEquals(error.code, "hub_unreachable");
  isUp = true;
  await client.connect();
  await publishing;
  await untilCount(here, "c", 1);
  await client.close();
  await hub.close();
});

Deno.test("signals give up connecting and publishing", async () => {
  const a = new Instance("a");
  const { client, hubs } = scripted({ writeQueueSize: 1 });
  const giveUp = new AbortController();
  const connecting = client.connect({ signal: giveUp.signal });
  await until("a link", () => hubs.length === 1);
  giveUp.abort(new Error("enough"));
  await assertRejects(() => connecting, Error, "enough");
  hubs.length = 0;
  const hub = await connect(client, hubs);
  const records = [a.record("c", 1), a.record("c", 2), a.record("c", 3)];
  const first = client.publish(records[0]!.text, records[0]!.id);
  const stop = new AbortController();
  const second = client.publish(records[1]!.text, records[1]!.id, { signal: stop.signal });
  const third = client.publish(records[2]!.text, records[2]!.id);
  await hub.nextRecords();
  stop.abort(new Error("enough"));
  await assertRejects(() => second, Error, "enough");
  hub.say({ last_id: records[0]!.id });
  await first;
  assertEquals((await hub.nextRecords()).map(({ id }) => id), [records[2]!.id]);
  hub.say({ last_id: records[2]!.id });
  await third;
  await client.close();
});

Deno.test("a record that the hub does not take fails alone", async () => {
  const [a, here] = [
    new Instance("a"),
    new Instance("hub", { limits: { maxRecordBytes: 1_000 } }),
  ];
  const hub = makeHub(here, [anyPeer("a")]);
  const { client } = make(hub);
  await client.connect();
  const [long, short] = [a.record("c", "x".repeat(1_000)), a.record("c", 1)];
  const tooLong = client.publish(long.text, long.id);
  const taken = client.publish(short.text, short.id);
  const error = await assertRejects(() => tooLong, MessengerError, "takes 1000");
  assertEquals(error.code, "record_too_long");
  await taken;
  assertEquals(here.payloads("c"), [1]);
  await client.close();
  await hub.close();
});

Deno.test("acknowledgements that are wrong or do not come break the link", async () => {
  const a = new Instance("a");
  const clock = new FakeClock();
  const { client, hubs } = scripted({ clock, autoReconnect: false });
  const hub = await connect(client, hubs);
  const { text, id } = a.record("c", 1);
  const publishing = client.publish(text, id);
  await hub.nextRecords();
  hub.say({ last_id: "another" });
  await assertRejects(() => publishing, EphemeralConnectionLostError);
  assertEquals((await hub.link.closed).code, 4400);
  const again = client.connect();
  await until("the next link", () => hubs.length === 2);
  hubs[1]!.say(hubHello);
  await again;
  const late = client.publish(text, id);
  await hubs[1]!.nextText();
  await hubs[1]!.nextRecords();
  const rejected = assertRejects(() => late, EphemeralConnectionLostError);
  await clock.advance(61_000);
  await rejected;
  await client.close();
  assertEquals(clock.running, []);
});

Deno.test("a slow handler holds the hub back, and nothing piles up here", async () => {
  const limits = { window: 2, maxBatchBytes: 300 };
  const here = new Instance("hub", { limits });
  const hub = makeHub(here, [anyPeer("a")]);
  const { client } = make(hub, { limits });
  let release = () => {};
  const heard: unknown[] = [];
  client.subscribe("c", ({ payload }) => {
    heard.push(payload);
    if (heard.length === 1) return new Promise<void>((resolve) => release = resolve);
  });
  await client.connect();
  await here.publishAll("c", Array.from({ length: 100 }, (_, n) => n));
  await until("the first", () => heard.length === 1);
  await turn(50);
  assertEquals(hub.stats().peers[0]!.sentRecords! <= 4, true);
  release();
  await until("all", () => heard.length === 100);
  assertEquals(heard, Array.from({ length: 100 }, (_, n) => n));
  await client.close();
  await hub.close();
});
