import { assert, assertEquals, assertRejects } from "@std/assert";
import { makeEvent } from "../../../src/gateway/event.ts";
import { WebSocket } from "ws";
import type { Authorizer } from "../../../src/gateway/session/mod.ts";
import { dataOf, messagesOf, TestClient } from "../helpers/client.ts";
import { testGateway } from "../helpers/gateway.ts";
import { assertStrict, only, sdkConnect, sdkId } from "./sdk_frames.ts";

for (const codec of ["json", "proto"] as const) {
  Deno.test(`the Go SDK in ${codec} connects, and its automatic subscriptions hold`, async () => {
    await using gateway = await testGateway();
    await using sdk = await TestClient.open(gateway.url, { codec });
    assertEquals(sdk.socket.protocol, `messageloop+${codec}`);
    const connect = sdkConnect("", ["news", "weather"]);
    sdk.send(connect);
    const connected = await sdk.next();
    assertEquals(connected.id, connect.id);
    assert(connected.connected.session_id);
    const channels = connected.connected.subscriptions.map(({ channel }: { channel: string }) =>
      channel
    );
    assertEquals(channels.sort(), ["news", "weather"]);
    await using other = await TestClient.connected(gateway.url);
    await other.publish("news", "hello");
    const { publication } = await sdk.next();
    assertEquals(dataOf(publication.messages[0]), "hello");
    assertEquals(sdk.binary.every((binary) => binary === (codec === "proto")), true);
  });
}

Deno.test("the Go SDK finds every key of every frame in its schema", async () => {
  await using gateway = await testGateway();
  await using sdk = await TestClient.open(gateway.url);
  const metadata = { trace: "1" };
  sdk.send({ ...sdkConnect("", ["news"]), metadata });
  await sdk.next();
  await sdk.subscribe("chat", "chat/__presence");
  await using other = await TestClient.connected(gateway.url);
  await other.subscribe("chat");
  await sdk.publish("chat", "hi");
  await sdk.ask({
    id: sdkId(),
    channel: "jobs",
    method: "run",
    rpc_request: { type: "t", source: "s" },
  });
  await sdk.ask({
    id: sdkId(),
    channel: "chat",
    method: "$history",
    rpc_request: { type: "t", source: "s" },
  });
  await sdk.ask({ id: sdkId(), sub_refresh: { channels: ["chat"] } });
  await sdk.ask({ id: sdkId(), unsubscribe: { subscriptions: [{ channel: "news" }] } });
  await sdk.ask({ id: sdkId(), method: "$nothing", channel: "x", rpc_request: { type: "t" } });
  await sdk.ask({ id: sdkId(), survey_request: { request_id: "q", payload: { type: "t" } } });
  sdk.sendRaw("no frame");
  await sdk.settle();
  const kinds = new Set(sdk.frames.flatMap((frame) => Object.keys(frame)));
  for (
    const kind of [
      "connected",
      "subscribe_ack",
      "unsubscribe_ack",
      "publish_ack",
      "publication",
      "rpc_reply",
      "sub_refresh_ack",
      "survey_response",
      "error",
      "pong",
    ]
  ) {
    assert(kinds.has(kind), `no ${kind} came`);
  }
  assertStrict(sdk.frames);
});

Deno.test("the Go SDK publishes with the names of its JSON, and gets binary data back", async () => {
  await using gateway = await testGateway();
  await using sdk = await TestClient.open(gateway.url);
  sdk.send(sdkConnect());
  await sdk.next();
  await sdk.subscribe("chat");
  await sdk.ask({
    id: sdkId(),
    channel: "chat",
    publish: {
      id: "e1",
      source: "/go/client",
      specVersion: "1.0",
      type: "com.example.Line",
      attributes: {
        datacontenttype: { ceString: "application/json" },
        room: { ceString: "kitchen" },
      },
      binaryData: btoa(`{"text":"hi"}`),
    },
  });
  await sdk.settle();
  only(sdk.frames, "publish_ack");
  const [message] = messagesOf(sdk.frames);
  const { payload } = message;
  assertEquals([message.channel, payload.source], ["chat", "chat"]);
  assertEquals([payload.id, payload.type, payload.spec_version], ["e1", "com.example.Line", "1.0"]);
  assertEquals(atob(payload.binary_data), `{"text":"hi"}`);
  assertEquals("text_data" in payload, false);
  assertEquals(payload.attributes.room, { ce_string: "kitchen" });
  assertEquals(payload.attributes.datacontenttype, { ce_string: "application/json" });
  assertEquals(payload.attributes.mlchannel, { ce_string: "chat" });
});

Deno.test("the Go SDK never gets a message without an event, which would crash it", async () => {
  await using gateway = await testGateway();
  await using sdk = await TestClient.connected(gateway.url, sdkConnect().connect);
  await sdk.subscribe("chat");
  // Nothing at all, and an event with nothing in it.
  sdk.send({ id: sdkId(), channel: "chat", publish: {} });
  sdk.send({ id: sdkId(), channel: "chat", publish: { id: "empty", type: "t", source: "s" } });
  await gateway.hub.admin.publish({
    id: "direct",
    event: makeEvent({}),
    sessions: [sdk.sessionId],
    channels: [],
    addHistory: false,
  });
  const messages = messagesOf(await sdk.settle());
  assertEquals(messages.length, 3);
  for (const { payload } of messages) {
    assert(payload.type && payload.source !== undefined);
    assertEquals(payload.binary_data, "");
  }
});

Deno.test("the Go SDK's calls end with a reply or an error of the same id", async () => {
  await using gateway = await testGateway();
  await using sdk = await TestClient.connected(gateway.url, sdkConnect().connect);
  const call = sdkId();
  const echo = await sdk.ask({
    id: call,
    channel: "jobs",
    method: "run",
    rpc_request: {
      id: "e",
      source: "/go",
      specVersion: "1.0",
      type: "t",
      attributes: { datacontenttype: { ceString: "text/plain" } },
      binaryData: btoa("x"),
    },
  });
  assertEquals(atob(echo.rpc_reply.binary_data), "x");
  const failed = await sdk.ask({ id: sdkId(), channel: "jobs", method: "$none", rpc_request: {} });
  assert(failed.error.code && failed.error.type && failed.error.message);
});

Deno.test("the Go SDK's pings are answered, also when it is silent otherwise", async () => {
  await using gateway = await testGateway();
  await using sdk = await TestClient.connected(gateway.url, sdkConnect().connect);
  const id = sdkId();
  const { pong, time } = await sdk.ask({ id, ping: {} });
  assertEquals(pong, {});
  assert(/^\d+$/.test(time));
});

Deno.test("a survey that the Go SDK ignores ends without it", async () => {
  await using gateway = await testGateway();
  await using sdk = await TestClient.connected(gateway.url, sdkConnect().connect);
  await sdk.subscribe("votes");
  const answers = await gateway.hub.admin.survey("votes", makeEvent({}), { timeoutMs: 50 });
  assertEquals(answers, []);
  assertStrict(sdk.frames);
  assertEquals((await sdk.settle()).some((frame) => "survey_request" in frame), true);
});

Deno.test("a refused login of the Go SDK is an error, then the close frame", async () => {
  const refusing: Authorizer = {
    authenticate: () =>
      Promise.resolve({
        ok: false,
        error: { code: "NO_ENTRY", type: "auth_error", message: "who are you", metadata: {} },
        disconnect: { code: 3500, reason: "invalid token" } as never,
      }),
    may: () => false,
  };
  await using gateway = await testGateway({ authorizer: refusing });
  await using sdk = await TestClient.open(gateway.url);
  sdk.send(sdkConnect("wrong"));
  const { error } = await sdk.next();
  assertEquals([error.code, error.message], ["NO_ENTRY", "who are you"]);
  assertEquals(await sdk.ended, { code: 3500, reason: "invalid token" });
  assertStrict(sdk.frames);
});

Deno.test("what ends a connection of the Go SDK tells its code and reason", async () => {
  await using gateway = await testGateway();
  await using twice = await TestClient.connected(gateway.url, sdkConnect().connect);
  twice.send(sdkConnect());
  assertEquals(await twice.ended, { code: 3501, reason: "bad request" });
  await using early = await TestClient.open(gateway.url);
  early.send({ id: sdkId(), channel: "x", publish: { type: "t" } });
  assertEquals((await early.ended).code, 3502);
  await using sent = await TestClient.connected(gateway.url, sdkConnect().connect);
  gateway.hub.admin.disconnect([sent.sessionId], 4001, "see you");
  assertEquals(await sent.ended, { code: 4001, reason: "see you" });
  await using leaving = await TestClient.connected(gateway.url, sdkConnect().connect);
  assertEquals((await leaving.close(1000, "")).code, 1000);
});

Deno.test("any other origin than the gateway's own is refused, and none at all is not", async () => {
  await using gateway = await testGateway();
  const foreign = { ws: { origin: "http://elsewhere.example" } };
  await assertRejects(() => TestClient.open(gateway.url, foreign), Error, "403");
  const socket = new WebSocket(gateway.url, ["messageloop+json"]);
  await new Promise((resolve) => socket.once("open", resolve));
  socket.terminate();
});
