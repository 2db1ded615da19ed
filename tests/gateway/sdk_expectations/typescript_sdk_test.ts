import { assert, assertEquals } from "@std/assert";
import { type Json, messagesOf, TestClient } from "../helpers/client.ts";
import { testGateway } from "../helpers/gateway.ts";
import { assertEventForTypeScript, only, sdkConnect, sdkId } from "./sdk_frames.ts";

/** An event as the TypeScript SDK sends it: fields again among the attributes, no version, no type. */
function sdkEvent(data: unknown, source = "/ts/client"): Json {
  const [id, type] = [crypto.randomUUID(), "com.example.Line"];
  return {
    id,
    source,
    spec_version: "",
    type,
    attributes: {
      id: { ce_string: id },
      source: { ce_string: source },
      type: { ce_string: type },
    },
    ...(data instanceof Uint8Array
      ? { binary_data: data.toBase64() }
      : { text_data: typeof data === "string" ? data : JSON.stringify(data) }),
  };
}

for (const codec of ["json", "proto"] as const) {
  Deno.test(`the TypeScript SDK in ${codec} gets events that it can read`, async () => {
    await using gateway = await testGateway();
    await using sdk = await TestClient.open(gateway.url, { codec });
    assertEquals(sdk.socket.protocol, `messageloop+${codec}`);
    const connect = sdkConnect("", ["chat"]);
    sdk.send(connect);
    const connected = await sdk.next();
    assert(connected.connected.session_id);
    const sent = [{ text: "hi" }, "plain", new Uint8Array([0, 255])];
    for (const data of sent) sdk.send({ id: sdkId(), channel: "chat", publish: sdkEvent(data) });
    const messages = messagesOf(await sdk.settle());
    assertEquals(messages.length, 3);
    for (const { payload } of messages) {
      assertEventForTypeScript(payload);
      assertEquals(payload.source, "chat");
      // What it sent among the attributes does not come back as extensions.
      for (const name of ["id", "source", "type"]) assert(!(name in payload.attributes));
    }
    const bytes = messages.map(({ payload }) => Uint8Array.fromBase64(payload.binary_data));
    const texts = bytes.slice(0, 2).map((each) => new TextDecoder().decode(each));
    // Not quoted once more.
    assertEquals(texts, [`{"text":"hi"}`, "plain"]);
    assertEquals([...bytes[2]!], [0, 255]);
  });
}

Deno.test("sources stay URI references, whatever the channel is called", async () => {
  await using gateway = await testGateway();
  await using sdk = await TestClient.connected(gateway.url, sdkConnect().connect);
  const channels = ["two words", "grüße", "50%", "a:b", "//host", "emoji 😀", "q?x#y"];
  await sdk.subscribe(...channels);
  for (const channel of channels) {
    sdk.send({ id: sdkId(), channel, publish: sdkEvent("x") });
    sdk.send({ id: sdkId(), channel, publish: {} });
  }
  const messages = messagesOf(await sdk.settle());
  assertEquals(messages.length, channels.length * 2);
  for (const { channel, payload } of messages) {
    assertEventForTypeScript(payload);
    // The channel's name can be had again.
    assertEquals(payload.attributes.mlchannel.ce_string, channel);
    assert(/^[\x21-\x7e]+$/.test(payload.source), payload.source);
  }
});

Deno.test("replies to the TypeScript SDK have an attribute that it counts", async () => {
  await using gateway = await testGateway();
  await using sdk = await TestClient.connected(gateway.url, sdkConnect().connect);
  for (const event of [sdkEvent({ n: 1 }), {}]) {
    const id = sdkId();
    const { rpc_reply } = await sdk.ask({ id, channel: "jobs", method: "run", rpc_request: event });
    assertEventForTypeScript(rpc_reply);
    assertEquals(rpc_reply.attributes.mlreply, { ce_string: id });
  }
  await sdk.subscribe("chat");
  for (const method of ["$history", "$presence"]) {
    const { rpc_reply } = await sdk.ask({ id: sdkId(), channel: "chat", method, rpc_request: {} });
    assertEventForTypeScript(rpc_reply);
  }
});

Deno.test("members and administrators' messages are events that the TypeScript SDK can read", async () => {
  await using gateway = await testGateway();
  await using sdk = await TestClient.connected(gateway.url, sdkConnect().connect);
  await sdk.subscribe("chat/__presence");
  await using other = await TestClient.connected(gateway.url);
  await other.subscribe("chat");
  const join = await sdk.next();
  for (const { payload } of messagesOf([join])) assertEventForTypeScript(payload);
  assertEquals(messagesOf([join]).length, 1);
});

Deno.test("errors for the TypeScript SDK have code and type, and its pings find their pongs", async () => {
  await using gateway = await testGateway();
  await using sdk = await TestClient.connected(gateway.url, sdkConnect().connect);
  sdk.send({ id: "1", channel: "bad..name", publish: sdkEvent("x") });
  const { error } = only(await sdk.settle(), "error");
  assertEquals([error.code, error.type], ["BAD_REQUEST", "request_error"]);
  const ids = Array.from({ length: 10 }, sdkId);
  for (const id of ids) sdk.send({ id, ping: {} });
  for (const id of ids) {
    const { id: answered, pong } = await sdk.next();
    assertEquals([answered, pong], [id, {}]);
  }
  assertEquals(await sdk.close(1000, "Client closing"), { code: 1000, reason: "Client closing" });
});
