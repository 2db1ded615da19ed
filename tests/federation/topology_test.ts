import { assertEquals } from "@std/assert";
import type { Hub, HubClient } from "../../src/federation/mod.ts";
import { turn } from "../helpers/fake_clock.ts";
import { anyPeer, Instance, makeClient, makeHub, untilCount } from "../helpers/federation.ts";
import { until } from "../helpers/until.ts";

interface Node {
  readonly instance: Instance;
  readonly hub: Hub;
  readonly clients: HubClient[];
}

/** Instances that are hub and client, everyone allowed everywhere. */
function nodes(...names: string[]): Map<string, Node> {
  return new Map(names.map((name) => {
    const instance = new Instance(name);
    return [name, { instance, hub: makeHub(instance, names.map(anyPeer)), clients: [] }];
  }));
}

/** Connects one to the other; what the first publishes goes there. */
async function publishTo(all: Map<string, Node>, from: string, to: string): Promise<void> {
  const [client, hub] = [all.get(from)!, all.get(to)!];
  const made = makeClient(client.instance, { hub: hub.hub, name: to }, { publish: ["c"] });
  client.clients.push(made.client);
  await made.client.start();
  await until("connected", () => made.client.stats().state === "connected");
}

async function closeAll(all: Map<string, Node>): Promise<void> {
  for (const { clients } of all.values()) {
    await Promise.all(clients.map((client) => client.close()));
  }
  for (const { hub } of all.values()) await hub.close();
}

Deno.test("in a ring of three everyone gets everything once, and nothing goes round", async () => {
  const all = nodes("a", "b", "c");
  await publishTo(all, "a", "b");
  await publishTo(all, "b", "c");
  await publishTo(all, "c", "a");
  for (let n = 0; n < 50; n++) {
    for (const { instance } of all.values()) await instance.publish("c", `${instance.name}${n}`);
  }
  for (const { instance } of all.values()) await untilCount(instance, "c", 150);
  await turn(50);
  for (const { instance } of all.values()) {
    const payloads = instance.payloads("c") as string[];
    assertEquals(payloads.length, 150);
    assertEquals(new Set(payloads).size, 150);
    for (const name of all.keys()) {
      const own = payloads.filter((payload) => payload.startsWith(name));
      assertEquals(own, Array.from({ length: 50 }, (_, n) => `${name}${n}`));
    }
    assertEquals(instance.audited("loop_dropped"), [], "senders know who has a record");
  }
  assertEquals(
    new Set(all.get("a")!.instance.routes("c")),
    new Set(["", "b>c>a", "c>a"]),
  );
  await closeAll(all);
});

Deno.test("in a diamond the last one gets everything once, whichever way it comes", async () => {
  const all = nodes("top", "left", "right", "bottom");
  for (
    const [from, to] of [["top", "left"], ["top", "right"], ["left", "bottom"], ["right", "bottom"]]
  ) {
    await publishTo(all, from!, to!);
  }
  const { instance: top } = all.get("top")!;
  for (let n = 0; n < 100; n++) await top.publish("c", n);
  const { instance: bottom, hub } = all.get("bottom")!;
  await until("both ways", () => {
    const { peers } = hub.stats();
    return peers.length === 2 && peers.every(({ receivedRecords }) => receivedRecords === 100);
  });
  await untilCount(bottom, "c", 100);
  assertEquals(bottom.payloads("c"), Array.from({ length: 100 }, (_, n) => n));
  assertEquals(hub.stats().peers.reduce((sum, { duplicates }) => sum + duplicates!, 0), 100);
  await closeAll(all);
});

Deno.test("two that publish to each other do not echo", async () => {
  const all = nodes("a", "b");
  await publishTo(all, "a", "b");
  await publishTo(all, "b", "a");
  const [a, b] = [all.get("a")!.instance, all.get("b")!.instance];
  await a.publish("c", "from a");
  await untilCount(b, "c", 1);
  await b.publish("c", "from b");
  await untilCount(a, "c", 2);
  await turn(50);
  assertEquals([a.payloads("c"), b.payloads("c")], [["from a", "from b"], ["from a", "from b"]]);
  await closeAll(all);
});

Deno.test("a record whose route an older peer has left out is stopped by its id", async () => {
  const [a, b] = [new Instance("a"), new Instance("b")];
  const hub = makeHub(a, [anyPeer("b")]);
  const id = await a.publish("c", 1);
  // As if it had gone round through an instance that keeps no route and names itself as the origin.
  const text = a.record("c", 1).text.replace(/"id":"[^"]+"/, `"id":"${id}"`)
    .replace('"origin":"a"', '"origin":"old"');
  await (await b.logs.open("c")).append(text, () => {});
  const { client } = makeClient(b, { hub, name: "a" }, { publish: ["c", "d"] });
  const log = b.logs.get("c")!;
  await (await log.cursor("fedout-a%3A1")).save(0);
  await client.start();
  await until("handled", () => client.stats().totals.ackedRecords === 1);
  assertEquals(a.count("c"), 1);
  assertEquals(hub.stats().peers[0]!.duplicates, 1);
  await client.close();
  await hub.close();
});
