import { MessengerBus } from "@keyop/messenger/bus";
import { assertEquals, assertGreater, assertRejects } from "@std/assert";
import { repliesChannel, requestsChannel } from "../../src/bus/messenger_names.ts";
import { eventually } from "../helpers/eventually.ts";
import { RecordingLogger } from "../helpers/recording_logger.ts";
import { Site } from "../helpers/site.ts";
import type { TestMessenger } from "../helpers/test_messenger.ts";
import { aborted, numbers, publishAll, serveAs, StuckHandler, take, text } from "./rules/tools.ts";

const SUBJECT = "thermostat";
const REQUESTS = requestsChannel(SUBJECT);

/** Three instances: `kitchen` and `attic` exchange the channels of one subject through `hub`. */
class House implements AsyncDisposable {
  readonly site: Site;
  readonly hub: TestMessenger;
  readonly instances = new Map<string, TestMessenger>();

  private constructor(site: Site, hub: TestMessenger) {
    this.site = site;
    this.hub = hub;
  }

  static async build(...names: string[]): Promise<House> {
    const site = await Site.make();
    const house = new House(site, await site.openHub("hub", names));
    for (const name of names) house.instances.set(name, await house.#open(name, names));
    for (const name of names) await house.linked(name);
    return house;
  }

  async #open(name: string, names: readonly string[]): Promise<TestMessenger> {
    const subscribe = [
      SUBJECT,
      REQUESTS,
      ...[...names, "hub"].map((one) => repliesChannel(SUBJECT, one)),
    ];
    return await this.site.open(name, {
      client: { enabled: true, hubs: [{ addr: this.hub.messenger.hubAddr, subscribe }] },
    });
  }

  /** Settles when an instance is connected to the hub. */
  linked(name: string): Promise<void> {
    const instance = this.instances.get(name)!;
    return eventually(
      `${name} to be connected`,
      () => instance.messenger.stats().hubs![0]!.state === "connected",
    );
  }

  /** Opens a bus over an instance. */
  bus(name: string): MessengerBus {
    const { messenger } = name === "hub" ? this.hub : this.instances.get(name)!;
    return this.site.adopt(new MessengerBus(messenger, { logger: new RecordingLogger() }));
  }

  /** Settles when an instance knows that another one serves. */
  knows(name: string, other: string): Promise<void> {
    const instance = name === "hub" ? this.hub : this.instances.get(name)!;
    return eventually(
      `${name} to know ${other}`,
      () =>
        instance.lines(REQUESTS).some((line) =>
          line.origin === other && line.payload_type === "keyop.bus.server"
        ),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.site[Symbol.asyncDispose]();
  }
}

Deno.test("federated: a request made on one host is served on another, through a hub", async () => {
  await using house = await House.build("kitchen", "attic");
  const kitchen = house.bus("kitchen");
  const attic = house.bus("attic");
  let seen: Readonly<Record<string, string>> = {};
  await attic.serve(SUBJECT, (data, { headers }) => {
    seen = headers;
    return `attic:${text(data)}`;
  });
  const headers = { "correlation-id": "c1", "service-name": "stove", colour: "red" };
  assertEquals(text(await kitchen.request(SUBJECT, "1", { headers })), "attic:1");
  assertEquals(seen, headers);
});

Deno.test("federated: streams, several replies and giving up go through the hub", async () => {
  await using house = await House.build("kitchen", "attic");
  const kitchen = house.bus("kitchen");
  const attic = house.bus("attic");
  const stream = await attic.stream(SUBJECT);
  await publishAll(kitchen, SUBJECT, numbers(200));
  assertEquals(await take(stream, 200), numbers(200));

  const stuck = new StuckHandler();
  await attic.serve(SUBJECT, (data, context) => {
    if (text(data) === "stuck") return stuck.handle(data, context);
    return (async function* () {
      yield* numbers(300);
    })();
  });
  const replies = await Array.fromAsync(kitchen.requestMany(SUBJECT, "many"));
  assertEquals(replies.map(text), numbers(300));
  const giveUp = new AbortController();
  const failing = assertRejects(
    () => kitchen.request(SUBJECT, "stuck", { signal: giveUp.signal, timeoutMs: 60_000 }),
  );
  const signal = await stuck.begun;
  giveUp.abort();
  await Promise.all([failing, aborted(signal)]);
});

Deno.test("federated: a server on another host that comes within the time limit answers", async () => {
  await using house = await House.build("kitchen", "attic");
  const kitchen = house.bus("kitchen");
  const asking = kitchen.request(SUBJECT, "1", { timeoutMs: 60_000 });
  const attic = house.instances.get("attic")!;
  await eventually("the request", () => attic.lines(REQUESTS).length === 1);
  await serveAs(house.bus("attic"), SUBJECT, "late");
  assertEquals(text(await asking), "late:1");
});

Deno.test("federated: a server that restarts, its link cut meanwhile, answers what came", async () => {
  await using house = await House.build("kitchen", "attic");
  const kitchen = house.bus("kitchen");
  const attic = house.instances.get("attic")!;
  const begun = Promise.withResolvers<void>();
  await house.bus("attic").serve(SUBJECT, () => {
    begun.resolve();
    return new Promise<string>(() => {});
  });
  const interrupted = kitchen.request(SUBJECT, "interrupted", { timeoutMs: 60_000 });
  await begun.promise;
  await attic.messenger.close();
  const meanwhile = kitchen.request(SUBJECT, "meanwhile", { timeoutMs: 60_000 });
  await attic.reopen();
  await serveAs(house.bus("attic"), SUBJECT, "again");
  assertEquals(text(await interrupted), "again:interrupted");
  assertEquals(text(await meanwhile), "again:meanwhile");
});

Deno.test("federated: servers on several hosts share the requests, each of which one answers", async () => {
  await using house = await House.build("kitchen", "attic", "cellar");
  const handled: string[] = [];
  for (const name of ["attic", "cellar"]) {
    await house.bus(name).serve(SUBJECT, (data) => {
      handled.push(`${name}:${text(data)}`);
      return name;
    });
  }
  await house.knows("attic", "cellar");
  await house.knows("cellar", "attic");
  const kitchen = house.bus("kitchen");
  const answers = await Promise.all(
    numbers(60).map(async (number) => text(await kitchen.request(SUBJECT, number))),
  );
  assertEquals(handled.length, 60);
  for (const name of ["attic", "cellar"]) {
    const count = answers.filter((answer) => answer === name).length;
    assertGreater(count, 10);
    assertEquals(handled.filter((one) => one.startsWith(name)).length, count);
  }
});

Deno.test("federated: what a host does not take that is gone, another one takes", async () => {
  await using house = await House.build("kitchen", "attic", "cellar");
  await serveAs(house.bus("attic"), SUBJECT, "attic");
  const cellar = house.instances.get("cellar")!;
  await serveAs(house.bus("cellar"), SUBJECT, "cellar");
  await house.knows("attic", "cellar");
  // It goes without a word.
  await cellar.messenger.close();
  const kitchen = house.bus("kitchen");
  const answers = await Promise.all(
    numbers(20).map(async (number) => text(await kitchen.request(SUBJECT, number))),
  );
  assertEquals(answers, numbers(20, "attic:"));
});

Deno.test("federated: servers that leave in order are waited for no more", async () => {
  await using house = await House.build("kitchen", "attic", "cellar");
  await serveAs(house.bus("attic"), SUBJECT, "attic");
  const leaving = await serveAs(house.bus("cellar"), SUBJECT, "cellar");
  await house.knows("attic", "cellar");
  await leaving.close();
  const attic = house.instances.get("attic")!;
  await eventually(
    "the word of the leaving",
    () =>
      attic.lines(REQUESTS).some(({ origin, payload }) =>
        origin === "cellar" && (payload as { serves?: boolean }).serves === false
      ),
  );
  const kitchen = house.bus("kitchen");
  for (const number of numbers(20)) {
    assertEquals(text(await kitchen.request(SUBJECT, number)), `attic:${number}`);
  }
});

Deno.test("federated: a hub serves and asks as well", async () => {
  await using house = await House.build("kitchen");
  await serveAs(house.bus("hub"), SUBJECT, "hub");
  assertEquals(text(await house.bus("kitchen").request(SUBJECT, "1")), "hub:1");
});
