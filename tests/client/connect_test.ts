import {
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import {
  afterClose,
  GatewayClient,
  GatewayClosedError,
  GatewayNotConnectedError,
  GatewayRejectedError,
  GatewayReplyError,
  GatewayUnreachableError,
  type TokenReason,
} from "../../client.ts";
import { ScriptedGateway } from "./scripted_gateway.ts";
import { connected, once, QUICK } from "./setup.ts";

Deno.test("a client says who it is before anything else", async () => {
  await using scene = await connected({ clientId: "page-1", token: "secret", version: "2.1" });
  const { connect, metadata } = scene.connect;
  assertEquals(connect, {
    client_id: "page-1",
    client_type: "keyop",
    token: "secret",
    version: "2.1",
  });
  assertEquals(metadata, { "keyop-recover": "1" });
  assertEquals(scene.client.state, "connected");
  assertEquals(scene.client.sessionId, "s1");
});

Deno.test("a broken connection is made again, with the session that it had", async () => {
  await using scene = await connected();
  const disconnected = once(scene.client, "disconnected");
  const reconnected = once(scene.client, "connected");
  scene.peer.close();
  const peer = await scene.gateway.next();
  const { metadata } = await peer.welcome("s2");
  assertEquals(metadata, { "keyop-recover": "1", "keyop-session": "s1" });
  assertEquals((await disconnected).code, 1006);
  const { sessionId, transport, reconnected: again } = await reconnected;
  assertEquals([sessionId, transport, again], ["s2", "websocket", true]);
});

Deno.test("codes that end a connection for good are told with their reason", async () => {
  for (const code of [3501, 3503, 3505, 3506, 3507, 3509, 4500, 4999]) {
    await using scene = await connected();
    const closed = once(scene.client, "closed");
    scene.peer.close(code, "go away");
    const error = await closed;
    assertInstanceOf(error, GatewayRejectedError);
    assertEquals([error.code, error.closeCode, error.reason], [
      "gateway_rejected",
      code,
      "go away",
    ]);
    assertEquals(scene.client.state, "closed");
    await assertRejects(() => scene.client.connect(), GatewayRejectedError);
  }
});

Deno.test("other codes do not", async () => {
  for (const code of [1000, 1001, 1011, 3000, 3502, 3511, 3512, 4000]) {
    await using scene = await connected();
    scene.peer.close(code);
    await (await scene.gateway.next()).welcome();
  }
  assertEquals(afterClose(3504), { reconnect: true, waitLong: true });
  assertEquals(afterClose(1006), { reconnect: true });
});

Deno.test("a refused token is replaced once", async () => {
  await using gateway = await ScriptedGateway.start();
  const reasons: TokenReason[] = [];
  const token = (reason: TokenReason) => `token ${reasons.push(reason)}`;
  const client = new GatewayClient(gateway.url, { ...QUICK, token });
  const connecting = client.connect();
  const error = { code: "AUTH_ERROR", type: "auth_error", message: "it has expired" };
  for (const expected of ["token 1", "token 2"]) {
    const peer = await gateway.next();
    const frame = await peer.next("connect");
    assertEquals(frame.connect.token, expected);
    peer.send({ id: frame.id, time: "1", error });
    peer.close(3500, "invalid token");
  }
  const rejected = await assertRejects(() => connecting, GatewayRejectedError, "invalid token");
  assertInstanceOf(rejected.cause, GatewayReplyError);
  assertEquals(rejected.cause.replyCode, "AUTH_ERROR");
  assertEquals(reasons, ["connect", "refused"]);
});

Deno.test("a token that is only a text is not shown twice", async () => {
  await using gateway = await ScriptedGateway.start();
  const client = new GatewayClient(gateway.url, { ...QUICK, token: "old" });
  const connecting = client.connect();
  const peer = await gateway.next();
  await peer.next("connect");
  peer.close(3500, "invalid token");
  await assertRejects(() => connecting, GatewayRejectedError);
});

Deno.test("a token function that fails is asked again", async () => {
  await using gateway = await ScriptedGateway.start();
  let asked = 0;
  const token = () => {
    if (++asked < 3) throw new Error("no network");
    return Promise.resolve("fresh");
  };
  await using client = new GatewayClient(gateway.url, { ...QUICK, token });
  const told: unknown[] = [];
  client.on("error", (error) => told.push((error as { code: string }).code));
  const connecting = client.connect();
  const { connect } = await (await gateway.next()).welcome();
  await connecting;
  assertEquals(connect.token, "fresh");
  assertEquals(told, ["gateway_token_failed", "gateway_token_failed"]);
});

Deno.test("a token that says when it ends is replaced before, and calls under way come to their end", async () => {
  await using gateway = await ScriptedGateway.start();
  const reasons: TokenReason[] = [];
  const jwt = (exp: number) => `e30.${btoa(JSON.stringify({ exp })).replaceAll("=", "")}.`;
  const token = (reason: TokenReason) => {
    // The first one is about to end.
    const leftMs = reasons.push(reason) === 1 ? 16_000 : 3_600_000;
    return jwt((Date.now() + leftMs) / 1_000);
  };
  await using client = new GatewayClient(gateway.url, { ...QUICK, token });
  const lost: unknown[] = [];
  client.on("disconnected", (event) => lost.push(event));
  const connecting = client.connect();
  const peer = await gateway.next();
  await peer.welcome();
  await connecting;
  const call = client.rpc("jobs", "slow");
  const { id } = await peer.next("rpc_request");
  const closed = peer.closed;
  setTimeout(() => peer.send({ id, time: "1", rpc_reply: { text_data: "done" } }), 1_200);
  assertEquals(await call, "done");
  assertEquals(await closed, 1000);
  await (await gateway.next()).welcome("s2");
  assertEquals(reasons, ["connect", "expiring"]);
  assertEquals(lost, []);
});

Deno.test("a network that is back ends the wait", async () => {
  await using scene = await connected({ reconnectBaseMs: 3_600_000, reconnectMaxMs: 3_600_000 });
  const disconnected = once(scene.client, "disconnected");
  scene.peer.close();
  await disconnected;
  await new Promise((resolve) => setTimeout(resolve, 0));
  globalThis.dispatchEvent(new Event("online"));
  await (await scene.gateway.next()).welcome();
});

Deno.test("a gateway that does not answer pings counts as gone", async () => {
  await using scene = await connected({ pingIntervalMs: 10, pongTimeoutMs: 500 });
  const disconnected = once(scene.client, "disconnected");
  const { id } = await scene.peer.next("ping");
  scene.peer.send({ id, time: "1", pong: {} });
  await scene.peer.next("ping");
  assertEquals((await disconnected).reason, "no pong within 500 ms");
  await (await scene.gateway.next()).welcome();
});

Deno.test("a gateway that opens and says nothing counts as gone", async () => {
  await using gateway = await ScriptedGateway.start();
  await using client = new GatewayClient(gateway.url, { ...QUICK, connectTimeoutMs: 500 });
  const connecting = client.connect();
  await gateway.next();
  assertEquals((await once(client, "disconnected")).reason, "no answer within 500 ms");
  await (await gateway.next()).welcome();
  await connecting;
});

Deno.test("what cannot be decoded ends the connection, and the next one recovers", async () => {
  const frames = [
    "no JSON",
    "[1]",
    `{"publication":{"messages":7}}`,
    `{"publish_ack":{"offset":"99999999999999999999"}}`,
    `{"id":5}`,
  ];
  for (const frame of frames) {
    await using scene = await connected();
    const disconnected = once(scene.client, "disconnected");
    scene.peer.send(frame);
    const { cause } = await disconnected;
    assertEquals((cause as { code: string }).code, "gateway_protocol", frame);
    await (await scene.gateway.next()).welcome();
  }
});

Deno.test("connecting ends when the caller has waited long enough", async () => {
  const client = new GatewayClient("ws://127.0.0.1:1/ws", QUICK);
  const error = await assertRejects(
    () => client.connect({ signal: AbortSignal.timeout(1_000) }),
    GatewayUnreachableError,
    "ws://127.0.0.1:1/ws",
  );
  assertEquals((error.cause as { code: string }).code, "gateway_connection_lost");
  assertEquals(client.state, "closed");
});

Deno.test("a closed client ends what waits and takes nothing more", async () => {
  await using scene = await connected();
  const call = scene.client.rpc("jobs", "slow");
  const closed = assertRejects(() => call, GatewayClosedError);
  const loop = (async () => {
    for await (const _ of scene.client.channel("readings")) { /* none come */ }
  })();
  const ended = assertRejects(() => loop, GatewayClosedError);
  await scene.peer.next("rpc_request");
  await scene.peer.agree();
  scene.client.close();
  await closed;
  await ended;
  assertEquals(await scene.peer.closed, 1000);
  await assertRejects(() => scene.client.rpc("jobs", "slow"), GatewayClosedError);
  await assertRejects(() => scene.client.channel("readings").publish(1), GatewayClosedError);
  scene.client.close();
});

Deno.test("a client that was never connected says so", async () => {
  const client = new GatewayClient("ws://127.0.0.1:1/ws");
  await assertRejects(() => client.channel("a").publish(1), GatewayNotConnectedError);
  await assertRejects(() => client.channel("a").subscribe(() => {}), GatewayNotConnectedError);
});

Deno.test("addresses and options that make no sense are refused at once", () => {
  const text = assertThrows(() => new GatewayClient("ftp://example.com"), TypeError);
  assertMatch(text.message, /ftp:\/\/example.com/);
  assertThrows(() => new GatewayClient("ws://h/ws", { maxPending: 0 }), RangeError, "maxPending");
  assertThrows(() => new GatewayClient("ws://h/ws", { pongTimeoutMs: NaN }), RangeError);
  assertThrows(() => new GatewayClient("ws://h/ws", { reconnectJitter: 2 }), RangeError);
  assertThrows(() => new GatewayClient("ws://h/ws").channel(""), TypeError);
});
