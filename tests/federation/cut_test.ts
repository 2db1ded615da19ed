import { assertEquals } from "@std/assert";
import fc from "fast-check";
import type { Hub, HubClient } from "../../src/federation/mod.ts";
import { anyPeer, Instance, makeClient, makeHub, untilCount } from "../helpers/federation.ts";
import { until } from "../helpers/until.ts";

const COUNT = 24;
const LIMITS = { maxBatchBytes: 400, window: 4, cursorSaveMs: 0 };
const expected = Array.from({ length: COUNT }, (_, n) => n);

/**
 * Cuts the connection after its Nth frame, for N = 1, 2, 3 … until a run ends without reaching it, and
 * then lets it heal. Handshakes, data and acknowledgements of both directions are frames.
 */
async function atEveryFrame(
  run: (cut: { cutAfter: number; onCut: () => void }) => Promise<void>,
): Promise<number> {
  for (let cutAfter = 1;; cutAfter++) {
    let isCut = false;
    await run({ cutAfter, onCut: () => isCut = true });
    if (!isCut) return cutAfter;
  }
}

Deno.test("wherever a link is cut, what a client publishes arrives exactly once and in order", async () => {
  const runs = await atEveryFrame(async (cut) => {
    const [kitchen, hubSide] = [
      new Instance("kitchen", { limits: LIMITS }),
      new Instance("hub", { limits: LIMITS }),
    ];
    const hub = makeHub(hubSide, [anyPeer("kitchen")]);
    const { client, dialer } = makeClient(kitchen, { hub, name: "hub" });
    dialer.options = { ...cut, onCut: () => (dialer.options = {}, cut.onCut()) };
    await client.start();
    await kitchen.publishAll("c", expected.slice(0, COUNT / 2));
    await kitchen.publishAll("c", expected.slice(COUNT / 2));
    await untilCount(hubSide, "c", COUNT);
    await untilCaughtUp(client);
    await client.close();
    await hub.close();
    assertEquals(hubSide.payloads("c"), expected, `cut after frame ${cut.cutAfter}`);
  });
  assertEquals(runs > 20, true, `only ${runs} runs`);
});

Deno.test("wherever a link is cut, what a hub sends arrives exactly once and in order", async () => {
  const runs = await atEveryFrame(async (cut) => {
    const [kitchen, hubSide] = [
      new Instance("kitchen", { limits: LIMITS }),
      new Instance("hub", { limits: LIMITS }),
    ];
    const hub = makeHub(hubSide, [anyPeer("kitchen")]);
    const target = { subscribe: ["c"], publish: ["none"] };
    // The cursor exists from the first connection on: that one is not cut.
    const first = makeClient(kitchen, { hub, name: "hub" }, target);
    await first.client.start();
    await untilConnected(first.client);
    await first.client.close();
    await hubSide.publishAll("c", expected);
    const { client, dialer } = makeClient(kitchen, { hub, name: "hub" }, target);
    dialer.options = { ...cut, onCut: () => (dialer.options = {}, cut.onCut()) };
    await client.start();
    await untilCount(kitchen, "c", COUNT);
    await untilTaken(hub);
    await client.close();
    await hub.close();
    assertEquals(kitchen.payloads("c"), expected, `cut after frame ${cut.cutAfter}`);
  });
  assertEquals(runs > 20, true, `only ${runs} runs`);
});

Deno.test("wherever a link is cut, both directions at once arrive exactly once and in order", async () => {
  const runs = await atEveryFrame(async (cut) => {
    const [kitchen, hubSide] = [
      new Instance("kitchen", { limits: LIMITS }),
      new Instance("hub", { limits: LIMITS }),
    ];
    const hub = makeHub(hubSide, [anyPeer("kitchen")]);
    const target = { subscribe: ["down"], publish: ["up"] };
    const first = makeClient(kitchen, { hub, name: "hub" }, target);
    await first.client.start();
    await untilConnected(first.client);
    await first.client.close();
    await hubSide.publishAll("down", expected);
    const { client, dialer } = makeClient(kitchen, { hub, name: "hub" }, target);
    dialer.options = { ...cut, onCut: () => (dialer.options = {}, cut.onCut()) };
    await client.start();
    await kitchen.publishAll("up", expected);
    await untilCount(kitchen, "down", COUNT);
    await untilCount(hubSide, "up", COUNT);
    await untilCaughtUp(client);
    await untilTaken(hub);
    await client.close();
    await hub.close();
    assertEquals(kitchen.payloads("down"), expected, `cut after frame ${cut.cutAfter}`);
    assertEquals(hubSide.payloads("up"), expected, `cut after frame ${cut.cutAfter}`);
  });
  assertEquals(runs > 40, true, `only ${runs} runs`);
});

Deno.test("wherever a link is cut with the receiver killed, nothing is stored twice", async () => {
  const runs = await atEveryFrame(async (cut) => {
    const kitchen = new Instance("kitchen", { limits: LIMITS });
    const before = new Instance("hub", { limits: LIMITS });
    let hub = makeHub(before, [anyPeer("kitchen")]);
    const { client, dialer } = makeClient(
      kitchen,
      { hub: { accept: (link) => hub.accept(link) }, name: "hub" },
    );
    const onCut = () => {
      dialer.options = {};
      cut.onCut();
      // What it knew is lost, its logs are not.
      hub = makeHub(new Instance("hub", { logs: before.logs, limits: LIMITS }), [
        anyPeer("kitchen"),
      ]);
    };
    dialer.options = { cutAfter: cut.cutAfter, onCut };
    await client.start();
    await kitchen.publishAll("c", expected);
    await untilCount(before, "c", COUNT);
    await untilCaughtUp(client);
    await client.close();
    await hub.close();
    assertEquals(before.payloads("c"), expected, `cut after frame ${cut.cutAfter}`);
  });
  assertEquals(runs > 20, true, `only ${runs} runs`);
});

Deno.test("however often links are cut, everything arrives exactly once and in order", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 2, maxLength: 12 }),
      fc.integer({ min: 1, max: 8 }),
      async (cuts, capacity) => {
        const [kitchen, hubSide] = [
          new Instance("kitchen", { limits: LIMITS }),
          new Instance("hub", { limits: LIMITS }),
        ];
        const hub = makeHub(hubSide, [anyPeer("kitchen")]);
        const { client, dialer } = makeClient(
          kitchen,
          { hub, name: "hub" },
          { subscribe: ["down"], publish: ["up"] },
        );
        await client.start();
        await untilConnected(client);
        const left = [...cuts];
        const next = () => {
          const cutAfter = left.shift();
          dialer.options = cutAfter === undefined
            ? { capacity }
            : { capacity, cutAfter, onCut: next };
        };
        next();
        dialer.pairs[0]!.cut();
        for (let n = 0; n < COUNT; n++) {
          await kitchen.publish("up", n);
          await hubSide.publish("down", n);
        }
        await untilCount(kitchen, "down", COUNT);
        await untilCount(hubSide, "up", COUNT);
        await untilCaughtUp(client);
        await untilTaken(hub);
        await client.close();
        await hub.close();
        assertEquals(kitchen.payloads("down"), expected);
        assertEquals(hubSide.payloads("up"), expected);
      },
    ),
    { numRuns: 100 },
  );
});

async function untilConnected(client: HubClient): Promise<void> {
  await until("connected", () => client.stats().state === "connected");
}

/** Waits until the hub has acknowledged everything. */
async function untilCaughtUp(client: HubClient): Promise<void> {
  await until("acknowledgements", () => client.stats().channels.every(({ lag }) => lag === 0));
}

/** Waits until every peer has acknowledged everything. */
async function untilTaken(hub: Hub): Promise<void> {
  await until("acknowledgements", () => {
    const { peers } = hub.stats();
    return peers.length > 0 &&
      peers.every(({ channels }) => channels.length > 0 && channels.every(({ lag }) => lag === 0));
  });
}
