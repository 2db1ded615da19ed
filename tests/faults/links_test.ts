import { assertEquals } from "@std/assert";
import type { Messenger } from "@keyop/messenger";
import { eventually } from "../helpers/eventually.ts";
import { FakeClock, turn } from "../helpers/fake_clock.ts";
import type { Direction, LinkProxy } from "../helpers/link_proxy.ts";
import { withSeed } from "../helpers/seeded.ts";
import { QUICK, Site } from "../helpers/site.ts";
import type { TestMessenger } from "../helpers/test_messenger.ts";

const TYPE = "com.example.Number";
const PING_MS = 20_000;
const FILE = "tests/faults/links_test.ts";

/** Publishes rising numbers to one channel. */
class Counter {
  /** Numbers whose publish has settled. */
  count = 0;
  readonly #messenger: () => Messenger;
  readonly #channel: string;

  constructor(instance: TestMessenger, channel: string) {
    this.#messenger = () => instance.messenger;
    this.#channel = channel;
  }

  async publish(howMany: number): Promise<void> {
    const published = [];
    for (let n = 0; n < howMany; n++) {
      published.push(this.#messenger().publish(this.#channel, TYPE, this.count + n));
    }
    await Promise.all(published);
    this.count += howMany;
  }

  /** 0, 1, 2 … as they were published. */
  get expected(): number[] {
    return Array.from({ length: this.count }, (_, n) => n);
  }
}

/** Settles when an instance has so many records; fails at once when it has more. */
async function untilStored(
  instance: TestMessenger,
  channel: string,
  numbers: number[],
): Promise<void> {
  await eventually(
    `${numbers.length} records in ${channel}`,
    () => instance.lines(channel).length >= numbers.length,
  );
  await turn();
  assertEquals(instance.payloads(channel), numbers);
}

/** A hub and a client with a proxy in between, both publishing. */
async function openPair(site: Site): Promise<{
  readonly hub: TestMessenger;
  readonly client: TestMessenger;
  readonly proxy: LinkProxy;
  readonly up: Counter;
  readonly down: Counter;
}> {
  const hub = await site.openHub("hub", ["attic"]);
  const proxy = site.proxy(hub.messenger.hubAddr);
  const hubs = [{ addr: proxy.address, publish: ["up"], subscribe: ["down"] }];
  const client = await site.open("attic", { client: { enabled: true, hubs } });
  await eventually("the connection", () => hub.messenger.stats().hub!.peers.length === 1);
  return { hub, client, proxy, up: new Counter(client, "up"), down: new Counter(hub, "down") };
}

/** Lets others have their turn, and a link the time to do something. */
function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 2));
}

for (const direction of ["up", "down"] as Direction[]) {
  Deno.test(`P7: wherever a link is cut on its way ${direction}, everything arrives once and in order`, async () => {
    await withSeed(FILE, async (random) => {
      await using site = await Site.make();
      const { hub, client, proxy, up, down } = await openPair(site);
      const points = [1, 500, 2_000, 2_500, 3_000, 3_500, 4_000, 5_000];
      for (let n = 0; n < 30; n++) points.push(random.between(1, 10_000));
      for (const bytes of points) {
        let isCut = false;
        proxy.cutAfter(bytes, direction).then(() => isCut = true);
        while (!isCut) {
          await Promise.all([up.publish(2), down.publish(2)]);
          await pause();
        }
      }
      proxy.heal();
      await untilStored(hub, "up", up.expected);
      await untilStored(client, "down", down.expected);
    });
  });
}

Deno.test("P7: a link that falls silent one way is given up by keepalive, and nothing is lost", async () => {
  for (const direction of ["up", "down"] as Direction[]) {
    await using site = await Site.make();
    // The side that hears nothing is the one whose clock runs.
    const clock = new FakeClock(Date.now());
    const allowedPeers = [{ name: "attic" }];
    const hub = await site.open("hub", {
      hub: { enabled: true, listenAddr: "127.0.0.1:0", allowedPeers },
    }, direction === "up" ? { clock } : {});
    const proxy = site.proxy(hub.messenger.hubAddr);
    const hubs = [{ addr: proxy.address, publish: ["up"], subscribe: ["down"] }];
    const client = await site.open("attic", { client: { enabled: true, hubs } }, {
      ...(direction === "down" && { clock }),
    });
    const peers = () => hub.messenger.stats().hub!.peers;
    await eventually("the connection", () => peers().length === 1);
    const [up, down] = [new Counter(client, "up"), new Counter(hub, "down")];
    await Promise.all([up.publish(5), down.publish(5)]);
    await untilStored(hub, "up", up.expected);
    await untilStored(client, "down", down.expected);
    proxy.stall(direction);
    await Promise.all([up.publish(5), down.publish(5)]);
    const connections = () => client.messenger.stats().hubs![0]!.connections;
    const isGivenUp = direction === "up"
      ? () => peers().length === 0
      : () => client.messenger.stats().hubs![0]!.state !== "connected";
    for (let pings = 0; !isGivenUp(); pings++) {
      if (pings === 6) throw new Error(`the ${direction} side was silent for ${pings} pings`);
      await clock.fire(PING_MS);
      await turn(20);
    }
    await Promise.all([up.publish(5), down.publish(5)]);
    proxy.heal();
    while (connections() < 2) {
      await clock.advance(QUICK.reconnectMaxMs);
      await pause();
    }
    await untilStored(hub, "up", up.expected);
    await untilStored(client, "down", down.expected);
  }
});

Deno.test("P7: a hub that restarts again and again while clients publish gets everything once", async () => {
  await using site = await Site.make();
  const names = ["attic", "cellar", "garage"];
  const hub = await site.openHub("hub", names);
  const { hubAddr } = hub.messenger;
  const allowedPeers = names.map((name) => ({ name }));
  const counters = [];
  for (const name of names) {
    const hubs = [{ addr: hubAddr, publish: [name], subscribe: ["down"] }];
    const client = await site.open(name, { client: { enabled: true, hubs } });
    counters.push({ name, client, up: new Counter(client, name) });
  }
  const down = new Counter(hub, "down");
  await eventually("the clients", () => hub.messenger.stats().hub!.peers.length === 3);
  let isOver = false;
  const publishing = counters.map(async ({ up }) => {
    while (!isOver) {
      await up.publish(3);
      await pause();
    }
  });
  for (let round = 0; round < 6; round++) {
    const count = hub.lines("attic").length;
    await down.publish(5);
    await eventually("something new", () => hub.lines("attic").length > count);
    await hub.reopen({ hub: { enabled: true, listenAddr: hubAddr, allowedPeers } });
  }
  isOver = true;
  await Promise.all(publishing);
  for (const { name, client, up } of counters) {
    await untilStored(hub, name, up.expected);
    await untilStored(client, "down", down.expected);
  }
});

/** Numbers of each origin, in the order in which an instance has stored them. */
function byOrigin(instance: TestMessenger, channel: string): Record<string, unknown[]> {
  const numbers: Record<string, unknown[]> = {};
  for (const { origin, payload } of instance.lines(channel)) {
    (numbers[String(origin)] ??= []).push(payload);
  }
  return numbers;
}

Deno.test("P2: in a ring of three, each hub and client, every record is stored once everywhere", async () => {
  await using site = await Site.make();
  const names = ["a", "b", "c"];
  const proxies = names.map(() => site.proxy("127.0.0.1:1"));
  const instances: TestMessenger[] = [];
  for (const [index, name] of names.entries()) {
    const allowedPeers = names.map((peer) => ({ name: peer }));
    const hub = { enabled: true, listenAddr: "127.0.0.1:0", allowedPeers };
    const hubs = [{ addr: proxies[(index + 1) % 3]!.address, subscribe: ["news"] }];
    const instance = await site.open(name, { hub, client: { enabled: true, hubs } });
    proxies[index]!.target = instance.messenger.hubAddr;
    instances.push(instance);
  }
  await eventually(
    "the ring",
    () => instances.every(({ messenger }) => messenger.stats().hubs![0]!.state === "connected"),
  );
  const counters = instances.map((instance) => new Counter(instance, "news"));
  for (let round = 0; round < 30; round++) {
    await Promise.all(counters.map((counter) => counter.publish(4)));
    if (round % 10 === 5) proxies[Math.floor(round / 10)]!.cut();
    await pause();
  }
  const expected = Object.fromEntries(
    names.map((name, index) => [name, counters[index]!.expected]),
  );
  for (const instance of instances) {
    await eventually(
      `everything at ${instance.messenger.instanceName}`,
      () => instance.lines("news").length >= 3 * 120,
    );
  }
  await turn(20);
  for (const instance of instances) assertEquals(byOrigin(instance, "news"), expected);
});

Deno.test("P2: in a diamond every record is stored once everywhere, whichever way it comes", async () => {
  await using site = await Site.make();
  const top = await site.openHub("top", ["left", "right"]);
  const topProxy = site.proxy(top.messenger.hubAddr);
  const sides: TestMessenger[] = [];
  for (const name of ["left", "right"]) {
    const hub = { enabled: true, listenAddr: "127.0.0.1:0", allowedPeers: [{ name: "bottom" }] };
    const hubs = [{ addr: topProxy.address, subscribe: ["news"], publish: ["reports"] }];
    sides.push(await site.open(name, { hub, client: { enabled: true, hubs } }));
  }
  const hubs = sides.map(({ messenger }) => ({
    addr: site.proxy(messenger.hubAddr).address,
    subscribe: ["news"],
    publish: ["reports"],
  }));
  const bottom = await site.open("bottom", { client: { enabled: true, hubs } });
  await eventually("the diamond", () =>
    top.messenger.stats().hub!.peers.length === 2 &&
    bottom.messenger.stats().hubs!.every(({ state }) => state === "connected"));
  const [news, reports] = [new Counter(top, "news"), new Counter(bottom, "reports")];
  for (let round = 0; round < 20; round++) {
    await Promise.all([news.publish(5), reports.publish(5)]);
    if (round % 7 === 3) topProxy.cut();
    await pause();
  }
  for (const instance of [top, bottom, ...sides]) {
    await untilStored(instance, "news", news.expected);
    await untilStored(instance, "reports", reports.expected);
  }
});
