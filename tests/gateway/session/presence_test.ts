import { assert, assertEquals } from "@std/assert";
import { until } from "../../helpers/until.ts";
import { tokenIsUser } from "../helpers/authorizers.ts";
import { dataOf, type Json, messagesOf, TestClient } from "../helpers/client.ts";
import { testGateway } from "../helpers/gateway.ts";

function events(frames: readonly Json[]): Json[] {
  return messagesOf(frames).map((message) => JSON.parse(dataOf(message)));
}

Deno.test("joins and leaves come as transient publications on the companion channel", async () => {
  await using gateway = await testGateway({ authorizer: tokenIsUser() });
  await using watcher = await TestClient.connected(gateway.url);
  await watcher.subscribe("room/__presence");
  await using member = await TestClient.connected(gateway.url, { client_id: "c", token: "u" });
  await member.subscribe("room");
  const joined = await watcher.next();
  const [message] = messagesOf([joined]);
  assertEquals([message.channel, message.offset], ["room/__presence", undefined]);
  assertEquals(message.payload.type, "presence.join");
  assertEquals(message.payload.attributes.datacontenttype, { ce_string: "application/json" });
  const [join] = events([joined]);
  assert(Math.abs(join.timestamp - Date.now()) < 60_000);
  assertEquals(join, {
    __type: "presence",
    action: "join",
    channel: "room",
    client_id: "c",
    user_id: "u",
    session_id: member.sessionId,
    timestamp: join.timestamp,
  });
  await member.ask({ id: "u", unsubscribe: { subscriptions: [{ channel: "room" }] } });
  const left = await watcher.next();
  assertEquals(messagesOf([left])[0].payload.type, "presence.leave");
  assertEquals(events([left])[0].action, "leave");
});

const ENDS: readonly (readonly [string, (client: TestClient) => void])[] = [
  ["an ordinary close", (client) => client.socket.close()],
  ["a lost connection", (client) => client.socket.terminate()],
];

for (const [name, end] of ENDS) {
  Deno.test(`${name} is one leave`, async () => {
    await using gateway = await testGateway();
    await using watcher = await TestClient.connected(gateway.url);
    await watcher.subscribe("room/__presence");
    await using member = await TestClient.connected(gateway.url);
    await member.subscribe("room");
    end(member);
    assertEquals(
      [await watcher.next(), await watcher.next()].flatMap((frame) => events([frame]))
        .map(({ action }) => action),
      ["join", "leave"],
    );
    assertEquals(await watcher.settle(), []);
  });
}

Deno.test("ephemeral subscriptions and patterns are nobody's presence", async () => {
  await using gateway = await testGateway();
  await using watcher = await TestClient.connected(gateway.url);
  await watcher.subscribe("room/__presence");
  await using member = await TestClient.connected(gateway.url);
  await member.ask({
    id: "s",
    subscribe: { subscriptions: [{ channel: "room", ephemeral: true }] },
  });
  await member.subscribe("*");
  assertEquals(await watcher.settle(), []);
  assertEquals((await gateway.hub.broker.members("room", 10)).occupancy, 0);
});

Deno.test("the member that caused an event does not get it, others do", async () => {
  await using gateway = await testGateway();
  await using one = await TestClient.connected(gateway.url);
  await one.subscribe("room/__presence", "room");
  await using two = await TestClient.connected(gateway.url);
  await two.subscribe("room/__presence", "room");
  await until("both members", () => one.unread().length > 0);
  assertEquals(events(await one.settle()).map(({ session_id }) => session_id), [two.sessionId]);
  assertEquals(events(await two.settle()), []);
});

const PATTERNS: readonly (readonly [string, boolean])[] = [
  ["chat.*", false],
  ["chat.**", false],
  ["**", false],
  ["chat.*/__presence", true],
  ["chat.**/__presence", true],
  ["chat.x/__presence", true],
];

for (const [pattern, reaches] of PATTERNS) {
  Deno.test(`${pattern} ${reaches ? "gets" : "does not get"} the presence of chat.x`, async () => {
    await using gateway = await testGateway();
    await using watcher = await TestClient.connected(gateway.url);
    await watcher.subscribe(pattern);
    await using member = await TestClient.connected(gateway.url);
    await member.subscribe("chat.x");
    assertEquals(messagesOf(await watcher.settle()).length, reaches ? 1 : 0);
  });
}

Deno.test("a companion has no presence of its own", async () => {
  await using gateway = await testGateway();
  await using watcher = await TestClient.connected(gateway.url);
  assertEquals((await watcher.subscribe("a/__presence/__presence")).error.code, "BAD_REQUEST");
  await watcher.subscribe("a/__presence");
  assertEquals((await gateway.hub.broker.members("a/__presence", 10)).occupancy, 0);
});

Deno.test("switched off, there are neither members nor events", async () => {
  await using gateway = await testGateway({ settings: { presence: false } });
  await using watcher = await TestClient.connected(gateway.url);
  await watcher.subscribe("room/__presence");
  await using member = await TestClient.connected(gateway.url);
  await member.subscribe("room");
  assertEquals(await watcher.settle(), []);
  assertEquals((await gateway.hub.broker.members("room", 10)).occupancy, 0);
});

async function presence(client: TestClient, channel: string): Promise<Json> {
  const answer = await client.ask({ id: "p", channel, method: "$presence", rpc_request: {} });
  return answer.error ?? JSON.parse(dataOf({ payload: answer.rpc_reply }));
}

Deno.test("$presence is a snapshot of at most 256", async () => {
  await using gateway = await testGateway({ authorizer: tokenIsUser() });
  await using client = await TestClient.connected(gateway.url, { client_id: "c", token: "u" });
  await client.subscribe("room");
  const snapshot = await presence(client, "room");
  const [{ connected_at }] = snapshot.clients;
  assert(Math.abs(connected_at - Date.now()) < 60_000);
  assertEquals(snapshot, {
    occupancy: 1,
    truncated: false,
    clients: [{ session_id: client.sessionId, client_id: "c", user_id: "u", connected_at }],
  });
  for (let n = 0; n < 300; n++) {
    const member = { sessionId: `s${n}`, clientId: "", userId: "", connectedAtMs: 1 };
    await gateway.hub.broker.join("room", member);
  }
  const many = await presence(client, "room");
  assertEquals([many.occupancy, many.truncated, many.clients.length], [301, true, 256]);
});

Deno.test("$presence is for those who are subscribed and allowed", async () => {
  await using gateway = await testGateway({
    authorizer: tokenIsUser((_user, action, channel) => action !== "presence" || channel !== "b"),
  });
  await using client = await TestClient.connected(gateway.url);
  assertEquals((await presence(client, "a")).code, "PERMISSION_DENIED");
  await client.subscribe("*");
  assertEquals((await presence(client, "a")).occupancy, 0);
  assertEquals((await presence(client, "b")).code, "PERMISSION_DENIED");
  assertEquals((await presence(client, "*")).code, "BAD_REQUEST");
});
