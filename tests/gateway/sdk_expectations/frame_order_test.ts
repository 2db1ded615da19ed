import { assert, assertEquals } from "@std/assert";
import { messagesOf, TestClient } from "../helpers/client.ts";
import { testGateway } from "../helpers/gateway.ts";
import { sdkConnect } from "./sdk_frames.ts";

Deno.test("no frame comes before the client's first, and connected before all others", async () => {
  await using gateway = await testGateway();
  await using writer = await TestClient.connected(gateway.url);
  await using reader = await TestClient.open(gateway.url);
  await writer.publish("busy", "0");
  assertEquals(reader.frames, []);
  // Everything at once: what it subscribes to is busy meanwhile.
  reader.send(sdkConnect("", ["busy"]));
  for (let n = 1; n <= 50; n++) await writer.publish("busy", String(n));
  await reader.settle();
  assert("connected" in reader.frames[0]);
});

Deno.test("an acknowledgement comes before the first publication, and nothing after it ends", async () => {
  await using gateway = await testGateway();
  await using writer = await TestClient.connected(gateway.url);
  await using reader = await TestClient.connected(gateway.url);
  for (let round = 0; round < 10; round++) {
    reader.send({ id: `on ${round}`, subscribe: { subscriptions: [{ channel: "busy" }] } });
    for (let n = 1; n <= 8; n++) await writer.publish("busy", `${round} ${n}`);
    reader.send({ id: `off ${round}`, unsubscribe: { subscriptions: [{ channel: "busy" }] } });
    for (let n = 1; n <= 8; n++) await writer.publish("busy", `${round} ${n}`);
    await reader.settle();
  }
  let subscribed = false;
  let acknowledged = 0;
  for (const frame of reader.frames) {
    if (frame.subscribe_ack) [subscribed, acknowledged] = [true, acknowledged + 1];
    if (frame.unsubscribe_ack) subscribed = false;
    if (frame.publication) assert(subscribed, JSON.stringify(frame));
  }
  assertEquals(acknowledged, 10);
  assert(messagesOf(reader.frames).length > 0);
});

Deno.test("publications of a channel come in the order of their offsets, to everyone", async () => {
  await using gateway = await testGateway();
  await using one = await TestClient.connected(gateway.url);
  await using two = await TestClient.connected(gateway.url);
  await one.subscribe("busy");
  await two.subscribe("busy", "*");
  const writers = await Promise.all(
    Array.from({ length: 4 }, () => TestClient.connected(gateway.url)),
  );
  await Promise.all(writers.map(async (writer, at) => {
    for (let n = 0; n < 50; n++) await writer.publish("busy", `${at} ${n}`);
    await writer[Symbol.asyncDispose]();
  }));
  const expected = Array.from({ length: 200 }, (_, n) => String(n + 1));
  for (const reader of [one, two]) {
    await reader.settle();
    assertEquals(messagesOf(reader.frames).map(({ offset }) => offset), expected);
  }
});

Deno.test("after a close nothing comes, and what was sent in the same breath is not done", async () => {
  await using gateway = await testGateway();
  await using watcher = await TestClient.connected(gateway.url);
  await watcher.subscribe("busy");
  await using client = await TestClient.connected(gateway.url);
  client.send({ id: "1", connect: {} });
  client.send({ id: "2", channel: "busy", publish: { type: "t", source: "s", text_data: "late" } });
  assertEquals((await client.ended).code, 3501);
  await watcher.settle();
  assertEquals(messagesOf(watcher.frames), []);
  assertEquals(client.frames.length, 1);
});
