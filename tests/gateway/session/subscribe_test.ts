import { assert, assertEquals } from "@std/assert";
import { MemoryBroker } from "../../../src/gateway/broker/mod.ts";
import { until } from "../../helpers/until.ts";
import { tokenIsUser } from "../helpers/authorizers.ts";
import { ScriptedBackends } from "../helpers/backends.ts";
import { dataOf, type Json, messagesOf, TestClient } from "../helpers/client.ts";
import { testGateway } from "../helpers/gateway.ts";

Deno.test("one subscribe of two channels is one ack, without tokens, with the flags", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.connected(gateway.url);
  const ack = await client.ask({
    id: "s",
    metadata: { k: "v" },
    subscribe: {
      subscriptions: [{ channel: "a", token: "secret" }, { channel: "b", ephemeral: true }],
    },
  });
  assertEquals(ack.metadata, { k: "v" });
  assertEquals(ack.subscribe_ack, {
    subscriptions: [{ channel: "a" }, { channel: "b", ephemeral: true }],
  });
  assertEquals(gateway.hub.registry.subscribers("a").size, 1);
  assertEquals(gateway.hub.registry.subscribers("b").size, 1);
  assertEquals(await client.settle(), []);
});

Deno.test("subscribing again replaces the flag and adds no second copy", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.connected(gateway.url, { client_id: "c" });
  await client.subscribe("a");
  assertEquals((await gateway.hub.broker.members("a", 10)).occupancy, 1);
  await client.ask({ id: "e", subscribe: { subscriptions: [{ channel: "a", ephemeral: true }] } });
  assertEquals((await gateway.hub.broker.members("a", 10)).occupancy, 0);
  assertEquals(gateway.hub.registry.subscribers("a").size, 1);
  await client.publish("a", "once");
  await client.settle();
  assertEquals(messagesOf(client.frames).length, 1);
});

/** A broker that says what it is asked for, and fails where it is told to. */
class WatchedBroker extends MemoryBroker {
  readonly asked: string[] = [];
  failing = "";
  override subscribe(name: string): Promise<void> {
    this.asked.push(`+${name}`);
    if (name === this.failing) return Promise.reject(new Error("the broker is away: 10.0.0.7"));
    return super.subscribe(name);
  }
  override unsubscribe(name: string): Promise<void> {
    this.asked.push(`-${name}`);
    return super.unsubscribe(name);
  }
}

Deno.test("the broker is asked for the first subscriber and the last alone", async () => {
  const broker = new WatchedBroker();
  await using gateway = await testGateway({ broker });
  await using one = await TestClient.connected(gateway.url);
  await using two = await TestClient.connected(gateway.url);
  await one.subscribe("a", "p.*");
  await two.subscribe("a", "p.*");
  await one.ask({ id: "u", unsubscribe: { subscriptions: [{ channel: "a" }] } });
  assertEquals(broker.asked, ["+a", "+p.*"]);
  await two.close();
  await until("the last to go", () => broker.asked.includes("-a"));
  assertEquals(broker.asked, ["+a", "+p.*", "-a"]);
  await one.close();
  await until("the pattern to go", () => broker.asked.length === 4);
  assertEquals(broker.asked[3], "-p.*");
});

Deno.test("a broker that fails undoes the whole batch, and its fault is not told", async () => {
  const broker = new WatchedBroker();
  broker.failing = "bad";
  await using gateway = await testGateway({ broker });
  await using client = await TestClient.connected(gateway.url);
  const { error } = await client.subscribe("good", "bad");
  assertEquals([error.code, error.type], ["INTERNAL_ERROR", "server_error"]);
  assert(!JSON.stringify(error).includes("10.0.0.7"));
  assertEquals(gateway.hub.registry.size, 0);
  await until("the good one to be given back", () => broker.asked.includes("-good"));
  broker.failing = "";
  assert((await client.subscribe("good", "bad")).subscribe_ack);
});

for (const token of ["", "secret"]) {
  Deno.test(`the ACL is asked with token "${token}"`, async () => {
    const backends = new ScriptedBackends({ hooks: ["SubscribeAcl"] });
    await using gateway = await testGateway({ backends, authorizer: tokenIsUser() });
    await using client = await TestClient.connected(gateway.url, { client_id: "c", token: "u" });
    await client.ask({ id: "s", subscribe: { subscriptions: [{ channel: "a", token }] } });
    const [call] = backends.of("SubscribeAcl");
    assertEquals(call!.request, { channel: "a", token });
    assertEquals(call!.caller, { sessionId: client.sessionId, clientId: "c", userId: "u" });
    assert(backends.lookups.includes("SubscribeAcl a subscribe"));
  });
}

const refusing = () =>
  new ScriptedBackends({
    hooks: ["SubscribeAcl"],
    subscribeAcl: (channel) =>
      channel === "secret" ? Promise.reject(new Error("PERMISSION_DENIED")) : Promise.resolve(),
  });

Deno.test("a refused subscription is an ACL_ERROR with the request's id, then 3500", async () => {
  await using gateway = await testGateway({ backends: refusing() });
  await using client = await TestClient.connected(gateway.url);
  const { error } = await client.subscribe("a", "secret");
  assertEquals([error.code, error.type], ["ACL_ERROR", "acl_error"]);
  assertEquals(await client.ended, { code: 3500, reason: "invalid token" });
  await until("its end", () => gateway.hub.connections === 0);
  assertEquals(gateway.hub.registry.size, 0);
});

Deno.test("with acl_failure error, the batch is undone and the connection stays", async () => {
  await using gateway = await testGateway({
    backends: refusing(),
    settings: { aclFailure: "error" },
  });
  await using client = await TestClient.connected(gateway.url);
  await client.subscribe("before");
  const { error } = await client.subscribe("a", "secret");
  assertEquals([error.code, error.type], ["PERMISSION_DENIED", "acl_error"]);
  assertEquals(gateway.hub.registry.size, 1);
  assert((await client.subscribe("a")).subscribe_ack);
});

Deno.test("the authorizer refuses a subscription as a backend does", async () => {
  await using gateway = await testGateway({
    authorizer: tokenIsUser((_user, _action, channel) => channel !== "secret"),
    settings: { aclFailure: "error" },
  });
  await using client = await TestClient.connected(gateway.url);
  assertEquals((await client.subscribe("secret")).error.code, "PERMISSION_DENIED");
});

Deno.test("a refused subscription of connect is the refusal of connect", async () => {
  await using gateway = await testGateway({ backends: refusing() });
  await using client = await TestClient.open(gateway.url);
  client.send({ id: "c", connect: { subscriptions: [{ channel: "a" }, { channel: "secret" }] } });
  assertEquals((await client.next()).error.code, "ACL_ERROR");
  assertEquals((await client.ended).code, 3500);
  assertEquals(client.frames.length, 1);
});

Deno.test("with acl_failure error, connect succeeds without them and the error follows", async () => {
  await using gateway = await testGateway({
    backends: refusing(),
    settings: { aclFailure: "error" },
  });
  await using client = await TestClient.open(gateway.url);
  client.send({ id: "c", connect: { subscriptions: [{ channel: "a" }, { channel: "secret" }] } });
  const { connected } = await client.next();
  assertEquals(connected.subscriptions, undefined);
  const { id, error } = await client.next();
  assertEquals([id, error.code], ["c", "PERMISSION_DENIED"]);
});

Deno.test("OnSubscribed and OnUnsubscribed are told of real changes, and nobody waits", async () => {
  const backends = new ScriptedBackends({
    hooks: ["OnSubscribed", "OnUnsubscribed"],
    notify: () => new Promise(() => {}),
  });
  await using gateway = await testGateway({ backends });
  await using client = await TestClient.connected(gateway.url, { client_id: "c" });
  await client.subscribe("a");
  await client.ask({
    id: "u",
    unsubscribe: { subscriptions: [{ channel: "a" }, { channel: "no" }] },
  });
  const notice = { sessionId: client.sessionId, channel: "a", username: "c" };
  assertEquals(backends.of("OnSubscribed").map(({ request }) => request), [notice]);
  assertEquals(backends.of("OnUnsubscribed").map(({ request }) => request), [notice]);
  assert(backends.lookups.includes("OnSubscribed a subscribe"));
  assert(backends.lookups.includes("OnUnsubscribed a unsubscribe"));
});

Deno.test("unsubscribe is acknowledged whether there was something or not", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.connected(gateway.url);
  const { unsubscribe_ack } = await client.ask({
    id: "u",
    unsubscribe: { subscriptions: [{ channel: "never" }] },
  });
  assertEquals(unsubscribe_ack, { subscriptions: [{ channel: "never" }] });
});

Deno.test("sub_refresh checks again what is held, and ends what is refused", async () => {
  const refused = new Set<string>();
  const backends = new ScriptedBackends({
    hooks: ["SubscribeAcl", "OnUnsubscribed"],
    subscribeAcl: (channel) =>
      refused.has(channel) ? Promise.reject(new Error("no")) : Promise.resolve(),
  });
  await using gateway = await testGateway({ backends });
  await using client = await TestClient.connected(gateway.url);
  await client.ask({
    id: "s",
    subscribe: { subscriptions: [{ channel: "a", token: "t" }, { channel: "b" }] },
  });
  refused.add("a");
  client.send({ id: "r", sub_refresh: { channels: ["a", "b", "unheld"] } });
  const { id, error } = await client.next();
  assertEquals([id, error.code, error.metadata], ["r", "PERMISSION_DENIED", { channel: "a" }]);
  assertEquals((await client.next()).sub_refresh_ack, {});
  assertEquals(backends.of("SubscribeAcl").slice(2).map(({ request }) => request), [
    { channel: "a", token: "t" },
    { channel: "b", token: "" },
  ]);
  assertEquals(backends.of("OnUnsubscribed").length, 1);
  assertEquals(gateway.hub.registry.subscribers("a").size, 0);
  assertEquals(gateway.hub.registry.subscribers("b").size, 1);
});

Deno.test("sub_refresh of what is allowed is one ack", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.connected(gateway.url);
  await client.subscribe("a");
  client.send({ id: "r", sub_refresh: { channels: ["a"] } });
  assertEquals((await client.next()).sub_refresh_ack, {});
  assertEquals(await client.settle(), []);
});

const BAD_NAMES: readonly (readonly [string, string])[] = [
  ["an empty name", ""],
  ["a name of 256 bytes", "ä".repeat(128)],
  ["a control character", "a\nb"],
  ["an empty segment", "a..b"],
  ["an empty first segment", ".a"],
  ["an empty last segment", "a."],
];

for (const [name, channel] of BAD_NAMES) {
  Deno.test(`${name} is no channel`, async () => {
    await using gateway = await testGateway();
    await using client = await TestClient.connected(gateway.url);
    const { error } = await client.ask({ id: "s", subscribe: { subscriptions: [{ channel }] } });
    assertEquals([error.code, error.type], ["BAD_REQUEST", "request_error"]);
    const published = await client.ask({ id: "p", channel, publish: { text_data: "x" } });
    assertEquals([published.error.code, published.error.type], ["BAD_REQUEST", "request_error"]);
  });
}

Deno.test("names may have any other character, 255 bytes of them, and are case sensitive", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.connected(gateway.url);
  const names = ["ä".repeat(127) + "x", "a b/c?d#e:f", "日本.語", "a*", "Case"];
  await client.subscribe(...names);
  for (const name of names) assert((await client.publish(name, "x")).publish_ack, name);
  await client.publish("case", "x");
  await client.settle();
  assertEquals(messagesOf(client.frames).map(({ channel }) => channel), names);
});

const S0 = ["forex.*", "*.usd", "forex.eur"];
const S1 = ["*.eur", "forex.*", "trade"];
const S2 = ["*"];
const PUBLICATIONS: readonly (readonly [string, readonly number[]])[] = [
  ["forex.eur", [0, 1]],
  ["forex.jpy", [0, 1]],
  ["forex", [2]],
  ["trade", [1, 2]],
  ["trade.jpy", []],
];

Deno.test("patterns: each subscriber gets each publication once, with its own channel", async () => {
  await using gateway = await testGateway();
  const clients: TestClient[] = [];
  for (const patterns of [S0, S1, S2]) {
    const client = await TestClient.connected(gateway.url);
    await client.subscribe(...patterns);
    clients.push(client);
  }
  await using publisher = await TestClient.connected(gateway.url);
  for (const [channel, receivers] of PUBLICATIONS) {
    await publisher.publish(channel, channel);
    for (const [index, client] of clients.entries()) {
      const messages = messagesOf(await client.settle());
      const expected = receivers.includes(index) ? [channel] : [];
      assertEquals(messages.map(({ channel }) => channel), expected, `s${index} of ${channel}`);
      assertEquals(messages.map(dataOf), expected);
    }
  }
  for (const [index, client] of clients.entries()) {
    const patterns = [S0, S1, S2][index]!;
    await client.ask({
      id: "u",
      unsubscribe: { subscriptions: patterns.map((channel) => ({ channel })) },
    });
  }
  for (const [channel] of PUBLICATIONS) await publisher.publish(channel, channel);
  for (const client of clients) {
    assertEquals(messagesOf(await client.settle()), []);
    await client[Symbol.asyncDispose]();
  }
  assertEquals(gateway.hub.registry.size, 0);
});

Deno.test("a trailing ** is any number of segments", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.connected(gateway.url);
  await client.subscribe("a.**");
  for (const channel of ["a", "a.b", "a.b.c", "b"]) await client.publish(channel, channel);
  await client.settle();
  assertEquals(messagesOf(client.frames).map(({ channel }: Json) => channel), [
    "a",
    "a.b",
    "a.b.c",
  ]);
});
