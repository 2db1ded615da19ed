import { assertEquals } from "@std/assert";
import {
  CloseCode,
  type Dial,
  HubClient,
  hubCursorName,
  type HubTarget,
  type Link,
  memoryLinkPair,
  removeStaleHubCursors,
} from "../../src/federation/mod.ts";
import { MemoryChannelLogs } from "../../src/storage/mod.ts";
import { FakeClock, turn } from "../helpers/fake_clock.ts";
import {
  anyPeer,
  Instance,
  makeClient,
  makeHub,
  messages,
  untilCount,
} from "../helpers/federation.ts";
import { ScriptedPeer } from "../helpers/scripted_peer.ts";
import { until } from "../helpers/until.ts";

const hubHello = {
  instance_name: "hub",
  role: "hub",
  version: "1",
  window: 8,
  max_record_bytes: 1e6,
};

/** A client whose hub is written out in the test. */
function scripted(
  instance: Instance,
  clock: FakeClock,
  target: Partial<HubTarget> = {},
): { client: HubClient; hubs: ScriptedPeer[]; dials: number[]; setDown: (error?: string) => void } {
  const hubs: ScriptedPeer[] = [];
  const dials: number[] = [];
  let down: string | undefined;
  const dial: Dial = () => {
    dials.push(clock.monotonic());
    if (down !== undefined) return Promise.reject(new Error(down));
    const pair = memoryLinkPair({ second: { name: "hub", address: "memory" }, clock });
    hubs.push(new ScriptedPeer(pair.second));
    return Promise.resolve<Link>(pair.first);
  };
  const client = new HubClient({
    context: instance.context,
    hub: { addr: "hub:1", subscribe: [], publish: [], ...target },
    dial,
  });
  return { client, hubs, dials, setDown: (error) => down = error };
}

/** Without jitter, so that waits are what the document says. */
function evenInstance(clock: FakeClock): Instance {
  const instance = new Instance("kitchen", { clock });
  Object.assign(instance.context, { random: { next: () => 0.5, fill() {} } });
  return instance;
}

Deno.test("a client introduces itself, and starting waits for no hub", async () => {
  const clock = new FakeClock();
  const kitchen = evenInstance(clock);
  const { client, hubs } = scripted(kitchen, clock, { subscribe: ["a", "b"] });
  await client.start();
  await until("a link", () => hubs.length === 1);
  assertEquals(await hubs[0]!.nextText(), {
    instance_name: "kitchen",
    role: "client",
    version: "1",
    subscribe: ["a", "b"],
    window: 64,
    max_record_bytes: 10 * 1024 * 1024,
  });
  assertEquals(client.stats().state, "connecting");
  hubs[0]!.say(hubHello);
  await until("connected", () => client.stats().state === "connected");
  assertEquals(client.stats().name, "hub");
  await client.close();
  assertEquals(client.stats().state, "closed");
  assertEquals(clock.running, []);
});

Deno.test("a hub that is down is dialled at growing intervals, and that is logged once", async () => {
  const clock = new FakeClock();
  const kitchen = evenInstance(clock);
  const { client, dials, setDown, hubs } = scripted(kitchen, clock);
  setDown("connection refused");
  await client.start();
  await turn(5);
  await clock.advance(200_000);
  const waits = dials.slice(1).map((at, index) => at - dials[index]!);
  assertEquals(waits, [500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  assertEquals(client.stats().state, "backing_off");
  assertEquals(client.stats().reason, "1006 connection refused");
  assertEquals(messages(kitchen, "warn"), ["cannot connect to hub, trying again"]);
  setDown("certificate expired");
  await clock.advance(60_000);
  assertEquals(messages(kitchen, "warn").length, 2, "another reason is worth another line");
  setDown(undefined);
  while (hubs.length === 0) await clock.advance(1_000);
  hubs[0]!.say(hubHello);
  await until("connected", () => client.stats().state === "connected");
  assertEquals(messages(kitchen, "info").includes("connected to hub"), true);
  await client.close();
  assertEquals(clock.running, []);
});

Deno.test("a connection that lasted makes the next wait a short one, one that did not does not", async () => {
  const clock = new FakeClock();
  const { client, dials, hubs } = scripted(evenInstance(clock), clock);
  await client.start();
  for (const lastsMs of [0, 0, 0, 10_000, 0]) {
    const count = hubs.length;
    await until("a link", () => hubs.length > 0 && hubs[hubs.length - 1]!.end === undefined);
    hubs[hubs.length - 1]!.say(hubHello);
    await until("connected", () => client.stats().state === "connected");
    await clock.advance(lastsMs);
    hubs[hubs.length - 1]!.link.close(1001, "restarting");
    await until("lost", () => client.stats().state === "backing_off");
    while (hubs.length === count) await clock.advance(100);
  }
  const waits = dials.slice(1).map((at, index) => at - dials[index]!);
  assertEquals(waits, [500, 1_000, 2_000, 10_500, 1_000]);
  await client.close();
});

Deno.test("an acknowledgement makes the next wait a short one as well", async () => {
  const clock = new FakeClock();
  const kitchen = evenInstance(clock);
  const { client, hubs, setDown, dials } = scripted(kitchen, clock);
  setDown("down");
  await client.start();
  await clock.advance(10_000);
  setDown(undefined);
  while (hubs.length === 0) await clock.advance(1_000);
  await until("a link", () => hubs.length === 1);
  hubs[0]!.say(hubHello);
  await hubs[0]!.nextText();
  const id = await kitchen.publish("c", 1);
  await hubs[0]!.nextRecords();
  hubs[0]!.say({ last_id: id });
  await until("acknowledged", () => client.stats().totals.ackedRecords === 1);
  const before = clock.monotonic();
  hubs[0]!.link.close(1001, "");
  await until("lost", () => client.stats().state === "backing_off");
  await clock.advance(500);
  assertEquals(dials[dials.length - 1]! - before, 500);
  await client.close();
});

for (const [code, reason] of [[4403, "not in allowlist"], [4400, "version"]] as const) {
  Deno.test(`a hub that refuses with ${code} is asked again at the longest interval`, async () => {
    const clock = new FakeClock();
    const kitchen = evenInstance(clock);
    const { client, dials, hubs } = scripted(kitchen, clock);
    await client.start();
    for (let n = 0; n < 3; n++) {
      await until("a link", () => hubs.length === n + 1);
      hubs[n]!.link.close(code, reason);
      await until("the wait", () => clock.running.includes(60_000));
      assertEquals(client.stats().state, "rejected");
      assertEquals(client.stats().reason, `${code} ${reason}`);
      await clock.advance(60_000);
    }
    assertEquals(dials, [0, 60_000, 120_000, 180_000]);
    assertEquals(messages(kitchen, "error").length, 1);
    await client.close();
    assertEquals(clock.running, []);
  });
}

for (
  const [what, frame] of [
    ["another version", '{"instance_name":"hub","role":"hub","version":"2"}'],
    ["a client", '{"instance_name":"hub","role":"client","version":"1"}'],
    ["garbage", "garbage"],
  ] as const
) {
  Deno.test(`a hub that answers as ${what} is closed with 4400`, async () => {
    const clock = new FakeClock();
    const { client, hubs } = scripted(evenInstance(clock), clock);
    await client.start();
    await until("a link", () => hubs.length === 1);
    hubs[0]!.link.send(frame);
    assertEquals((await hubs[0]!.link.closed).code, 4400);
    await until("the state", () => client.stats().state === "rejected");
    await client.close();
  });
}

Deno.test("a hub that does not answer is given up after 10 s", async () => {
  const clock = new FakeClock();
  const { client, hubs } = scripted(evenInstance(clock), clock);
  await client.start();
  await until("a link", () => hubs.length === 1);
  await clock.advance(10_000);
  assertEquals((await hubs[0]!.link.closed).code, 4400);
  await client.close();
  assertEquals(clock.running, []);
});

Deno.test("a client takes only channels that it asked for", async () => {
  const clock = new FakeClock();
  const kitchen = evenInstance(clock);
  const { client, hubs } = scripted(kitchen, clock, { subscribe: ["c"], publish: ["x"] });
  await client.start();
  await until("a link", () => hubs.length === 1);
  await hubs[0]!.nextText();
  hubs[0]!.say(hubHello);
  const source = new Instance("source");
  const [wanted, unwanted] = [source.record("c", 1), source.record("d", 2)];
  hubs[0]!.sendRecords(wanted.text, unwanted.text);
  assertEquals(await hubs[0]!.nextAck(), unwanted.id);
  assertEquals([kitchen.count("c"), kitchen.count("d")], [1, 0]);
  assertEquals(kitchen.audited("policy_violation").length, 1);
  await client.close();
});

Deno.test("an empty list publishes every channel but dead letters; a new one from its first record", async () => {
  const [kitchen, hubSide] = [new Instance("kitchen"), new Instance("hub")];
  const hub = makeHub(hubSide, [anyPeer("kitchen")]);
  await kitchen.publish("old", "before");
  const { client, dialer } = makeClient(kitchen, { hub, name: "hub" });
  await client.start();
  await until("connected", () => client.stats().state === "connected");
  dialer.last!.cut();
  await kitchen.publish("new", "first");
  await kitchen.publish("new.dead-letter", "dead");
  await kitchen.publish("old", "after");
  await untilCount(hubSide, "new", 1);
  await untilCount(hubSide, "old", 1);
  assertEquals([hubSide.payloads("new"), hubSide.payloads("old")], [["first"], ["after"]]);
  assertEquals(hubSide.logs.get("new.dead-letter"), undefined);
  await client.close();
  await hub.close();
});

/** Logs that take their time to open what exists, as files do. */
class SlowLogs extends MemoryChannelLogs {
  override async open(channel: string) {
    if (this.get(channel) !== undefined) await turn(5);
    return await super.open(channel);
  }
}

Deno.test("the first records of a new channel are sent, however long it takes to open it", async () => {
  const [kitchen, hubSide] = [
    new Instance("kitchen", { logs: new SlowLogs() }),
    new Instance("hub"),
  ];
  const hub = makeHub(hubSide, [anyPeer("kitchen")]);
  const { client } = makeClient(kitchen, { hub, name: "hub" });
  await client.start();
  const log = await kitchen.logs.open("new");
  await log.append(kitchen.record("new", "first").text, () => {});
  await untilCount(hubSide, "new", 1);
  await client.close();
  await hub.close();
});

Deno.test("a list publishes those channels only, also before they exist", async () => {
  const [kitchen, hubSide] = [new Instance("kitchen"), new Instance("hub")];
  const hub = makeHub(hubSide, [anyPeer("kitchen")]);
  const { client } = makeClient(kitchen, { hub, name: "hub" }, { publish: ["b"] });
  await client.start();
  await kitchen.publish("a", 1);
  await kitchen.publish("b", 2);
  await untilCount(hubSide, "b", 1);
  await turn(20);
  assertEquals(hubSide.logs.names(), ["b"]);
  assertEquals((await kitchen.logs.get("a")!.cursors()).length, 0);
  assertEquals((await kitchen.logs.get("b")!.cursors())[0]!.name, hubCursorName("hub:1"));
  await client.close();
  await hub.close();
});

Deno.test("what is published while there is no hub is sent once there is one", async () => {
  const [kitchen, hubSide] = [new Instance("kitchen"), new Instance("hub")];
  const hub = makeHub(hubSide, []);
  const { client } = makeClient(kitchen, { hub, name: "hub" });
  await client.start();
  await kitchen.publishAll("c", [1, 2, 3]);
  await until("rejected", () => client.stats().state === "rejected");
  hub.applyPolicy([anyPeer("kitchen")]);
  await untilCount(hubSide, "c", 3);
  assertEquals(hubSide.payloads("c"), [1, 2, 3]);
  await client.close();
  await hub.close();
});

Deno.test("a client that starts anew goes on where it stopped", async () => {
  const [kitchen, hubSide] = [new Instance("kitchen"), new Instance("hub")];
  const hub = makeHub(hubSide, [anyPeer("kitchen")]);
  const first = makeClient(kitchen, { hub, name: "hub" });
  await first.client.start();
  await kitchen.publish("c", 1);
  await untilCount(hubSide, "c", 1);
  await first.client.close();
  await kitchen.publish("c", 2);
  const second = makeClient(kitchen, { hub, name: "hub" });
  await second.client.start();
  await untilCount(hubSide, "c", 2);
  assertEquals(hubSide.payloads("c"), [1, 2]);
  await second.client.close();
  await hub.close();
});

Deno.test("cursors of hubs and channels that are no longer configured are removed", async () => {
  const kitchen = new Instance("kitchen");
  for (const channel of ["a", "b"]) {
    const log = await kitchen.logs.open(channel);
    for (const name of [hubCursorName("one:1"), hubCursorName("two:2"), "fed-peer", "local"]) {
      await (await log.cursor(name)).save(0);
    }
  }
  const removed = await removeStaleHubCursors(kitchen.logs, [{ addr: "two:2", publish: ["a"] }]);
  assertEquals(removed, [
    { channel: "a", cursor: "fedout-one%3A1" },
    { channel: "b", cursor: "fedout-one%3A1" },
    { channel: "b", cursor: "fedout-two%3A2" },
  ]);
  const left = (await kitchen.logs.get("a")!.cursors()).map(({ name }) => name).sort();
  assertEquals(left, ["fed-peer", "fedout-two%3A2", "local"]);
  assertEquals(await removeStaleHubCursors(kitchen.logs, [{ addr: "two:2", publish: [] }]), []);
});

Deno.test("closing ends a client in whatever it does", async () => {
  const clock = new FakeClock();
  const never: Dial = ({ signal }) =>
    new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  const kitchen = evenInstance(clock);
  const dialling = new HubClient({
    context: kitchen.context,
    hub: { addr: "hub:1", subscribe: [], publish: [] },
    dial: never,
  });
  await dialling.start();
  await dialling.close();
  const { client: greeting, hubs } = scripted(kitchen, clock);
  await greeting.start();
  await until("a link", () => hubs.length === 1);
  await greeting.close();
  assertEquals((await hubs[0]!.link.closed).code, CloseCode.goingAway);
  const { client: waiting, setDown } = scripted(kitchen, clock);
  setDown("down");
  await waiting.start();
  await until("the wait", () => clock.running.length > 0);
  await waiting.close();
  assertEquals(clock.running, []);
  const { client: unstarted } = scripted(kitchen, clock);
  await unstarted.close();
  assertEquals(clock.running, []);
});
