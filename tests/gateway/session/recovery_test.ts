import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  type BrokerEvents,
  type HistoryFilter,
  type HistoryPage,
  MemoryBroker,
  type StreamPosition,
} from "../../../src/gateway/broker/mod.ts";
import { makeEvent } from "../../../src/gateway/event.ts";
import { DEFAULT_LIMITS } from "../../../src/gateway/session/mod.ts";
import { until } from "../../helpers/until.ts";
import { tokenIsUser } from "../helpers/authorizers.ts";
import { dataOf, type Json, messagesOf, TestClient } from "../helpers/client.ts";
import { type TestGateway, testGateway } from "../helpers/gateway.ts";

const event = (text: string) =>
  makeEvent({ type: "t", isText: true, data: new TextEncoder().encode(text) });

async function fill(
  gateway: TestGateway,
  channel: string,
  from: number,
  to: number,
): Promise<StreamPosition> {
  let position = { offset: 0, epoch: "" };
  for (let n = from; n <= to; n++) {
    ({ position } = await gateway.hub.broker.publish(channel, event(`m${n}`), {}));
  }
  return position;
}

const since = (positions: Record<string, StreamPosition>) => ({
  "keyop-recover": "1",
  ...Object.fromEntries(
    Object.entries(positions).map(([channel, { epoch, offset }]) => [
      `keyop-since.${channel}`,
      `${epoch}:${offset}`,
    ]),
  ),
});

function recover(client: TestClient, positions: Record<string, StreamPosition>, names?: string[]) {
  return client.ask({
    id: "s",
    metadata: since(positions),
    subscribe: { subscriptions: (names ?? Object.keys(positions)).map((channel) => ({ channel })) },
  });
}

async function messages(client: TestClient, count: number): Promise<Json[]> {
  const found: Json[] = [];
  while (found.length < count) found.push(...messagesOf([await client.next()]));
  return found;
}

for (const codec of ["json", "proto"] as const) {
  Deno.test(`what was missed comes in order, marked as replay, before what is live, in ${codec}`, async () => {
    await using gateway = await testGateway();
    const { epoch } = await fill(gateway, "room", 1, 5);
    await using client = await TestClient.connected(gateway.url, {}, { codec });
    const ack = await recover(client, { room: { epoch, offset: 2 } });
    assertEquals(ack.metadata["keyop-recovered.room"], "true");
    assertEquals(ack.metadata["keyop-position.room"], `${epoch}:5`);
    await client.publish("room", "live");
    await client.settle();
    const all = messagesOf(client.frames);
    assertEquals(all.map(dataOf), ["m3", "m4", "m5", "live"]);
    assertEquals(all.map(({ offset }) => offset), ["3", "4", "5", "6"]);
    assertEquals(all.map(({ payload }) => payload.attributes.mlreplay?.ce_string), [
      "true",
      "true",
      "true",
      undefined,
    ]);
  });
}

Deno.test("connect recovers as subscribe does", async () => {
  await using gateway = await testGateway();
  const { epoch } = await fill(gateway, "room", 1, 3);
  await using client = await TestClient.open(gateway.url);
  client.send({
    id: "c",
    metadata: since({ room: { epoch, offset: 1 } }),
    connect: { subscriptions: [{ channel: "room" }] },
  });
  const answer = await client.next();
  assert(answer.connected);
  assertEquals(answer.metadata["keyop-recovered.room"], "true");
  assertEquals((await messages(client, 2)).map(dataOf), ["m2", "m3"]);
});

Deno.test("a first subscription hears where it begins, and then misses nothing", async () => {
  await using gateway = await testGateway();
  const { epoch } = await fill(gateway, "room", 1, 3);
  await using client = await TestClient.connected(gateway.url);
  const ack = await recover(client, {}, ["room", "other.*"]);
  assertEquals(ack.metadata["keyop-position.room"], `${epoch}:3`);
  assertEquals(ack.metadata["keyop-recovered.room"], undefined);
  await client.publish("room", "live");
  assertEquals(messagesOf(client.frames).map(dataOf), ["live"]);
});

Deno.test("a client that does not ask for it gets no such metadata", async () => {
  await using gateway = await testGateway();
  await fill(gateway, "room", 1, 3);
  await using client = await TestClient.connected(gateway.url);
  const ack = await client.subscribe("room");
  assertEquals(ack.metadata, undefined);
});

Deno.test("positions of concrete channels recover under a pattern", async () => {
  await using gateway = await testGateway();
  const a = await fill(gateway, "p.a", 1, 2);
  const b = await fill(gateway, "p.b", 11, 12);
  const c = await fill(gateway, "q.c", 21, 22);
  await using client = await TestClient.connected(gateway.url);
  const ack = await recover(client, {
    "p.a": { ...a, offset: 1 },
    "p.b": { ...b, offset: 0 },
    "q.c": { ...c, offset: 0 },
  }, ["p.*"]);
  assertEquals(ack.metadata["keyop-recovered.p.a"], "true");
  assertEquals(ack.metadata["keyop-recovered.p.b"], "true");
  assertEquals(ack.metadata["keyop-recovered.q.c"], undefined);
  assertEquals((await messages(client, 3)).map(dataOf), ["m2", "m11", "m12"]);
  assertEquals(messagesOf(await client.settle()), []);
});

const REASONS: readonly (readonly [
  string,
  { readonly size: number; readonly limit?: number },
  (gateway: TestGateway, at: StreamPosition) => Promise<StreamPosition>,
  string,
  string[],
])[] = [
  ["nothing was missed", { size: 9 }, (_g, at) => Promise.resolve(at), "true", []],
  [
    "the beginning of a history that is whole",
    { size: 9 },
    () => Promise.resolve({ offset: 0, epoch: "" }),
    "true",
    ["m1", "m2", "m3"],
  ],
  [
    "another epoch",
    { size: 9 },
    () => Promise.resolve({ offset: 2, epoch: "other" }),
    "false:epoch_changed",
    ["m1", "m2", "m3"],
  ],
  [
    "history that was removed",
    { size: 9 },
    async (gateway, at) => {
      await gateway.hub.broker.removeHistory("room");
      return at;
    },
    "false:epoch_changed",
    [],
  ],
  [
    "history that was trimmed",
    { size: 2 },
    (_g, at) => Promise.resolve({ ...at, offset: 0 }),
    "false:trimmed",
    ["m2", "m3"],
  ],
  [
    "a channel that keeps none",
    { size: 0 },
    (_g, at) => Promise.resolve({ ...at, offset: 1 }),
    "false:no_history",
    [],
  ],
  [
    "more than is replayed",
    { size: 9, limit: 1 },
    (_g, at) => Promise.resolve({ ...at, offset: 1 }),
    "false:limit",
    [],
  ],
  [
    "exactly what is replayed",
    { size: 9, limit: 2 },
    (_g, at) => Promise.resolve({ ...at, offset: 1 }),
    "true",
    ["m2", "m3"],
  ],
];

for (const [name, { size, limit }, prepare, answer, expected] of REASONS) {
  Deno.test(`recovery from ${name} is ${answer}`, async () => {
    await using gateway = await testGateway({
      broker: new MemoryBroker({ historySize: size }),
      ...(limit === undefined ? {} : { limits: { replay: limit } }),
    });
    const position = await prepare(gateway, await fill(gateway, "room", 1, 3));
    await using client = await TestClient.connected(gateway.url);
    const ack = await recover(client, { room: position });
    assertEquals(ack.metadata["keyop-recovered.room"], answer);
    await client.publish("room", "live");
    await client.settle();
    assertEquals(messagesOf(client.frames).map(dataOf), [...expected, "live"]);
  });
}

Deno.test("who may not read history recovers none, and hears so", async () => {
  await using gateway = await testGateway({
    authorizer: tokenIsUser((_user, action) => action !== "history"),
  });
  const at = await fill(gateway, "room", 1, 3);
  await using client = await TestClient.connected(gateway.url);
  const missed = await recover(client, { room: { ...at, offset: 1 } });
  assertEquals(missed.metadata["keyop-recovered.room"], "false:no_history");
  const nothing = await recover(client, { room: at });
  assertEquals(nothing.metadata["keyop-recovered.room"], "true");
  await client.publish("room", "live");
  assertEquals(messagesOf(client.frames).map(dataOf), ["live"]);
});

Deno.test("when the broker lost something, those who can recover are made to, others stay", async () => {
  class Interrupted extends MemoryBroker {
    lose = (_channel: string, _complete: boolean) => {};
    override start(events: BrokerEvents): Promise<void> {
      this.lose = (channel, complete) => events.interrupted!(channel, complete);
      return super.start(events);
    }
  }
  const broker = new Interrupted();
  await using gateway = await testGateway({ broker });
  await using able = await TestClient.connected(gateway.url);
  await recover(able, {}, ["room"]);
  await using elsewhere = await TestClient.connected(gateway.url);
  await recover(elsewhere, {}, ["other"]);
  await using plain = await TestClient.connected(gateway.url);
  await plain.subscribe("room");
  broker.lose("room", true);
  assertEquals(await able.settle(), []);
  broker.lose("room", false);
  assertEquals((await able.ended).code, 3000);
  assertEquals(await elsewhere.settle(), []);
  assertEquals(await plain.settle(), []);
  assertEquals(gateway.hub.counters.interruptions, 2);
});

const ILL_FORMED = ["", "x", "1", "e:", "e:-1", "e:1.5", "e:99999999999999999999"];

for (const value of ILL_FORMED) {
  Deno.test(`the position "${value}" is none`, async () => {
    await using gateway = await testGateway();
    await fill(gateway, "room", 1, 2);
    await using client = await TestClient.connected(gateway.url);
    const ack = await client.ask({
      id: "s",
      metadata: { "keyop-recover": "1", "keyop-since.room": value },
      subscribe: { subscriptions: [{ channel: "room" }] },
    });
    assertEquals(ack.metadata["keyop-recovered.room"], undefined);
    assertEquals(messagesOf(await client.settle()), []);
  });
}

/** A broker whose history answers when a test lets it. */
class GatedBroker extends MemoryBroker {
  gate: PromiseWithResolvers<void> | undefined;
  reads = 0;
  override async history(channel: string, filter: HistoryFilter): Promise<HistoryPage> {
    this.reads++;
    const page = await super.history(channel, filter);
    await this.gate?.promise;
    return page;
  }
}

Deno.test("what is published during a replay comes once, after it, in order", async () => {
  const broker = new GatedBroker({ historySize: 10_000 });
  await using gateway = await testGateway({ broker });
  const at = await fill(gateway, "room", 1, 2_500);
  await using client = await TestClient.connected(gateway.url);
  broker.gate = Promise.withResolvers();
  client.send({
    id: "s",
    metadata: since({ room: { ...at, offset: 0 } }),
    subscribe: { subscriptions: [{ channel: "room" }] },
  });
  await until("the first read", () => broker.reads === 1);
  await fill(gateway, "room", 2_501, 2_510);
  const first = broker.gate;
  broker.gate = Promise.withResolvers();
  first.resolve();
  await until("the second read", () => broker.reads === 2);
  await fill(gateway, "room", 2_511, 2_520);
  broker.gate.resolve();
  broker.gate = undefined;
  const all = await messages(client, 2_520);
  assertEquals(all.map(dataOf), Array.from({ length: 2_520 }, (_, n) => `m${n + 1}`));
  assertEquals(messagesOf(await client.settle()), []);
});

Deno.test("more live messages than may wait during a replay are read from the history", async () => {
  const broker = new GatedBroker({ historySize: 10_000 });
  await using gateway = await testGateway({ broker, limits: { outboundFrames: 8 } });
  const at = await fill(gateway, "room", 1, 3);
  await using client = await TestClient.connected(gateway.url);
  client.send({
    id: "s",
    metadata: since({ room: { ...at, offset: 0 } }),
    subscribe: { subscriptions: [{ channel: "room" }] },
  });
  assert((await client.next()).subscribe_ack);
  broker.gate = Promise.withResolvers();
  const reads = broker.reads;
  client.send({
    id: "again",
    metadata: since({ other: { epoch: "", offset: 0 }, room: { ...at, offset: 0 } }),
    subscribe: { subscriptions: [{ channel: "room" }] },
  });
  await until("the read", () => broker.reads > reads);
  const gate = broker.gate;
  broker.gate = Promise.withResolvers();
  gate.resolve();
  await until("the next read", () => broker.reads > reads + 1);
  await fill(gateway, "room", 4, 103);
  broker.gate.resolve();
  broker.gate = undefined;
  const seen: number[] = [];
  while (seen.at(-1) !== 103) {
    seen.push(...messagesOf([await client.next()]).map(({ offset }) => Number(offset)));
  }
  // The first subscription's replay, then the second one's: each whole and in order.
  const second = seen.slice(3);
  assertEquals(second, Array.from({ length: 103 }, (_, n) => n + 1));
});

Deno.test("unsubscribing ends a replay", async () => {
  const broker = new GatedBroker({ historySize: 10_000 });
  await using gateway = await testGateway({ broker });
  const at = await fill(gateway, "room", 1, 5_000);
  await using client = await TestClient.connected(gateway.url);
  const ack = recover(client, { room: { ...at, offset: 0 } });
  await ack;
  broker.gate = Promise.withResolvers();
  client.send({ id: "u", unsubscribe: { subscriptions: [{ channel: "room" }] } });
  for (;;) {
    const frame = await client.next();
    if (frame.unsubscribe_ack) break;
  }
  broker.gate.resolve();
  broker.gate = undefined;
  assertEquals(messagesOf(await client.settle()), []);
});

Deno.test("history that is trimmed while it is replayed ends the connection: it recovers anew", async () => {
  const broker = new GatedBroker({ historySize: 2_000 });
  await using gateway = await testGateway({ broker });
  const at = await fill(gateway, "room", 1, 2_000);
  await using client = await TestClient.connected(gateway.url);
  broker.gate = Promise.withResolvers();
  client.send({
    id: "s",
    metadata: since({ room: { ...at, offset: 0 } }),
    subscribe: { subscriptions: [{ channel: "room" }] },
  });
  await until("the first read", () => broker.reads === 1);
  await fill(gateway, "room", 2_001, 5_000);
  broker.gate.resolve();
  broker.gate = undefined;
  assertEquals((await client.ended).code, 3512);
  const last = messagesOf(client.frames).at(-1);
  await using again = await TestClient.connected(gateway.url);
  const ack = await recover(again, { room: { ...at, offset: Number(last.offset) } });
  assertEquals(ack.metadata["keyop-recovered.room"], "false:trimmed");
});

Deno.test("a session id is its user's: a successor ends it, a stranger recovers nothing", async () => {
  await using gateway = await testGateway({ authorizer: tokenIsUser() });
  const at = await fill(gateway, "room", 1, 3);
  await using first = await TestClient.connected(gateway.url, { client_id: "c", token: "u" });
  const connect = (token: string) => ({
    id: "c",
    metadata: { ...since({ room: { ...at, offset: 1 } }), "keyop-session": first.sessionId },
    connect: { client_id: "c", token, subscriptions: [{ channel: "room" }] },
  });
  await using stranger = await TestClient.open(gateway.url);
  stranger.send(connect("v"));
  assertEquals((await stranger.next()).metadata["keyop-recovered.room"], undefined);
  assertEquals(messagesOf(await stranger.settle()), []);
  assertEquals(await first.settle(), []);
  await using successor = await TestClient.open(gateway.url);
  successor.send(connect("u"));
  assertEquals((await successor.next()).metadata["keyop-recovered.room"], "true");
  assertEquals((await first.ended).code, 3503);
  await until("its end", () => gateway.hub.session(first.sessionId) === undefined);
  await using late = await TestClient.open(gateway.url);
  late.send(connect("v"));
  assertEquals((await late.next()).metadata["keyop-recovered.room"], undefined);
});

Deno.test("a successor finds room although its user has no more: the earlier session makes it", async () => {
  await using gateway = await testGateway({
    authorizer: tokenIsUser(),
    limits: { user: { ...DEFAULT_LIMITS.user, connections: 1 } },
  });
  await using first = await TestClient.connected(gateway.url, { client_id: "c", token: "u" });
  await using second = await TestClient.connected(gateway.url, { client_id: "c", token: "u" }, {
    metadata: { "keyop-session": first.sessionId },
  });
  assertEquals((await first.ended).code, 3503);
  assertEquals(await second.settle(), []);
  await using third = await TestClient.open(gateway.url);
  third.send({ connect: { token: "u" } });
  assertEquals((await third.ended).code, 3504);
});

Deno.test("an anonymous session is not ended by who knows its id", async () => {
  await using gateway = await testGateway();
  await using first = await TestClient.connected(gateway.url, { client_id: "c" });
  await using second = await TestClient.open(gateway.url);
  second.send({
    id: "c",
    metadata: { "keyop-recover": "1", "keyop-session": first.sessionId },
    connect: { client_id: "c" },
  });
  assert((await second.next()).connected);
  assertEquals(await first.settle(), []);
});

Deno.test("however publishing, leaving and coming back fall together, all of it comes once and in order", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom("publish", "burst", "leave", "return"), { maxLength: 30 }),
      async (steps) => {
        await using gateway = await testGateway({
          broker: new MemoryBroker({ historySize: 5_000 }),
        });
        let client: TestClient | undefined;
        let position: StreamPosition = { offset: 0, epoch: "" };
        const seen: number[] = [];
        let published = 0;
        const leave = async () => {
          if (client === undefined) return;
          client.socket.terminate();
          await client.ended;
          for (const { offset } of messagesOf(client.frames)) seen.push(Number(offset));
          const last = seen.at(-1) ?? 0;
          const { epoch } = await gateway.hub.broker.position("room");
          position = last === 0 ? position : { offset: last, epoch };
          client = undefined;
        };
        const come = async () => {
          if (client !== undefined) return;
          client = await TestClient.connected(gateway.url);
          client.send({
            id: "s",
            metadata: since({ room: position }),
            subscribe: { subscriptions: [{ channel: "room" }] },
          });
        };
        for (const step of steps) {
          if (step === "leave") await leave();
          else if (step === "return") await come();
          else {
            const count = step === "publish" ? 1 : 70;
            await fill(gateway, "room", published + 1, published + count);
            published += count;
          }
        }
        await come();
        await until("all of it", () => {
          const last = messagesOf(client!.frames.slice(-1)).at(-1);
          return published === (seen.at(-1) ?? 0) || Number(last?.offset ?? 0) === published;
        });
        await client!.settle();
        await leave();
        assertEquals(seen, Array.from({ length: published }, (_, n) => n + 1));
      },
    ),
    { numRuns: 15 },
  );
});
