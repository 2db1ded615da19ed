import { assert, assertEquals } from "@std/assert";
import { MemoryBroker } from "../../../src/gateway/broker/mod.ts";
import { tokenIsUser } from "../helpers/authorizers.ts";
import { dataOf, type Json, TestClient } from "../helpers/client.ts";
import { testGateway } from "../helpers/gateway.ts";

async function history(client: TestClient, channel: string, asked?: Json): Promise<Json> {
  const rpc_request = asked === undefined ? {} : { text_data: JSON.stringify(asked) };
  const answer = await client.ask({ id: "h", channel, method: "$history", rpc_request });
  return answer.error ?? JSON.parse(dataOf({ payload: answer.rpc_reply }));
}

async function filled(count: number, historySize = 256) {
  const gateway = await testGateway({ broker: new MemoryBroker({ historySize }) });
  const client = await TestClient.connected(gateway.url);
  await client.subscribe("room");
  for (let n = 1; n <= count; n++) await client.publish("room", `m${n}`);
  await client.settle();
  return {
    gateway,
    client,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await gateway[Symbol.asyncDispose]();
    },
  };
}

const offsets = ({ publications }: Json) => publications.map(({ offset }: Json) => Number(offset));

Deno.test("$history answers with every field of the table", async () => {
  await using world = await filled(1);
  const reply = await history(world.client, "room");
  const [{ id, time }] = reply.publications;
  assert(Math.abs(time - Date.now()) < 60_000);
  assertEquals(reply, {
    epoch: reply.epoch,
    top_offset: "1",
    gap: false,
    publications: [{
      offset: "1",
      id,
      type: "test.text",
      source: "test",
      time,
      content_type: "text/plain",
      data: btoa("m1"),
    }],
  });
  assert(reply.epoch.length > 0);
});

const QUESTIONS: readonly (readonly [string, Json, number[]])[] = [
  ["nothing said", {}, [1, 2, 3, 4, 5]],
  ["a limit", { limit: 2 }, [1, 2]],
  ["a limit of 0: the position only", { limit: 0 }, []],
  ["a limit of -1: all", { limit: -1 }, [1, 2, 3, 4, 5]],
  ["since is exclusive", { since_offset: "2" }, [3, 4, 5]],
  ["since as a number", { since_offset: 2, limit: 2 }, [3, 4]],
  ["backwards", { reverse: true, limit: 2 }, [5, 4]],
  ["backwards before since", { since_offset: "3", reverse: true }, [2, 1]],
  ["since the top", { since_offset: "5" }, []],
];

for (const [name, asked, expected] of QUESTIONS) {
  Deno.test(`$history: ${name}`, async () => {
    await using world = await filled(5);
    const { epoch } = await history(world.client, "room", { limit: 0 });
    const since = asked.since_offset === undefined ? {} : { since_epoch: epoch };
    const reply = await history(world.client, "room", { ...asked, ...since });
    assertEquals(offsets(reply), expected);
    assertEquals([reply.top_offset, reply.gap], ["5", false]);
  });
}

Deno.test("$history says when something is gone: trimmed, or of another epoch", async () => {
  await using world = await filled(8, 3);
  const { epoch } = await history(world.client, "room", { limit: 0 });
  const trimmed = await history(world.client, "room", { since_offset: 2, since_epoch: epoch });
  assertEquals([trimmed.gap, offsets(trimmed)], [true, [6, 7, 8]]);
  const whole = await history(world.client, "room", { since_offset: 5, since_epoch: epoch });
  assertEquals([whole.gap, offsets(whole)], [false, [6, 7, 8]]);
  const other = await history(world.client, "room", { since_offset: 7, since_epoch: "other" });
  assertEquals([other.gap, offsets(other)], [true, [6, 7, 8]]);
  await world.gateway.hub.broker.removeHistory("room");
  await world.client.publish("room", "anew");
  await world.client.settle();
  const anew = await history(world.client, "room", { since_offset: 8, since_epoch: epoch });
  assertEquals([anew.gap, offsets(anew), anew.epoch === epoch], [true, [1], false]);
});

Deno.test("$history gives 100 unless asked, and never more than 1,000", async () => {
  await using gateway = await testGateway({ broker: new MemoryBroker({ historySize: 2_000 }) });
  await using client = await TestClient.connected(gateway.url);
  await client.ask({ id: "s", subscribe: { subscriptions: [{ channel: "*" }] } });
  const event = { ...EVENT };
  for (let n = 0; n < 1_500; n++) await gateway.hub.broker.publish("room", event, {});
  await client.settle();
  assertEquals((await history(client, "room")).publications.length, 100);
  assertEquals((await history(client, "room", { limit: 500 })).publications.length, 500);
  assertEquals((await history(client, "room", { limit: 5_000 })).publications.length, 1_000);
  assertEquals((await history(client, "room", { limit: -1 })).publications.length, 1_000);
});

Deno.test("$history of much data gives some of it, and the rest when asked again", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.connected(gateway.url);
  const event = { ...EVENT, data: new Uint8Array(100_000) };
  for (let n = 0; n < 25; n++) await gateway.hub.broker.publish("room", event, {});
  await client.subscribe("room");
  const found: number[] = [];
  for (let asked = 0; found.length < 25; asked++) {
    assert(asked < 5, "it does not go on");
    const { epoch } = await history(client, "room", { limit: 0 });
    const since = { since_offset: found.at(-1) ?? 0, since_epoch: found.length > 0 ? epoch : "" };
    const page = offsets(await history(client, "room", since));
    assert(page.length > 0 && page.length <= 11, String(page.length));
    found.push(...page);
  }
  assertEquals(found, Array.from({ length: 25 }, (_, n) => n + 1));
});

const EVENT = {
  id: "",
  source: "",
  type: "t",
  contentType: "text/plain",
  data: new Uint8Array(),
  isText: true,
  attributes: new Map(),
};

const BAD: readonly (readonly [string, string])[] = [
  ["no JSON", "{"],
  ["no object", "[1]"],
  ["a limit that is none", `{"limit":"many"}`],
  ["a fraction", `{"since_offset":1.5}`],
  ["an epoch that is no text", `{"since_epoch":1}`],
  ["a direction that is none", `{"reverse":"yes"}`],
];

for (const [name, text_data] of BAD) {
  Deno.test(`$history with ${name} is a BAD_REQUEST`, async () => {
    await using gateway = await testGateway();
    await using client = await TestClient.connected(gateway.url);
    await client.subscribe("room");
    const { error } = await client.ask({
      id: "h",
      channel: "room",
      method: "$history",
      rpc_request: { text_data },
    });
    assertEquals([error.code, error.type], ["BAD_REQUEST", "request_error"]);
  });
}

Deno.test("$history is for those who are subscribed, by name or pattern, and allowed", async () => {
  await using gateway = await testGateway({
    authorizer: tokenIsUser((_user, action, channel) => action !== "history" || channel !== "b"),
  });
  await using client = await TestClient.connected(gateway.url);
  const denied = await history(client, "a");
  assertEquals([denied.code, denied.type], ["PERMISSION_DENIED", "acl_error"]);
  await client.subscribe("*");
  assertEquals((await history(client, "a")).publications, []);
  assertEquals((await history(client, "b")).code, "PERMISSION_DENIED");
});
