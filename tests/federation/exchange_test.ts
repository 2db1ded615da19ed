import { assertEquals } from "@std/assert";
import { anyPeer, Instance, makeClient, makeHub, untilCount } from "../helpers/federation.ts";
import { until } from "../helpers/until.ts";

Deno.test("what a client publishes is stored by the hub, once and in order", async () => {
  const [kitchen, hubSide] = [new Instance("kitchen"), new Instance("hub")];
  const hub = makeHub(hubSide, [anyPeer("kitchen")]);
  const { client } = makeClient(kitchen, { hub, name: "hub" });
  await kitchen.publish("old", "before it started");
  await client.start();
  const payloads = Array.from({ length: 1_000 }, (_, n) => n);
  for (const n of payloads) await kitchen.publish("readings", n);
  await kitchen.publishAll("old", ["after"]);
  await untilCount(hubSide, "readings", 1_000);
  await untilCount(hubSide, "old", 1);
  assertEquals(hubSide.payloads("readings"), payloads);
  assertEquals(hubSide.payloads("old"), ["after"]);
  assertEquals(new Set(hubSide.routes("readings")), new Set(["kitchen>hub"]));
  await until("acknowledgements", () => client.stats().totals.ackedRecords === 1_001);
  assertEquals(client.stats().channels.map(({ lag }) => lag), [0, 0]);
  await client.close();
  await hub.close();
});

Deno.test("what the hub stores goes to the clients that asked for it, and not back to its origin", async () => {
  const [kitchen, cellar, hubSide] = ["kitchen", "cellar", "hub"].map((name) => new Instance(name));
  const hub = makeHub(hubSide!, [anyPeer("kitchen"), anyPeer("cellar")]);
  const target = { subscribe: ["readings"] };
  const a = makeClient(kitchen!, { hub, name: "hub" }, target);
  const b = makeClient(cellar!, { hub, name: "hub" }, target);
  await a.client.start();
  await b.client.start();
  await until("both", () => hub.stats().peers.length === 2);
  await until("channels", () => hub.stats().peers.every(({ channels }) => channels.length === 1));
  await kitchen!.publish("readings", "from kitchen");
  await untilCount(cellar!, "readings", 1);
  await cellar!.publish("readings", "from cellar");
  await untilCount(kitchen!, "readings", 2);
  assertEquals(kitchen!.payloads("readings"), ["from kitchen", "from cellar"]);
  assertEquals(cellar!.payloads("readings"), ["from kitchen", "from cellar"]);
  assertEquals(cellar!.routes("readings"), ["kitchen>hub>cellar", ""]);
  assertEquals(hubSide!.audited("loop_dropped"), []);
  await Promise.all([a.client.close(), b.client.close()]);
  await hub.close();
});
