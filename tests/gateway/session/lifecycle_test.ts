import { assert, assertEquals, assertMatch } from "@std/assert";
import { DISCONNECTS } from "../../../src/gateway/session/mod.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import { until } from "../../helpers/until.ts";
import { tokenIsUser } from "../helpers/authorizers.ts";
import { ScriptedBackends } from "../helpers/backends.ts";
import { type Json, TestClient } from "../helpers/client.ts";
import { testGateway } from "../helpers/gateway.ts";

const UUID_4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

Deno.test("a new session has an id, and no client, user or subscriptions", async () => {
  await using gateway = await testGateway();
  await using _client = await TestClient.open(gateway.url);
  await until("the session", () => gateway.hub.connections === 1);
  const [session] = [...gateway.hub.sessions()];
  assertMatch(session!.id, UUID_4);
  assertEquals([session!.clientId, session!.user.id, session!.state], ["", "", "open"]);
  assertEquals(session!.subscriptions.list(), []);
  assertEquals(gateway.hub.connected, 0);
});

Deno.test("connecting is answered by exactly one frame, with the session's id", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.open(gateway.url);
  client.send({ id: "c", connect: {} });
  const { connected, id } = await client.next();
  assertEquals(id, "c");
  assertMatch(connected.session_id, UUID_4);
  assertEquals(await client.settle(), []);
  assertEquals(gateway.hub.session(connected.session_id)?.state, "connected");
});

Deno.test("a second connect ends the connection with 3501", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.connected(gateway.url);
  client.send({ connect: {} });
  assertEquals(await client.ended, { code: 3501, reason: "bad request" });
});

Deno.test("a second connect is none while the first is under way", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.open(gateway.url);
  client.send({ id: "1", connect: {} });
  client.send({ id: "2", connect: {} });
  assert((await client.next()).connected);
  assertEquals((await client.ended).code, 3501);
});

const BEFORE: readonly (readonly [string, Json])[] = [
  ["publish", { channel: "c", publish: { text_data: "x" } }],
  ["subscribe", { subscribe: { subscriptions: [{ channel: "c" }] } }],
  ["unsubscribe", { unsubscribe: { subscriptions: [{ channel: "c" }] } }],
  ["rpc_request", { channel: "c", method: "m", rpc_request: {} }],
  ["sub_refresh", { sub_refresh: { channels: ["c"] } }],
  ["survey_request", { survey_request: { request_id: "r" } }],
  ["survey_response", { survey_response: { request_id: "r" } }],
];

for (const [name, frame] of BEFORE) {
  Deno.test(`${name} before connect ends the connection with 3502`, async () => {
    await using gateway = await testGateway();
    await using client = await TestClient.open(gateway.url);
    client.send(frame);
    assertEquals(await client.ended, { code: 3502, reason: "stale" });
    assertEquals(client.frames, []);
  });
}

Deno.test("ping is answered before and after connect, with its id and metadata", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.open(gateway.url);
  client.send({ id: "p", metadata: { a: "1" }, ping: {} });
  const { id, metadata, pong } = await client.next();
  assertEquals({ id, metadata, pong }, { id: "p", metadata: { a: "1" }, pong: {} });
  await client.ask({ id: "c", connect: {} });
  for (let n = 0; n < 10; n++) client.send({ id: String(n), ping: {} });
  for (let n = 0; n < 10; n++) assertEquals((await client.next()).id, String(n));
});

Deno.test("a client that does not connect in time is closed with 3502", async () => {
  const clock = new FakeClock();
  await using gateway = await testGateway({ clock });
  await using client = await TestClient.open(gateway.url);
  await until("the session", () => gateway.hub.connections === 1);
  await clock.advance(9_999);
  assertEquals(gateway.hub.connections, 1);
  await clock.advance(1);
  assertEquals(await client.ended, { code: 3502, reason: "stale" });
});

Deno.test("a refused login is answered with its error, then closed with 3500", async () => {
  await using gateway = await testGateway({ authorizer: tokenIsUser() });
  await using client = await TestClient.open(gateway.url);
  client.send({ id: "c", connect: { token: "bad" } });
  const { id, error } = await client.next();
  assertEquals([id, error.code, error.type], ["c", "AUTH_ERROR", "auth_error"]);
  assertEquals(await client.ended, { code: 3500, reason: "invalid token" });
});

Deno.test("a backend's error at the login is forwarded unchanged", async () => {
  const error = { code: "X_1", type: "mine", message: "why", metadata: { a: [1] } };
  await using gateway = await testGateway({
    authorizer: {
      authenticate: () =>
        Promise.resolve({ ok: false, error, disconnect: DISCONNECTS.invalidToken }),
      may: () => true,
    },
  });
  await using client = await TestClient.open(gateway.url);
  client.send({ id: "c", connect: {} });
  assertEquals((await client.next()).error, error);
  assertEquals((await client.ended).code, 3500);
});

Deno.test("a login that fails by itself is an AUTH_ERROR that tells nothing of the fault", async () => {
  await using gateway = await testGateway({
    authorizer: {
      authenticate: () => Promise.reject(new Error("secret: connection to db-7 refused")),
      may: () => true,
    },
  });
  await using client = await TestClient.open(gateway.url);
  client.send({ id: "c", connect: {} });
  const { error } = await client.next();
  assertEquals([error.code, error.type], ["AUTH_ERROR", "auth_error"]);
  assert(!error.message.includes("secret"));
  assertEquals((await client.ended).code, 3500);
});

Deno.test("the login sees who connects, how and from where", async () => {
  const seen: Json[] = [];
  await using gateway = await testGateway({
    authorizer: {
      authenticate: (info) => {
        seen.push(info);
        return Promise.resolve({ ok: true, user: { id: "u", claims: {} } });
      },
      may: () => true,
    },
  });
  await using client = await TestClient.connected(gateway.url, {
    client_id: "c",
    client_type: "sdk",
    token: "t",
    version: "1.0.0",
  }, { metadata: { m: "1" } });
  assertEquals(seen, [{
    sessionId: client.sessionId,
    clientId: "c",
    clientType: "sdk",
    token: "t",
    version: "1.0.0",
    metadata: { m: "1" },
    transport: "websocket",
    remoteAddress: "127.0.0.1",
  }]);
});

Deno.test("one user may have several connections, up to the limit, then 3504", async () => {
  const limits = {
    user: {
      connections: 2,
      subscriptions: 0,
      publishesPerSecond: 0,
      bytesPerSecond: 0,
      pendingRpcs: 0,
    },
  };
  await using gateway = await testGateway({ authorizer: tokenIsUser(), limits });
  await using one = await TestClient.connected(gateway.url, { token: "u" });
  await using _two = await TestClient.connected(gateway.url, { token: "u" });
  assertEquals(gateway.hub.sessionsOf("u").size, 2);
  await using three = await TestClient.open(gateway.url);
  three.send({ connect: { token: "u" } });
  assertEquals(await three.ended, { code: 3504, reason: "connection limit" });
  await using _other = await TestClient.connected(gateway.url, { token: "v" });
  await one.close();
  await until("its end", () => gateway.hub.sessionsOf("u").size === 1);
  await using _again = await TestClient.connected(gateway.url, { token: "u" });
  assertEquals(gateway.hub.users, 2);
});

Deno.test("connect.subscriptions are subscribed and listed before anything is delivered", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.open(gateway.url);
  client.send({
    id: "c",
    connect: { subscriptions: [{ channel: "a" }, { channel: "b.*", ephemeral: true, token: "t" }] },
  });
  const { connected } = await client.next();
  assertEquals(connected.subscriptions, [
    { channel: "a" },
    { channel: "b.*", ephemeral: true },
  ]);
  await client.publish("b.c", "hello");
  assertEquals(client.frames.filter((frame) => frame.publication).length, 1);
});

Deno.test("OnConnected is told once for every accepted connection, and nobody waits for it", async () => {
  const backends = new ScriptedBackends({
    hooks: ["OnConnected", "OnDisconnected"],
    notify: () => new Promise(() => {}),
  });
  await using gateway = await testGateway({ backends, authorizer: tokenIsUser() });
  await using anonymous = await TestClient.connected(gateway.url, { client_id: "c" });
  await using user = await TestClient.connected(gateway.url, { client_id: "c", token: "u" });
  const calls = await backends.until("OnConnected", 2);
  assertEquals(calls.map(({ request }) => request), [
    { sessionId: anonymous.sessionId, username: "c" },
    { sessionId: user.sessionId, username: "u" },
  ]);
  assertEquals(calls[1]!.caller, { sessionId: user.sessionId, clientId: "c", userId: "u" });
  assert(backends.lookups.includes("OnConnected  $authenticate"));
});

Deno.test("OnDisconnected is told once, and only of those who connected", async () => {
  const backends = new ScriptedBackends({ hooks: ["OnDisconnected"] });
  await using gateway = await testGateway({ backends });
  await using never = await TestClient.open(gateway.url);
  await never.close();
  await using peer = await TestClient.connected(gateway.url, { client_id: "peer" });
  await peer.close();
  await using ours = await TestClient.connected(gateway.url, { client_id: "ours" });
  gateway.hub.admin.disconnect([ours.sessionId], 0, "");
  await ours.ended;
  await until("the sessions' end", () => gateway.hub.connections === 0);
  assertEquals(backends.of("OnDisconnected").map(({ request }) => request.username), [
    "peer",
    "ours",
  ]);
  assert(backends.lookups.includes("OnDisconnected  disconnect"));
});

Deno.test("whatever ends a connection, nothing of it remains", async () => {
  await using gateway = await testGateway();
  const { hub } = gateway;
  const ends: ((client: TestClient) => void)[] = [
    (client) => client.socket.close(1000),
    (client) => client.socket.terminate(),
    (client) => client.send({ connect: {} }),
    (client) => hub.admin.disconnect([client.sessionId], 3999, "enough"),
  ];
  for (const end of ends) {
    await using client = await TestClient.connected(gateway.url, { client_id: "c" });
    await client.subscribe("room", "room.*", "other");
    assertEquals(hub.registry.size, 3);
    end(client);
    await client.ended;
    await until("the session's end", () => hub.connections === 0);
    assertEquals([hub.registry.size, hub.connected, hub.users], [0, 0, 0]);
    assertEquals((await hub.broker.members("room", 10)).occupancy, 0);
  }
});

Deno.test("silence of exactly the idle timeout ends with 3511, any frame puts it off", async () => {
  const clock = new FakeClock();
  await using gateway = await testGateway({ clock, settings: { idleTimeoutMs: 300_000 } });
  await using client = await TestClient.connected(gateway.url);
  await clock.advance(299_999);
  await client.settle();
  await clock.advance(299_999);
  client.sendRaw("no frame");
  assert((await client.next()).error);
  await clock.advance(1);
  assertEquals(await client.ended, { code: 3511, reason: "idle timeout" });
});

Deno.test("without an idle timeout silence is allowed", async () => {
  const clock = new FakeClock();
  await using gateway = await testGateway({ clock, settings: { idleTimeoutMs: 0 } });
  await using client = await TestClient.connected(gateway.url);
  await clock.advance(100 * 86_400_000);
  assertEquals(await client.settle(), []);
});

Deno.test("a login that expires ends the connection with 3500", async () => {
  const clock = new FakeClock();
  const expiresAtMs = clock.now() + 60 * 86_400_000;
  await using gateway = await testGateway({
    clock,
    settings: { idleTimeoutMs: 0 },
    authorizer: {
      authenticate: () => Promise.resolve({ ok: true, user: { id: "u", claims: {}, expiresAtMs } }),
      may: () => true,
    },
  });
  await using client = await TestClient.connected(gateway.url);
  await clock.advance(60 * 86_400_000 - 1);
  assertEquals(await client.settle(), []);
  await clock.advance(1);
  assertEquals((await client.ended).code, 3500);
});

Deno.test("the end of a connection ends its calls to backends", async () => {
  const backends = new ScriptedBackends({ hooks: ["RPC"], rpc: () => new Promise(() => {}) });
  await using gateway = await testGateway({ backends });
  await using client = await TestClient.connected(gateway.url);
  client.send({ id: "r", channel: "c", method: "m", rpc_request: {} });
  const [call] = await backends.until("RPC");
  assert(!call!.signal.aborted);
  client.socket.terminate();
  await until("the call's end", () => call!.signal.aborted);
});

Deno.test("a client that goes during its login leaves nothing behind", async () => {
  const gate = Promise.withResolvers<void>();
  let signal: AbortSignal | undefined;
  await using gateway = await testGateway({
    authorizer: {
      async authenticate(_info, given) {
        signal = given;
        await gate.promise;
        return { ok: true, user: { id: "u", claims: {} } };
      },
      may: () => true,
    },
  });
  await using client = await TestClient.open(gateway.url);
  client.send({ connect: { subscriptions: [{ channel: "a" }] } });
  await until("the login", () => signal !== undefined);
  client.socket.terminate();
  await until("its end", () => gateway.hub.connections === 0);
  assert(signal!.aborted);
  gate.resolve();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assertEquals([gateway.hub.connected, gateway.hub.users, gateway.hub.registry.size], [0, 0, 0]);
});

Deno.test("the gateway ends by closing everyone with 3000", async () => {
  const gateway = await testGateway();
  await using client = await TestClient.connected(gateway.url);
  await using open = await TestClient.open(gateway.url);
  await gateway.gateway.close();
  assertEquals(await client.ended, { code: 3000, reason: "connection closed" });
  assertEquals((await open.ended).code, 3000);
});
