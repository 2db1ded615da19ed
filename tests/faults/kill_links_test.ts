import { assert, assertEquals } from "@std/assert";
import { eventually } from "../helpers/eventually.ts";
import { turn } from "../helpers/fake_clock.ts";
import { withSeed } from "../helpers/seeded.ts";
import { Site } from "../helpers/site.ts";
import { storedLines } from "../helpers/test_messenger.ts";
import { InstanceProcess, setUp } from "./instance_process.ts";

const FILE = "tests/faults/kill_links_test.ts";
const TYPE = "com.example.Number";

/** The ids of a channel in a data directory, in order. */
function ids(dataDir: string, channel: string): string[] {
  return storedLines(dataDir, channel).map(({ id }) => id);
}

/** Waits so long: the moment of a fault is the one thing here that time decides. */
function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Settles when both have the same records in the same order; nothing is there twice. */
async function untilEqual(from: string, to: string, channel: string): Promise<void> {
  const wanted = ids(from, channel);
  await eventually(
    `${wanted.length} records in ${channel}, of which ${ids(to, channel).length} are there`,
    () => ids(to, channel).length >= wanted.length,
  );
  await turn(20);
  assertEquals(ids(to, channel), wanted);
}

Deno.test("P1, P7: a client that is killed while it publishes loses nothing on its way to the hub", async () => {
  await withSeed(FILE, async (random) => {
    await using site = await Site.make();
    const hub = await site.openHub("hub", ["attic"]);
    const hubs = [{ addr: hub.messenger.hubAddr, publish: [], subscribe: ["down"] }];
    const setup = await setUp(site, "attic", { client: { enabled: true, hubs } });
    {
      // A peer is sent what is published after its first connection.
      await using _client = await InstanceProcess.start(setup);
      await eventually("the peer", () => hub.messenger.stats().hub!.peers.length === 1);
    }
    const channels: string[] = [];
    let published = 0;
    for (let round = 0; round < 8; round++) {
      // A channel's first records are the ones that are easiest to lose.
      const channel = `up-${round >> 1}`;
      channels.push(channel);
      const before = ids(setup.dataDir, channel).length;
      await using client = await InstanceProcess.start(setup, { channel, pauseMs: 1 });
      await client.untilAcknowledged(1);
      if (round % 2 === 1) await sleep(random.between(0, 200));
      await hub.messenger.publish("down", TYPE, published++);
      await client.kill();
      const stored = ids(setup.dataDir, channel).length - before;
      assert(
        stored >= client.acknowledged,
        `${client.acknowledged} acknowledged, ${stored} stored`,
      );
    }
    await using _client = await InstanceProcess.start(setup);
    for (const channel of new Set(channels)) await untilEqual(setup.dataDir, hub.dataDir, channel);
    await untilEqual(hub.dataDir, setup.dataDir, "down");
  });
});

Deno.test("P1, P2: a hub that is killed while it stores and publishes neither loses nor repeats", async () => {
  await withSeed(FILE, async (random) => {
    await using site = await Site.make();
    const hub = (listen_addr: string) => ({
      hub: { enabled: true, listen_addr, allowed_peers: [{ name: "attic" }] },
    });
    let setup = await setUp(site, "hub", hub("127.0.0.1:0"));
    const publish = { channel: "down", pauseMs: 3 };
    let process = await InstanceProcess.start(setup);
    const { hubAddr } = process;
    setup = await setUp(site, "hub", hub(hubAddr));
    const hubs = [{ addr: hubAddr, publish: ["up"], subscribe: ["down"] }];
    const client = await site.open("attic", { client: { enabled: true, hubs } });
    // A peer is sent what is published after its first connection.
    await eventually("the hub", () => client.messenger.stats().hubs![0]!.state === "connected");
    await process.kill();
    process = await InstanceProcess.start(setup, publish);
    let isOver = false;
    const publishing = (async () => {
      for (let n = 0; !isOver; n += 5) {
        await Promise.all([0, 1, 2, 3, 4].map((i) => client.messenger.publish("up", TYPE, n + i)));
        await sleep(2);
      }
    })();
    try {
      for (let round = 0; round < 6; round++) {
        const count = ids(setup.dataDir, "up").length;
        await eventually("something new", () => ids(setup.dataDir, "up").length > count);
        await sleep(random.between(0, 200));
        const before = ids(setup.dataDir, "down").length;
        await process.kill();
        assert(ids(setup.dataDir, "down").length >= before);
        process = await InstanceProcess.start(setup, round < 5 ? publish : undefined);
      }
    } finally {
      isOver = true;
      await publishing;
    }
    try {
      await untilEqual(client.dataDir, setup.dataDir, "up");
      await untilEqual(setup.dataDir, client.dataDir, "down");
      assertEquals(
        client.payloads("up"),
        Array.from({ length: client.lines("up").length }, (_, n) => n),
      );
    } finally {
      await process.kill();
    }
  });
});
