import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import { MemoryBroker } from "../../../src/gateway/broker/mod.ts";
import { makeEvent } from "../../../src/gateway/event.ts";
import { until } from "../../helpers/until.ts";
import { ScriptedBackends } from "../helpers/backends.ts";
import { messagesOf, TestClient } from "../helpers/client.ts";
import { type TestGateway, testGateway } from "../helpers/gateway.ts";
import { frameBytes, RawSocket } from "../helpers/raw_socket.ts";

async function stillServes(gateway: TestGateway): Promise<void> {
  await using client = await TestClient.connected(gateway.url);
  await client.subscribe("alive");
  assert((await client.publish("alive", "x")).publish_ack);
}

const encoder = new TextEncoder();
const BROKEN: readonly (readonly [string, Uint8Array | string, number | undefined])[] = [
  ["an unmasked frame", new Uint8Array([0x81, 2, 0x7b, 0x7d]), 1002],
  ["a reserved bit", new Uint8Array([0xf1, 0x80, 0, 0, 0, 0]), 1002],
  ["an unknown opcode", frameBytes(3, new Uint8Array(1)), 1002],
  ["a continuation of nothing", frameBytes(0, new Uint8Array(1)), 1002],
  ["a control frame in pieces", frameBytes(9, new Uint8Array(1), false), 1002],
  ["a control frame of 126 bytes", frameBytes(9, new Uint8Array(126)), 1002],
  ["text that is no UTF-8", frameBytes(1, new Uint8Array([0xff, 0xfe])), 1007],
  ["a close code that is none", frameBytes(8, new Uint8Array([0, 5])), 1002],
  [
    "a frame that says it is huge",
    new Uint8Array([0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]),
    1009,
  ],
  [
    "a frame longer than any number",
    new Uint8Array([0x82, 0xff, ...new Array(12).fill(0xff)]),
    undefined,
  ],
];

for (const [name, bytes, code] of BROKEN) {
  Deno.test(`${name} ends that connection and no other`, async () => {
    await using gateway = await testGateway();
    using socket = await RawSocket.open(gateway.port);
    await socket.write(bytes);
    const closed = await socket.closeCode();
    if (code !== undefined) assertEquals(closed, code);
    else assert(closed === 1009 || closed === 1002, String(closed));
    socket[Symbol.dispose]();
    await until("its end", () => gateway.hub.connections === 0);
    await stillServes(gateway);
  });
}

const REQUESTS: readonly (readonly [string, string])[] = [
  ["no HTTP", "\x16\x03\x01\x02\x00\x01\x00garbage\r\n\r\n"],
  [
    "an upgrade to something else",
    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n",
  ],
  [
    "an upgrade without a key",
    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\r\n",
  ],
  [
    "an old version",
    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 7\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  ],
  [
    "an ill-formed subprotocol",
    "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: a,,b\r\n\r\n",
  ],
];

for (const [name, request] of REQUESTS) {
  Deno.test(`${name} is refused, and the gateway goes on`, async () => {
    await using gateway = await testGateway();
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: gateway.port });
    await connection.write(encoder.encode(request));
    const answer = await connection.read(new Uint8Array(4_096)).catch(() => null);
    assert(answer === null || answer > 0);
    assertEquals(gateway.hub.connections, 0);
    await stillServes(gateway);
  });
}

Deno.test("whatever bytes come as frames, the gateway answers or ends, and never breaks", async () => {
  await using gateway = await testGateway({ limits: { badFrames: 1_000_000 } });
  await using json = await TestClient.connected(gateway.url);
  await using proto = await TestClient.connected(gateway.url, {}, { codec: "proto" });
  const jsonText = fc.json({ maxDepth: 4 }).map((text) => encoder.encode(text));
  const nearly = fc.record({
    id: fc.anything(),
    channel: fc.anything(),
    publish: fc.anything(),
    subscribe: fc.anything(),
    rpc_request: fc.anything(),
    survey_response: fc.anything(),
    metadata: fc.anything(),
  }, { requiredKeys: [] }).map((value) => {
    try {
      return encoder.encode(JSON.stringify(value) ?? "");
    } catch {
      return new Uint8Array();
    }
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.oneof(fc.uint8Array({ maxLength: 200 }), jsonText, nearly), { maxLength: 20 }),
      async (frames) => {
        for (const client of [json, proto]) {
          for (const frame of frames) client.sendRaw(frame);
          await client.settle();
        }
      },
    ),
    { numRuns: 60 },
  );
  await stillServes(gateway);
});

Deno.test("a reader that stops is closed with 3512, hears it, and holds up nobody", async () => {
  await using gateway = await testGateway({
    broker: new MemoryBroker({ historySize: 0 }),
    limits: { outboundFrames: 64, outboundBytes: 8_388_608 },
  });
  await using quick = await TestClient.connected(gateway.url);
  await quick.subscribe("room");
  await using slow = await TestClient.connected(gateway.url);
  await slow.subscribe("room");
  slow.socket.pause();
  const event = makeEvent({ type: "t", data: new Uint8Array(50_000) });
  let published = 0;
  while (gateway.hub.session(slow.sessionId) !== undefined) {
    await gateway.hub.broker.publish("room", event);
    published++;
    assert(published < 10_000, "it was never closed");
    if (published % 16 === 0) await quick.settle();
  }
  await quick.settle();
  assertEquals(messagesOf(quick.frames).length, published);
  slow.socket.resume();
  assertEquals(await slow.ended, { code: 3512, reason: "slow consumer" });
  assert(messagesOf(slow.frames).length < published);
});

Deno.test("the queue is bounded in bytes as well", async () => {
  await using gateway = await testGateway({ limits: { outboundBytes: 500_000 } });
  await using slow = await TestClient.connected(gateway.url);
  await slow.subscribe("room");
  slow.socket.pause();
  const event = makeEvent({ type: "t", data: new Uint8Array(100_000) });
  let most = 0;
  for (let n = 0; n < 1_000; n++) {
    const session = gateway.hub.session(slow.sessionId);
    if (session === undefined) break;
    await gateway.hub.broker.publish("room", event);
    most = Math.max(most, session.pending.bytes);
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  assertEquals(gateway.hub.session(slow.sessionId), undefined);
  assert(most > 0 && most <= 500_000, String(most));
});

Deno.test("a reader that takes nothing during its replay is closed after the write timeout", async () => {
  await using gateway = await testGateway({
    broker: new MemoryBroker({ historySize: 1_000 }),
    limits: { writeTimeoutMs: 100 },
  });
  const event = makeEvent({ type: "t", data: new Uint8Array(50_000) });
  for (let n = 0; n < 1_000; n++) await gateway.hub.broker.publish("room", event);
  await using slow = await TestClient.connected(gateway.url);
  slow.send({
    id: "s",
    metadata: { "keyop-recover": "1", "keyop-since.room": ":0" },
    subscribe: { subscriptions: [{ channel: "room" }] },
  });
  slow.socket.pause();
  await until("its end", () => gateway.hub.session(slow.sessionId) === undefined);
  slow.socket.resume();
  assertEquals((await slow.ended).code, 3512);
});

Deno.test("frames sent faster than they are handled wait at the client, none is lost", async () => {
  const gate = Promise.withResolvers<void>();
  const backends = new ScriptedBackends({
    hooks: ["SubscribeAcl"],
    subscribeAcl: () => gate.promise,
  });
  await using gateway = await testGateway({ backends });
  await using client = await TestClient.connected(gateway.url);
  client.send({ id: "s", subscribe: { subscriptions: [{ channel: "room" }] } });
  const text_data = "x".repeat(2_000);
  for (let n = 0; n < 5_000; n++) {
    client.send({ id: `p${n}`, channel: "room", publish: { text_data } });
  }
  await backends.until("SubscribeAcl");
  await until("the client to be held up", () => client.socket.bufferedAmount > 0);
  gate.resolve();
  let acks = 0;
  while (acks < 5_000) if ((await client.next()).publish_ack) acks++;
  await client.settle();
  const messages = messagesOf(client.frames);
  assertEquals(messages.map(({ offset }) => Number(offset)), messages.map((_, n) => n + 1));
  assertEquals(messages.length, 5_000);
});

Deno.test("pings without end to a gateway whose answers nobody reads do not pile up", async () => {
  await using gateway = await testGateway();
  using socket = await RawSocket.open(gateway.port);
  const pings = new Uint8Array(1_000 * 131);
  const ping = frameBytes(9, new Uint8Array(125));
  for (let n = 0; n < 1_000; n++) pings.set(ping, n * 131);
  const before = Deno.memoryUsage().rss;
  let sent = 0;
  for (; sent < 600_000; sent += 1_000) await socket.write(pings);
  await stillServes(gateway);
  // 78 MB were sent; as many answers would be as much.
  assert(Deno.memoryUsage().rss - before < 45_000_000);
});

Deno.test("a refused connection that stays half open is cut", async () => {
  await using gateway = await testGateway();
  using socket = await RawSocket.open(gateway.port, { Origin: "http://evil.example" });
  assert(socket.head.startsWith("HTTP/1.1 403"));
  assertEquals(await socket.next(), undefined);
});

Deno.test("a request of the fallback that never ends is cut", async () => {
  await using gateway = await testGateway({ server: { readTimeoutMs: 100 } });
  const stream = await fetch(`http://127.0.0.1:${gateway.port}/ws/sse`);
  const reader = stream.body!.getReader();
  const { value } = await reader.read();
  const key = /"key":"(\w+)"/.exec(new TextDecoder().decode(value))![1];
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: gateway.port });
  await connection.write(encoder.encode(
    `POST /ws/sse?key=${key} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n{"ping"`,
  ));
  const buffer = new Uint8Array(4_096);
  while ((await connection.read(buffer).catch(() => null)) !== null) continue;
  await reader.cancel();
  await stillServes(gateway);
});

Deno.test("a flood of bad frames ends soon, and costs one answer each at most", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.connected(gateway.url);
  for (let n = 0; n < 10_000; n++) client.sendRaw("x");
  assertEquals((await client.ended).code, 3509);
  assertEquals(client.frames.length, 21);
  await stillServes(gateway);
});

Deno.test("a hundred connections that come and go leave nothing behind", async () => {
  await using gateway = await testGateway();
  await Promise.all(Array.from({ length: 100 }, async (_, n) => {
    const client = await TestClient.connected(gateway.url);
    await client.subscribe("room", `own.${n}`, "p.*");
    if (n % 2) client.socket.terminate();
    else client.socket.close();
    await client.ended;
  }));
  await until("their end", () => gateway.hub.connections === 0);
  assertEquals([gateway.hub.registry.size, gateway.hub.connected], [0, 0]);
  await until("the broker to be told", () => gateway.hub.interests === 0);
});
