import { assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { ConfigError, HubListenError } from "../../src/base/mod.ts";
import {
  encodeAck,
  type Hub,
  type MemoryLinkOptions,
  memoryLinkPair,
} from "../../src/federation/mod.ts";
import { type Cursor, MemoryChannelLog, MemoryChannelLogs } from "../../src/storage/mod.ts";
import { FakeClock, turn } from "../helpers/fake_clock.ts";
import { anyPeer, Instance, makeHub, messages } from "../helpers/federation.ts";
import { clientHello, ScriptedPeer } from "../helpers/scripted_peer.ts";
import { until } from "../helpers/until.ts";

/** A peer at the hub's door. */
function knock(hub: Hub, name: string | undefined, options: MemoryLinkOptions = {}): ScriptedPeer {
  const pair = memoryLinkPair({ first: { name, address: "memory" }, ...options });
  hub.accept(pair.second);
  return new ScriptedPeer(pair.first);
}

async function join(
  hub: Hub,
  name: string,
  more: Record<string, unknown> = {},
  options: MemoryLinkOptions = {},
): Promise<ScriptedPeer> {
  const peer = knock(hub, name, options);
  peer.say(clientHello(name, more));
  assertEquals((await peer.nextText()).role, "hub");
  return peer;
}

Deno.test("the hub answers a handshake with its own", async () => {
  const here = new Instance("hub", { limits: { window: 7 } });
  const hub = makeHub(here, [anyPeer("a")]);
  const peer = knock(hub, "a");
  peer.say(clientHello("a"));
  assertEquals(await peer.nextText(), {
    instance_name: "hub",
    role: "hub",
    version: "1",
    window: 7,
    max_record_bytes: 10 * 1024 * 1024,
  });
  assertEquals(here.audited("client_connected"), [
    { event: "client_connected", peer: "a", peerAddr: "memory" },
  ]);
  await hub.close();
  assertEquals(here.audited("peer_disconnected").length, 1);
});

for (
  const [what, frame] of [
    ["garbage", "garbage"],
    ["a binary frame", new Uint8Array([1, 2, 3])],
    ["more than 64 KiB", `{"x":"${"x".repeat(65_536)}"}`],
    ["another version", '{"instance_name":"a","role":"client","version":"2"}'],
    ["the other role", '{"instance_name":"a","role":"hub","version":"1"}'],
    ["an acknowledgement", '{"last_id":"x"}'],
  ] as const
) {
  Deno.test(`a peer whose first frame is ${what} is closed with 4400 and changes nothing`, async () => {
    const here = new Instance("hub");
    const hub = makeHub(here, [anyPeer("a")]);
    const peer = knock(hub, "a");
    peer.link.send(typeof frame === "string" ? frame : frame.slice());
    const { code, reason } = await peer.link.closed;
    assertEquals(code, 4400);
    assertEquals(reason.length > 10, true, reason);
    assertEquals(hub.stats().rejected, { notAllowed: 0, badHandshake: 1, busy: 0 });
    assertEquals(here.logs.names(), []);
    await hub.close();
  });
}

Deno.test("a peer that says nothing for 10 s is closed with 4400", async () => {
  const clock = new FakeClock();
  const hub = makeHub(new Instance("hub", { clock }), [anyPeer("a")]);
  const peer = knock(hub, "a", { clock });
  await clock.advance(9_999);
  assertEquals(peer.end, undefined);
  await clock.advance(1);
  assertEquals((await peer.link.closed).code, 4400);
  await hub.close();
  assertEquals(clock.running, []);
});

Deno.test("an unknown peer is closed with 4403, audited, and changes nothing", async () => {
  const here = new Instance("hub");
  const hub = makeHub(here, [anyPeer("a")]);
  const peer = knock(hub, "b");
  peer.say(clientHello("b", { subscribe: ["c"] }));
  assertEquals(await peer.link.closed, { code: 4403, reason: "not in allowlist" });
  assertEquals(here.audited("client_rejected"), [
    { event: "client_rejected", peer: "b", peerAddr: "memory", detail: "not in allowlist" },
  ]);
  assertEquals(here.logs.names(), []);
  assertEquals(hub.stats().rejected.notAllowed, 1);
  await hub.close();
});

Deno.test("the certificate's name counts, not the one in the handshake", async () => {
  const hub = makeHub(new Instance("hub"), [anyPeer("a")]);
  const liar = knock(hub, "b");
  liar.say(clientHello("a"));
  assertEquals((await liar.link.closed).code, 4403);
  const honest = knock(hub, "a");
  honest.say(clientHello("b"));
  await honest.nextText();
  assertEquals(hub.stats().peers.map(({ name }) => name), ["a"]);
  const nameless = knock(hub, "");
  nameless.say(clientHello("a"));
  assertEquals((await nameless.link.closed).code, 4403);
  await hub.close();
});

Deno.test("without certificates the name in the handshake counts", async () => {
  const hub = makeHub(new Instance("hub"), [anyPeer("a")]);
  const known = knock(hub, undefined);
  known.say(clientHello("a"));
  await known.nextText();
  const unknown = knock(hub, undefined);
  unknown.say(clientHello("b"));
  assertEquals((await unknown.link.closed).code, 4403);
  await hub.close();
});

Deno.test("a second connection of the same name takes the place of the first, cursors and all", async () => {
  const here = new Instance("hub");
  const hub = makeHub(here, [anyPeer("a")]);
  const first = await join(hub, "a", { subscribe: ["c"] });
  await here.publish("c", 1);
  await first.nextRecords();
  const second = await join(hub, "a", { subscribe: ["c"] });
  assertEquals((await first.link.closed).code, 4409);
  assertEquals((await second.nextRecords()).map(({ payload }) => payload), [1]);
  await until("one peer", () => hub.stats().peers.length === 1);
  const [third, fourth] = [knock(hub, "a"), knock(hub, "a")];
  third.say(clientHello("a", { subscribe: ["c"] }));
  fourth.say(clientHello("a", { subscribe: ["c"] }));
  assertEquals((await second.link.closed).code, 4409);
  assertEquals((await third.link.closed).code, 4409);
  await fourth.nextText();
  assertEquals((await fourth.nextRecords()).map(({ payload }) => payload), [1]);
  assertEquals(hub.stats().peers.length, 1);
  await hub.close();
  assertEquals(hub.stats().peers.length, 0);
});

/** A log that lets one cursor of a name be held at a time, and takes its time to write it. */
class StrictLog extends MemoryChannelLog {
  readonly #held = new Set<string>();
  readonly clashes: string[] = [];
  override async cursor(name: string): Promise<Cursor> {
    if (this.#held.has(name)) this.clashes.push(name);
    this.#held.add(name);
    const cursor = await super.cursor(name);
    return {
      name,
      get position() {
        return cursor.position;
      },
      async save(position) {
        await turn(10);
        await cursor.save(position);
      },
      close: () => void this.#held.delete(name),
    };
  }
}

Deno.test("a connection that takes the place of others waits until they have let go of their cursors", async () => {
  const log = new StrictLog("c");
  const logs = new MemoryChannelLogs();
  logs.open = () => Promise.resolve(log);
  logs.names = () => ["c"];
  const here = new Instance("hub", { logs });
  const hub = makeHub(here, [anyPeer("a")]);
  await join(hub, "a", { subscribe: ["c"] });
  const peers = [1, 2, 3].map(() => knock(hub, "a"));
  for (const peer of peers) peer.say(clientHello("a", { subscribe: ["c"] }));
  await peers[2]!.nextText();
  await until("the channel", () => hub.stats().peers[0]!.channels.length === 1);
  assertEquals(log.clashes, []);
  await hub.close();
});

Deno.test("a peer gets what it asks for and may have, and nothing else", async () => {
  const here = new Instance("hub");
  const hub = makeHub(here, [
    { name: "some", subscribe: ["a", "b"], publish: [] },
    { name: "all", subscribe: [], publish: [] },
  ]);
  const some = await join(hub, "some", { subscribe: ["b", "c", "../x"] });
  const all = await join(hub, "all", { subscribe: ["b", "c"] });
  const none = makeHub(here, [anyPeer("none")]);
  const silent = await join(none, "none");
  for (const channel of ["a", "b", "c"]) await here.publish(channel, channel);
  await until("frames", () => all.frames.length === 2);
  await turn(20);
  assertEquals(some.frames.length, 1);
  assertEquals((await some.nextRecords())[0]!.payload, "b");
  assertEquals(silent.frames.length, 0);
  assertEquals(here.logs.names(), ["a", "b", "c"]);
  await Promise.all([hub.close(), none.close()]);
});

Deno.test("a peer that asks for too many channels is closed with 4400", async () => {
  const here = new Instance("hub");
  const hub = makeHub(here, [anyPeer("a")]);
  const peer = knock(hub, "a");
  peer.say(clientHello("a", { subscribe: Array.from({ length: 1_001 }, (_, n) => `c${n}`) }));
  assertEquals((await peer.link.closed).code, 4400);
  assertEquals(here.logs.names(), []);
  await hub.close();
});

Deno.test("an ephemeral client gets only what is stored while it is connected, and leaves no cursor", async () => {
  const here = new Instance("hub");
  const hub = makeHub(here, [anyPeer("a")]);
  await here.publish("c", "before");
  const peer = await join(hub, "a", { subscribe: ["c", "later"], ephemeral: true });
  assertEquals(here.logs.names(), ["c"], "no channel is made for it");
  await here.publish("c", "during");
  assertEquals((await peer.nextRecords()).map(({ payload }) => payload), ["during"]);
  await here.publish("later", "first");
  assertEquals((await peer.nextRecords()).map(({ payload }) => payload), ["first"]);
  peer.link.close(1000, "");
  await until("gone", () => hub.stats().peers.length === 0);
  await here.publish("c", "after");
  const again = await join(hub, "a", { subscribe: ["c"], ephemeral: true });
  await here.publish("c", "again");
  assertEquals((await again.nextRecords()).map(({ payload }) => payload), ["again"]);
  assertEquals(await here.logs.get("c")!.cursors(), []);
  await hub.close();
});

Deno.test("a policy that takes a channel away stops it at once, and one that gives it goes on where it stopped", async () => {
  const here = new Instance("hub");
  const hub = makeHub(here, [anyPeer("a")]);
  const peer = await join(hub, "a", { subscribe: ["c", "d"] });
  await here.publish("c", 1);
  peer.link.send(encodeAck((await peer.nextRecords())[0]!.id as string));
  await until("acknowledged", () => hub.stats().peers[0]!.ackedRecords === 1);
  hub.applyPolicy([{ name: "a", subscribe: ["d"], publish: [] }]);
  await here.publish("c", 2);
  await here.publish("d", "d");
  const [other] = await peer.nextRecords();
  assertEquals(other!.payload, "d");
  peer.link.send(encodeAck(other!.id as string));
  await turn(20);
  assertEquals(peer.frames, []);
  assertEquals(hub.stats().peers[0]!.channels.map(({ channel }) => channel), ["d"]);
  hub.applyPolicy([anyPeer("a")]);
  assertEquals((await peer.nextRecords()).map(({ payload }) => payload), [2]);
  await hub.close();
});

Deno.test("a policy that takes publishing away makes what comes count as forbidden", async () => {
  const [a, here] = [new Instance("a"), new Instance("hub")];
  const hub = makeHub(here, [anyPeer("a")]);
  const peer = await join(hub, "a");
  const [first, second] = [a.record("c", 1), a.record("c", 2)];
  peer.sendRecords(first.text);
  assertEquals(await peer.nextAck(), first.id);
  hub.applyPolicy([{ name: "a", subscribe: [], publish: ["d"] }]);
  peer.sendRecords(second.text);
  assertEquals(await peer.nextAck(), second.id);
  assertEquals(here.payloads("c"), [1]);
  await hub.close();
});

Deno.test("a peer that is removed is drained: what was sent may be acknowledged, then it is closed with 4403", async () => {
  const [a, here] = [new Instance("a"), new Instance("hub")];
  const hub = makeHub(here, [anyPeer("a"), anyPeer("b")]);
  const peer = await join(hub, "a", { subscribe: ["c"] });
  const other = await join(hub, "b");
  await here.publish("c", 1);
  const [record] = await peer.nextRecords();
  hub.applyPolicy([anyPeer("b"), anyPeer("new")]);
  await here.publish("c", 2);
  peer.sendRecords(a.record("d", "too late").text);
  await turn(20);
  assertEquals([peer.frames, peer.end], [[], undefined]);
  peer.link.send(encodeAck(record!.id as string));
  assertEquals((await peer.link.closed).code, 4403);
  assertEquals((await here.logs.get("c")!.cursors())[0]!.position, 1);
  assertEquals(here.count("d"), 0, "what a removed peer sends is neither stored nor acknowledged");
  assertEquals(here.audited("client_drain").map(({ peer }) => peer), ["a"]);
  assertEquals(other.end, undefined);
  await join(hub, "new");
  const back = knock(hub, "a");
  assertEquals((await back.link.closed).code, 4403);
  await hub.close();
});

Deno.test("a removed peer that acknowledges nothing is closed after 5 s", async () => {
  const clock = new FakeClock();
  const here = new Instance("hub", { clock });
  const hub = makeHub(here, [anyPeer("a")]);
  const peer = await join(hub, "a", { subscribe: ["c"] }, { clock });
  await here.publish("c", 1);
  await peer.nextRecords();
  hub.applyPolicy([]);
  await clock.advance(4_999);
  assertEquals(peer.end, undefined);
  await clock.advance(1);
  assertEquals((await peer.link.closed).code, 4403);
  await hub.close();
  assertEquals(clock.running, []);
});

Deno.test("cursors of peers that are away for long are removed, those of connected ones never", async () => {
  const clock = new FakeClock();
  const here = new Instance("hub", { clock });
  const day = 86_400_000;
  const hub = makeHub(here, [anyPeer("a"), anyPeer("b")], { clientOffsetTtlMs: day });
  const log = await here.logs.open("c");
  const moved = new Map<string, number>();
  const list = () =>
    Promise.resolve([...moved].map(([name, movedAt]) => ({ name, movedAt, position: 0 })));
  log.cursors = list;
  log.removeCursor = (name) => Promise.resolve(moved.delete(name));
  await join(hub, "a", { subscribe: ["c"] }, { clock });
  for (const name of ["fed-a", "fed-b", "fed-c", "fedout-x", "local"]) moved.set(name, clock.now());
  await clock.advance(day - 1);
  moved.set("fed-c", clock.now());
  await hub.sweep();
  assertEquals(moved.size, 5);
  await clock.advance(2);
  await hub.sweep();
  assertEquals([...moved.keys()], ["fed-a", "fed-c", "fedout-x", "local"]);
  await hub.close();
});

Deno.test("a lifetime of 0 keeps cursors forever", async () => {
  const here = new Instance("hub");
  const hub = makeHub(here, [], { clientOffsetTtlMs: 0 });
  const log = await here.logs.open("c");
  log.cursors = () => Promise.reject(new Error("not asked"));
  await hub.sweep();
  await hub.close();
});

Deno.test("only so many handshakes may be under way", async () => {
  const hub = makeHub(new Instance("hub"), [anyPeer("a")], { maxPendingHandshakes: 2 });
  knock(hub, "a");
  knock(hub, "a");
  const third = knock(hub, "a");
  assertEquals((await third.link.closed).code, 1013);
  assertEquals(hub.stats().rejected.busy, 1);
  await hub.close();
});

Deno.test("closing the hub tells everyone, and takes nobody any more", async () => {
  const here = new Instance("hub");
  const hub = makeHub(here, [anyPeer("a"), anyPeer("b")]);
  const [joined, knocking] = [await join(hub, "a"), knock(hub, "b")];
  await hub.close();
  assertEquals((await joined.link.closed).code, 1001);
  assertEquals((await knocking.link.closed).code, 1001);
  assertEquals((await knock(hub, "a").link.closed).code, 1001);
});

Deno.test("a hub without TLS refuses to listen for other machines, unless it is told to", async () => {
  for (const listenAddr of ["0.0.0.0:0", ":0", "[::]:0"]) {
    const hub = makeHub(new Instance("hub"), [], { listenAddr });
    const error = await assertRejects(() => hub.listen(), ConfigError, "hub.insecure");
    assertEquals(error.problems[0]!.path, "hub.listen_addr");
    await hub.close();
  }
  const here = new Instance("hub");
  const open = makeHub(here, [], { listenAddr: "0.0.0.0:0", insecure: true });
  await open.listen();
  assertEquals(messages(here, "warn").length, 1);
  await open.close();
});

Deno.test("an address that is none, or is taken, is one clear error", async () => {
  const first = makeHub(new Instance("hub"), []);
  await first.listen();
  const second = makeHub(new Instance("hub"), [], { listenAddr: first.address });
  const error = await assertRejects(() => second.listen(), HubListenError, first.address);
  assertEquals(error.address, first.address);
  assertStringIncludes(error.message, "in use");
  await first.close();
  await second.close();
  const third = makeHub(new Instance("hub"), [], { listenAddr: "nowhere" });
  await assertRejects(() => third.listen(), ConfigError, '"nowhere"');
});
