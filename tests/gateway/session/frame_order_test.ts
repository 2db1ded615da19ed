import { assert, assertEquals } from "@std/assert";
import { MemoryBroker } from "../../../src/gateway/broker/mod.ts";
import { makeEvent } from "../../../src/gateway/event.ts";
import { until } from "../../helpers/until.ts";
import { tokenIsUser } from "../helpers/authorizers.ts";
import { ScriptedBackends } from "../helpers/backends.ts";
import { messagesOf, TestClient } from "../helpers/client.ts";
import { type TestGateway, testGateway } from "../helpers/gateway.ts";

/** Publishes to a channel without a pause until it is told to stop. */
function publisher(gateway: TestGateway, channel: string): { stop(): Promise<void> } {
  let isOn = true;
  const done = (async () => {
    while (isOn) {
      await gateway.hub.broker.publish(channel, makeEvent({ type: "t" }));
      await new Promise((resolve) => setTimeout(resolve, 0));
    }
  })();
  return { stop: () => (isOn = false, done) };
}

Deno.test("no frame comes before the client's first", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.open(gateway.url);
  const noise = publisher(gateway, "room");
  await until("some noise", () => gateway.hub.counters.publications > 20);
  assertEquals(client.frames, []);
  await noise.stop();
});

Deno.test("connected comes before anything that its subscriptions deliver", async () => {
  await using gateway = await testGateway();
  const noise = publisher(gateway, "room");
  for (let n = 0; n < 10; n++) {
    await using client = await TestClient.open(gateway.url);
    client.send({ id: "c", connect: { subscriptions: [{ channel: "room" }, { channel: "*" }] } });
    assert((await client.next()).connected);
    assert((await client.next()).publication);
  }
  await noise.stop();
});

Deno.test("what an administrator does to a client that still logs in waits for nobody, and comes never", async () => {
  const gate = Promise.withResolvers<void>();
  const backends = new ScriptedBackends({
    hooks: ["SubscribeAcl"],
    subscribeAcl: () => gate.promise,
  });
  await using gateway = await testGateway({ backends, authorizer: tokenIsUser() });
  await using client = await TestClient.open(gateway.url);
  client.send({ id: "c", connect: { token: "u", subscriptions: [{ channel: "room" }] } });
  await backends.until("SubscribeAcl");
  const [session] = [...gateway.hub.sessions()];
  const { admin } = gateway.hub;
  const event = makeEvent({ type: "t" });
  const publication = {
    id: "",
    event,
    sessions: [session!.id],
    channels: ["room"],
    addHistory: false,
  };
  assertEquals((await admin.publish(publication)).delivered, 1);
  assertEquals(await admin.subscribe(session!.id, ["x"]), new Map([["x", false]]));
  gate.resolve();
  assert((await client.next()).connected);
  assertEquals(await client.settle(), []);
});

Deno.test("subscribe_ack comes before the channel's first publication, with recovery and without", async () => {
  await using gateway = await testGateway();
  const noise = publisher(gateway, "room");
  for (
    const metadata of [{}, { "keyop-recover": "1" }, {
      "keyop-recover": "1",
      "keyop-since.room": ":0",
    }]
  ) {
    for (let n = 0; n < 5; n++) {
      await using client = await TestClient.connected(gateway.url);
      client.send({ id: "s", metadata, subscribe: { subscriptions: [{ channel: "room" }] } });
      assert((await client.next()).subscribe_ack);
      assert((await client.next()).publication);
    }
  }
  await noise.stop();
});

Deno.test("after unsubscribe_ack nothing of that channel comes", async () => {
  await using gateway = await testGateway();
  const noise = publisher(gateway, "room");
  for (let n = 0; n < 10; n++) {
    await using client = await TestClient.connected(gateway.url);
    await client.subscribe("room");
    assert((await client.next()).publication);
    await client.ask({ id: "u", unsubscribe: { subscriptions: [{ channel: "room" }] } });
    const before = gateway.hub.counters.publications;
    await until("more noise", () => gateway.hub.counters.publications > before + 3);
    assertEquals(messagesOf(await client.settle()), []);
  }
  await noise.stop();
});

Deno.test("publications of one channel come in the order of their offsets", async () => {
  await using gateway = await testGateway({ broker: new MemoryBroker({ historySize: 5_000 }) });
  const noise = publisher(gateway, "room");
  await using client = await TestClient.connected(gateway.url);
  await client.ask({
    id: "s",
    metadata: { "keyop-recover": "1", "keyop-since.room": ":0" },
    subscribe: { subscriptions: [{ channel: "room" }] },
  });
  await until("some publications", () => messagesOf(client.frames).length > 100);
  await noise.stop();
  const offsets = messagesOf(client.frames).map(({ offset }) => Number(offset));
  assertEquals(offsets, offsets.map((_, index) => index + 1));
});

Deno.test("a refusal is the error, then the close frame, then nothing", async () => {
  const backends = new ScriptedBackends({
    hooks: ["SubscribeAcl"],
    subscribeAcl: () => Promise.reject(new Error("no")),
  });
  await using gateway = await testGateway({ backends, authorizer: tokenIsUser() });
  await using refused = await TestClient.open(gateway.url);
  refused.send({ id: "c", connect: { token: "bad" } });
  refused.send({ id: "p", ping: {} });
  assertEquals((await refused.ended).code, 3500);
  assertEquals(refused.frames.filter((frame) => !frame.pong).map(({ error }) => error.code), [
    "AUTH_ERROR",
  ]);
  await using denied = await TestClient.connected(gateway.url);
  denied.send({ id: "s", subscribe: { subscriptions: [{ channel: "a" }] } });
  denied.send({ id: "p", channel: "b", publish: {} });
  assertEquals((await denied.ended).code, 3500);
  assertEquals(denied.frames.slice(1).map(({ error }) => error?.code), ["ACL_ERROR"]);
});

Deno.test("what a closed client had sent is not executed", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.connected(gateway.url);
  client.send({ connect: {} });
  for (let n = 0; n < 50; n++) client.send({ channel: "room", publish: { text_data: "late" } });
  await client.ended;
  assertEquals((await gateway.hub.broker.history("room", { limit: -1 })).publications, []);
});
