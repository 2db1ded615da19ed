import { assert, assertEquals, assertMatch } from "@std/assert";
import { MemoryBroker } from "../../../src/gateway/broker/mod.ts";
import { makeEvent } from "../../../src/gateway/event.ts";
import { tokenIsUser } from "../helpers/authorizers.ts";
import { dataOf, type Json, messagesOf, TestClient } from "../helpers/client.ts";
import { testGateway } from "../helpers/gateway.ts";

for (const codec of ["json", "proto"] as const) {
  Deno.test(`a delivered message has every field of the table, in ${codec}`, async () => {
    await using gateway = await testGateway();
    await using client = await TestClient.connected(gateway.url, {}, { codec });
    await client.subscribe("two words");
    client.send({
      id: "p",
      channel: "two words",
      publish: {
        id: "event-1",
        source: "/sensors/7",
        type: "reading",
        spec_version: "1.0",
        attributes: {
          datacontenttype: { ce_string: "text/html" },
          subject: { ce_string: "s" },
          time: { ce_timestamp: "2026-01-02T03:04:05.600Z" },
          dataschema: { ce_uri: "http://a/b" },
          ext: { ce_integer: 7 },
        },
        text_data: "<b>",
      },
    });
    const frames = [await client.next(), await client.next()];
    const [message] = messagesOf(frames);
    assertMatch(message.id, /^[0-9a-f-]{36}$/);
    assertEquals(message, {
      id: message.id,
      channel: "two words",
      offset: "1",
      payload: {
        id: "event-1",
        source: "two%20words",
        spec_version: "1.0",
        type: "reading",
        attributes: {
          datacontenttype: { ce_string: "text/html" },
          subject: { ce_string: "s" },
          time: { ce_timestamp: "2026-01-02T03:04:05.600Z" },
          dataschema: { ce_uri: "http://a/b" },
          ext: { ce_integer: 7 },
          mlsource: { ce_string: "/sensors/7" },
          mlchannel: { ce_string: "two words" },
          mloffset: { ce_string: "1" },
        },
        binary_data: btoa("<b>"),
      },
    });
    const frame = frames.find((frame) => frame.publication);
    assertMatch(frame.id, /^[0-9a-f-]{36}$/);
    assertEquals(frame.metadata, undefined);
  });
}

Deno.test("what a publisher leaves out is filled in, and no data is an empty payload", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.connected(gateway.url);
  await client.subscribe("room");
  await client.ask({ id: "p", channel: "room", publish: {} });
  await client.settle();
  const [message] = messagesOf(client.frames);
  assertEquals(message.payload, {
    id: message.id,
    source: "room",
    spec_version: "1.0",
    type: "room.message",
    attributes: {
      datacontenttype: { ce_string: "application/octet-stream" },
      mlchannel: { ce_string: "room" },
      mloffset: { ce_string: "1" },
    },
    binary_data: "",
  });
});

const CHANNELS: readonly (readonly [string, Json, string])[] = [
  ["the envelope's", { channel: "a", publish: { source: "b", text_data: "x" } }, "a"],
  ["else the event's source", { publish: { source: "b", text_data: "x" } }, "b"],
];

for (const [name, frame, channel] of CHANNELS) {
  Deno.test(`the channel is ${name}`, async () => {
    await using gateway = await testGateway();
    await using client = await TestClient.connected(gateway.url);
    await client.subscribe("a", "b");
    client.send({ id: "p", ...frame });
    const frames = [await client.next(), await client.next()];
    assertEquals(messagesOf(frames).map((message) => message.channel), [channel]);
  });
}

const REFUSED: readonly (readonly [string, Json, string, string])[] = [
  ["without a channel", { publish: { text_data: "x" } }, "BAD_REQUEST", "request_error"],
  ["to a pattern", { channel: "a.*", publish: {} }, "BAD_REQUEST", "request_error"],
  ["to a pattern with **", { channel: "a.**", publish: {} }, "BAD_REQUEST", "request_error"],
  ["to a companion", { channel: "a/__presence", publish: {} }, "BAD_REQUEST", "request_error"],
  ["where it is not allowed", { channel: "locked", publish: {} }, "PERMISSION_DENIED", "acl_error"],
];

for (const [name, frame, code, type] of REFUSED) {
  Deno.test(`publishing ${name} is ${code}, without an ack`, async () => {
    await using gateway = await testGateway({
      authorizer: tokenIsUser((_user, action, channel) =>
        action !== "publish" || channel !== "locked"
      ),
    });
    await using client = await TestClient.connected(gateway.url);
    await client.subscribe("a.**", "locked", "a/__presence");
    client.send({ id: "p", ...frame });
    const { id, error } = await client.next();
    assertEquals([id, error.code, error.type], ["p", code, type]);
    assertEquals(await client.settle(), []);
  });
}

Deno.test("acks carry the channel's own offsets, counted from 1", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.connected(gateway.url);
  const offsets: string[] = [];
  for (const channel of ["a", "a", "b", "a"]) {
    offsets.push((await client.publish(channel, "x")).publish_ack.offset);
  }
  assertEquals(offsets, ["1", "2", "1", "3"]);
});

Deno.test("a transient publication is delivered with offset 0 and kept nowhere", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.connected(gateway.url);
  await client.subscribe("a");
  client.send({
    id: "p",
    channel: "a",
    metadata: { "keyop-transient": "1" },
    publish: { text_data: "x" },
  });
  const frames = [await client.next(), await client.next()];
  assertEquals(frames.find((frame) => frame.publish_ack).publish_ack, {});
  const [message] = messagesOf(frames);
  assertEquals([message.offset, message.payload.attributes.mloffset], [undefined, undefined]);
  assertEquals((await gateway.hub.broker.history("a", { limit: -1 })).publications, []);
});

Deno.test("a broker that fails is an INTERNAL_ERROR without its text, and no ack", async () => {
  class Failing extends MemoryBroker {
    override publish(): Promise<never> {
      return Promise.reject(new Error("password of redis://u:hunter2@db"));
    }
  }
  await using gateway = await testGateway({ broker: new Failing() });
  await using client = await TestClient.connected(gateway.url);
  const { error } = await client.publish("a", "x");
  assertEquals([error.code, error.type], ["INTERNAL_ERROR", "server_error"]);
  assert(!JSON.stringify(error).includes("hunter2"));
  assertEquals(await client.settle(), []);
});

Deno.test("a publisher hears itself, and the message has one id for all and in history", async () => {
  await using gateway = await testGateway();
  await using one = await TestClient.connected(gateway.url);
  await using two = await TestClient.connected(gateway.url, {}, { codec: "proto" });
  await one.subscribe("a");
  await two.subscribe("*");
  await one.publish("a", "x");
  await one.settle();
  await two.settle();
  const ids = [one, two].flatMap(({ frames }) => messagesOf(frames).map(({ id }) => id));
  const [kept] = (await gateway.hub.broker.history("a", { limit: 1 })).publications;
  assertEquals(ids, [kept!.id, kept!.id]);
});

Deno.test("a broadcast reaches every subscriber of that channel and nobody else", async () => {
  await using gateway = await testGateway();
  const clients: TestClient[] = [];
  for (let n = 0; n < 20; n++) {
    const client = await TestClient.connected(gateway.url, {}, { codec: n % 2 ? "json" : "proto" });
    await client.subscribe(n < 15 ? "a" : "b");
    clients.push(client);
  }
  await using publisher = await TestClient.connected(gateway.url);
  assertEquals((await publisher.publish("nobody", "x")).publish_ack, { offset: "1" });
  await publisher.publish("a", "x");
  for (const [n, client] of clients.entries()) {
    assertEquals(messagesOf(await client.settle()).map(dataOf), n < 15 ? ["x"] : []);
    await client[Symbol.asyncDispose]();
  }
});

Deno.test("twenty publishers at once: everyone gets all of it, each channel in offset order", async () => {
  await using gateway = await testGateway();
  const publishers: TestClient[] = [];
  for (let n = 0; n < 20; n++) publishers.push(await TestClient.connected(gateway.url));
  await using json = await TestClient.connected(gateway.url);
  await using proto = await TestClient.connected(gateway.url, {}, { codec: "proto" });
  for (const subscriber of [json, proto]) await subscriber.subscribe("c.*");
  await Promise.all(publishers.map(async (publisher, n) => {
    for (let i = 0; i < 50; i++) {
      publisher.send({
        id: `${n}/${i}`,
        channel: `c.${i % 3}`,
        publish: { text_data: `${n}/${i}` },
      });
    }
    await publisher.settle();
  }));
  for (const subscriber of [json, proto]) {
    await subscriber.settle();
    const messages = messagesOf(subscriber.frames);
    assertEquals(messages.length, 1_000);
    assertEquals(new Set(messages.map(dataOf)).size, 1_000);
    for (const channel of ["c.0", "c.1", "c.2"]) {
      const offsets = messages.filter((m) => m.channel === channel).map((m) => Number(m.offset));
      assertEquals(offsets, offsets.map((_, index) => index + 1));
    }
  }
  for (const publisher of publishers) await publisher[Symbol.asyncDispose]();
});

Deno.test("with data_form preserve, text leaves as text and bytes as bytes", async () => {
  await using gateway = await testGateway({ settings: { dataForm: "preserve" } });
  await using client = await TestClient.connected(gateway.url);
  await client.subscribe("a");
  await client.ask({ id: "1", channel: "a", publish: { text_data: "grüße" } });
  await client.ask({ id: "2", channel: "a", publish: { binary_data: "AP8=" } });
  await client.settle();
  const [text, bytes] = messagesOf(client.frames);
  assertEquals([text.payload.text_data, text.payload.binary_data], ["grüße", undefined]);
  assertEquals([bytes.payload.text_data, bytes.payload.binary_data], [undefined, "AP8="]);
});

Deno.test("an attribute that no client could have sent is delivered as a text", async () => {
  await using gateway = await testGateway();
  await using json = await TestClient.connected(gateway.url);
  await using proto = await TestClient.connected(gateway.url, {}, { codec: "proto" });
  for (const client of [json, proto]) await client.subscribe("a");
  const attributes = new Map([["n", { kind: "integer" as const, value: 2 ** 40 }]]);
  await gateway.hub.broker.publish("a", makeEvent({ attributes }));
  for (const client of [json, proto]) {
    const [message] = messagesOf(await client.settle());
    assertEquals(message.payload.attributes.n, { ce_string: "1099511627776" });
  }
});
