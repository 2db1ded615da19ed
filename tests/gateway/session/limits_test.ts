import { assert, assertEquals } from "@std/assert";
import { DEFAULT_LIMITS, type GatewayLimits } from "../../../src/gateway/session/mod.ts";
import { DEFAULT_SETTINGS } from "../../../src/gateway/runtime.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import { until } from "../../helpers/until.ts";
import { tokenIsUser } from "../helpers/authorizers.ts";
import { ScriptedBackends } from "../helpers/backends.ts";
import { type Json, TestClient } from "../helpers/client.ts";
import { testGateway } from "../helpers/gateway.ts";

Deno.test("the defaults are those of the table", () => {
  assertEquals(DEFAULT_LIMITS.frameBytes, 64 * 1024);
  assertEquals(DEFAULT_LIMITS.metadataEntries, 256);
  assertEquals(DEFAULT_LIMITS.metadataBytes, 8 * 1024);
  assertEquals(DEFAULT_LIMITS.subscriptionsPerFrame, 100);
  assertEquals(DEFAULT_LIMITS.connection.subscriptions, 1_000);
  assertEquals(DEFAULT_LIMITS.user.connections, 0);
  assertEquals(DEFAULT_LIMITS.connection.publishesPerSecond, 0);
  assertEquals(DEFAULT_LIMITS.connection.pendingRpcs, 64);
  assertEquals(DEFAULT_LIMITS.outboundFrames, 1_024);
  assertEquals(DEFAULT_LIMITS.outboundBytes, 8 * 1024 * 1024);
  assertEquals([DEFAULT_LIMITS.badFrames, DEFAULT_LIMITS.badFramesWindowMs], [20, 60_000]);
  assertEquals(DEFAULT_SETTINGS, {
    rpcTimeoutMs: 30_000,
    authTimeoutMs: 10_000,
    idleTimeoutMs: 300_000,
    aclFailure: "disconnect",
    dataForm: "binary",
    presence: true,
  });
});

Deno.test("a frame of 64 KiB is taken, a longer one ends with 1009", async () => {
  await using gateway = await testGateway();
  const frame = (bytes: number) => {
    const head = `{"id":"p","ping":{},"pad":"`;
    return `${head}${"x".repeat(bytes - head.length - 2)}"}`;
  };
  await using client = await TestClient.open(gateway.url);
  client.sendRaw(frame(65_536));
  assert((await client.next()).pong);
  client.sendRaw(frame(65_537));
  assertEquals((await client.ended).code, 1009);
  await until("the session's end", () => gateway.hub.connections === 0);
});

const METADATA: readonly (readonly [string, Record<string, string>, boolean])[] = [
  ["256 entries", entries(256, 1), true],
  ["257 entries", entries(257, 1), false],
  ["8 KiB", { key: "x".repeat(8_189) }, true],
  ["more than 8 KiB", { key: "x".repeat(8_190) }, false],
  ["more than 8 KiB of few characters", { key: "ä".repeat(4_095) }, false],
  ["8 KiB of pairs", { keys: "😀".repeat(2_047) }, true],
];

for (const [name, metadata, allowed] of METADATA) {
  Deno.test(`metadata of ${name} is ${allowed ? "taken" : "a BAD_REQUEST"}`, async () => {
    await using gateway = await testGateway();
    await using client = await TestClient.connected(gateway.url);
    const answer = await client.ask({ id: "p", metadata, ping: {} });
    if (allowed) assertEquals(answer.metadata, metadata);
    else assertEquals([answer.error.code, answer.error.type], ["BAD_REQUEST", "request_error"]);
  });
}

function entries(count: number, length: number): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, n) => [`k${n}`, "v".repeat(length)]),
  );
}

const names = (count: number, from = 0) =>
  Array.from({ length: count }, (_, n) => ({ channel: `c${from + n}` }));

Deno.test("a frame names at most 100 subscriptions", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.connected(gateway.url);
  const over = await client.ask({ id: "s", subscribe: { subscriptions: names(101) } });
  assertEquals([over.error.code, over.error.type], ["BAD_REQUEST", "request_error"]);
  assertEquals(gateway.hub.registry.size, 0);
  assert((await client.ask({ id: "s", subscribe: { subscriptions: names(100) } })).subscribe_ack);
});

Deno.test("the 1,001st subscription of a connection ends it with 3505", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.connected(gateway.url);
  for (let n = 0; n < 10; n++) {
    await client.ask({ id: "s", subscribe: { subscriptions: names(100, n * 100) } });
  }
  assert((await client.ask({ id: "s", subscribe: { subscriptions: names(100) } })).subscribe_ack);
  client.send({ id: "over", subscribe: { subscriptions: names(1, 1_000) } });
  assertEquals(await client.ended, { code: 3505, reason: "channel limit" });
});

type Scope = Partial<GatewayLimits["user"]>;

function limited(scope: "connection" | "user" | "address", limits: Scope): Partial<GatewayLimits> {
  return { [scope]: { ...DEFAULT_LIMITS[scope], ...limits } };
}

/** Two connections of one user from one address. */
async function pair(url: string): Promise<[TestClient, TestClient]> {
  return [
    await TestClient.connected(url, { token: "u" }),
    await TestClient.connected(url, { token: "u" }),
  ];
}

for (const scope of ["connection", "user", "address"] as const) {
  const together = scope !== "connection";

  Deno.test(`publications a second: ${scope}`, async () => {
    const clock = new FakeClock();
    const limits = limited(scope, { publishesPerSecond: 3 });
    await using gateway = await testGateway({ clock, limits, authorizer: tokenIsUser() });
    const [one, two] = await pair(gateway.url);
    for (let n = 0; n < 3; n++) assert((await one.publish("a", "x")).publish_ack);
    const { error } = await one.publish("a", "x");
    assertEquals([error.code, error.type], ["RATE_LIMITED", "rate_limit"]);
    assertEquals((await two.publish("a", "x")).error !== undefined, together);
    await clock.advance(1_000);
    assert((await one.publish("a", "x")).publish_ack);
    await one[Symbol.asyncDispose]();
    await two[Symbol.asyncDispose]();
  });

  Deno.test(`bytes a second: ${scope}`, async () => {
    const clock = new FakeClock();
    const limits = limited(scope, { bytesPerSecond: 2_000 });
    await using gateway = await testGateway({ clock, limits, authorizer: tokenIsUser() });
    const [one, two] = await pair(gateway.url);
    const text_data = "x".repeat(1_500);
    assert((await one.ask({ id: "1", channel: "a", publish: { text_data } })).publish_ack);
    const rate = async (client: TestClient) => {
      client.send({ id: "p", channel: "a", publish: { text_data } });
      return (await client.next()).error?.code;
    };
    assertEquals(await rate(one), "RATE_LIMITED");
    assertEquals(await rate(two), together ? "RATE_LIMITED" : undefined);
    await clock.advance(1_000);
    assertEquals(await rate(one), undefined);
    await one[Symbol.asyncDispose]();
    await two[Symbol.asyncDispose]();
  });

  Deno.test(`subscriptions: ${scope}`, async () => {
    const limits = limited(scope, { subscriptions: 2 });
    await using gateway = await testGateway({ limits, authorizer: tokenIsUser() });
    const [one, two] = await pair(gateway.url);
    await one.subscribe("a", "b");
    two.send({ id: "s", subscribe: { subscriptions: [{ channel: "c" }] } });
    if (together) assertEquals((await two.ended).code, 3505);
    else assert((await two.next()).subscribe_ack);
    await one.ask({ id: "u", unsubscribe: { subscriptions: [{ channel: "a" }] } });
    assert((await one.subscribe("d")).subscribe_ack);
    await one[Symbol.asyncDispose]();
    await two[Symbol.asyncDispose]();
  });

  Deno.test(`calls under way: ${scope}`, async () => {
    const limits = limited(scope, { pendingRpcs: 1 });
    const backends = new ScriptedBackends({ hooks: ["RPC"], rpc: () => new Promise(() => {}) });
    await using gateway = await testGateway({ limits, backends, authorizer: tokenIsUser() });
    const [one, two] = await pair(gateway.url);
    one.send({ id: "1", channel: "c", method: "m", rpc_request: {} });
    await backends.until("RPC");
    two.send({ id: "2", channel: "c", method: "m", rpc_request: {} });
    if (together) assertEquals((await two.next()).error.code, "RATE_LIMITED");
    else await backends.until("RPC", 2);
    one.socket.terminate();
    await until("its end", () => gateway.hub.connections === 1);
    await one[Symbol.asyncDispose]();
    await two[Symbol.asyncDispose]();
  });
}

Deno.test("connections from one address, and in all", async () => {
  for (const limits of [limited("address", { connections: 2 }), { connections: 2 }]) {
    await using gateway = await testGateway({ limits });
    await using one = await TestClient.connected(gateway.url);
    await using _two = await TestClient.connected(gateway.url);
    await using three = await TestClient.open(gateway.url);
    assertEquals(await three.ended, { code: 3504, reason: "connection limit" });
    await one.close();
    await until("its end", () => gateway.hub.connections === 1);
    await using _again = await TestClient.connected(gateway.url);
  }
});

const BAD: readonly (readonly [string, Json])[] = [
  ["undecodable", "garbage"],
  ["empty", `{"id":"x"}`],
];

for (const [name, frame] of BAD) {
  Deno.test(`twenty ${name} frames within a minute end with 3509, each answered`, async () => {
    const clock = new FakeClock();
    await using gateway = await testGateway({ clock });
    await using client = await TestClient.connected(gateway.url);
    const bad = async () => {
      client.sendRaw(frame);
      assertEquals((await client.next()).error.code, "BAD_REQUEST");
    };
    for (let n = 0; n < 19; n++) await bad();
    await clock.advance(60_000);
    for (let n = 0; n < 19; n++) await bad();
    assertEquals(await client.settle(), []);
    await bad();
    assertEquals(await client.ended, { code: 3509, reason: "too many errors" });
  });
}

Deno.test("a client id has at most 255 characters", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.open(gateway.url);
  client.send({ id: "c", connect: { client_id: "x".repeat(256) } });
  assertEquals((await client.next()).error.code, "BAD_REQUEST");
  assertEquals((await client.ended).code, 3501);
});

Deno.test("limits of a user or address are forgotten with the last connection", async () => {
  const limits = {
    ...limited("user", { connections: 5 }),
    ...limited("address", { connections: 5 }),
  };
  await using gateway = await testGateway({ limits, authorizer: tokenIsUser() });
  for (let n = 0; n < 3; n++) {
    await using client = await TestClient.connected(gateway.url, { token: `u${n}` });
    assertEquals(gateway.hub.scopes, { users: 1, addresses: 1 });
    await client.close();
    await until("its end", () => gateway.hub.connections === 0);
  }
  assertEquals(gateway.hub.scopes, { users: 0, addresses: 0 });
});
