import { assertEquals } from "@std/assert";
import { type Hub, HubClient, memoryLinkPair } from "../../src/federation/mod.ts";
import { anyPeer, Instance, makeHub, untilCount } from "../helpers/federation.ts";
import { OriginalPeer } from "../helpers/original_peer.ts";
import { until } from "../helpers/until.ts";

function join(hub: Hub, name: string, more: Record<string, unknown> = {}): OriginalPeer {
  const pair = memoryLinkPair({ first: { name, address: "memory" } });
  hub.accept(pair.second);
  return OriginalPeer.client(pair.first, name, more);
}

const payloads = (peer: OriginalPeer) => peer.stored.map(({ payload }) => payload);

Deno.test("an original client publishes to our hub, one frame at a time", async () => {
  const [go, here] = [new Instance("go"), new Instance("hub")];
  const hub = makeHub(here, [anyPeer("go")]);
  const peer = join(hub, "go", { last_id: "ignored" });
  const ids: string[] = [];
  for (let n = 0; n < 50; n++) {
    const [a, b] = [go.record("c", 2 * n), go.record(n % 2 ? "c" : "d", 2 * n + 1)];
    ids.push(b.id);
    peer.publish(a.text, b.text);
  }
  await until("acknowledgements", () => peer.acks.length === 50);
  assertEquals(peer.acks, ids);
  assertEquals(here.count("c") + here.count("d"), 100);
  assertEquals(peer.hello!.role, "hub");
  await hub.close();
});

Deno.test("an original client subscribes to our hub, and gets everything once across a reconnection", async () => {
  const here = new Instance("hub");
  const hub = makeHub(here, [anyPeer("go")]);
  const first = join(hub, "go", { subscribe: ["c"] });
  await until("connected", () => hub.stats().peers[0]?.channels.length === 1);
  await here.publishAll("c", Array.from({ length: 1_000 }, (_, n) => n));
  await until("records", () => first.stored.length > 300);
  first.link.close(1000, "");
  await until("gone", () => hub.stats().peers.length === 0);
  const second = join(hub, "go", { subscribe: ["c"] });
  await until("the rest", () => payloads(second).includes(999));
  await until("acknowledged", () => hub.stats().peers[0]!.channels[0]!.lag === 0);
  const all = new Set([...payloads(first), ...payloads(second)]);
  assertEquals(all.size, 1_000);
  await hub.close();
});

Deno.test("records that an original cannot take are passed over, and the rest arrives", async () => {
  const here = new Instance("hub", { limits: { maxBatchBytes: 200_000 } });
  const hub = makeHub(here, [anyPeer("go")]);
  const peer = join(hub, "go", { subscribe: ["c"] });
  await until("connected", () => hub.stats().peers[0]?.channels.length === 1);
  await here.publishAll("c", [1, "x".repeat(70_000), 2, "y".repeat(60_000), 3]);
  await until("acknowledged", () => hub.stats().peers[0]!.channels[0]!.lag === 0);
  assertEquals(payloads(peer), [1, 2, "y".repeat(60_000), 3]);
  assertEquals(here.audited("replay_gap").length, 1);
  await hub.close();
});

Deno.test("our client publishes to and hears from an original hub", async () => {
  const [kitchen, go] = [new Instance("kitchen"), new Instance("go")];
  const hubs: OriginalPeer[] = [];
  const client = new HubClient({
    context: kitchen.context,
    hub: { addr: "go:1", subscribe: ["down"], publish: ["up"] },
    backoff: { baseMs: 1, maxMs: 5 },
    dial: () => {
      const pair = memoryLinkPair({ second: { name: "go", address: "memory" } });
      hubs.push(OriginalPeer.hub(pair.second, "go"));
      return Promise.resolve(pair.first);
    },
  });
  await client.start();
  await until("connected", () => client.stats().state === "connected");
  assertEquals(hubs[0]!.hello!.subscribe, ["down"]);
  for (let n = 0; n < 500; n++) await kitchen.publish("up", n);
  for (let n = 0; n < 100; n++) hubs[0]!.publish(go.record("down", n).text);
  await until("acknowledged", () => client.stats().channels[0]?.lag === 0);
  await untilCount(kitchen, "down", 100);
  assertEquals(payloads(hubs[0]!), Array.from({ length: 500 }, (_, n) => n));
  assertEquals(kitchen.payloads("down"), Array.from({ length: 100 }, (_, n) => n));
  await until("acknowledgements", () => hubs[0]!.acks.length === 100);
  await client.close();
});
