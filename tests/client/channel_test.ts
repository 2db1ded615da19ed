import { assert, assertEquals, assertInstanceOf, assertRejects } from "@std/assert";
import { z } from "zod";
import {
  type GapReason,
  GatewayConnectionLostError,
  type GatewayMessage,
  GatewayMessageError,
  GatewayOverflowError,
  GatewayReplyError,
  PayloadInvalidError,
} from "../../client.ts";
import type { Peer } from "./scripted_gateway.ts";
import { connected, once } from "./setup.ts";

const since = (channel: string) => `keyop-since.${channel}`;
const at = (channel: string, position: string) => ({ [`keyop-position.${channel}`]: position });

/** Messages as they come, for tests to wait for. */
function collector<T>() {
  const messages: GatewayMessage<T>[] = [];
  let wake = () => {};
  return {
    messages,
    handler: (message: GatewayMessage<T>) => {
      messages.push(message);
      wake();
    },
    async until(count: number): Promise<GatewayMessage<T>[]> {
      while (messages.length < count) await new Promise<void>((resolve) => wake = resolve);
      return messages;
    },
  };
}

Deno.test("publishing settles with the offset that the gateway gave", async () => {
  await using scene = await connected({ clientId: "page 1" });
  const publishing = scene.client.channel("readings").publish({ celsius: 21 }, {
    id: "e1",
    type: "com.example.Reading",
    subject: "kitchen",
    time: new Date(0),
    attributes: { urgent: true, level: 3, big: 2 ** 40, raw: new Uint8Array([1, 2]) },
  });
  const { id, channel, publish } = await scene.peer.next("publish");
  assertEquals(channel, "readings");
  assertEquals(publish, {
    id: "e1",
    source: "page%201",
    spec_version: "1.0",
    type: "com.example.Reading",
    attributes: {
      datacontenttype: { ce_string: "application/json" },
      subject: { ce_string: "kitchen" },
      time: { ce_string: "1970-01-01T00:00:00.000Z" },
      urgent: { ce_boolean: true },
      level: { ce_integer: 3 },
      big: { ce_string: String(2 ** 40) },
      raw: { ce_bytes: "AQI=" },
    },
    text_data: `{"celsius":21}`,
  });
  scene.peer.send({ id, time: "1", publish_ack: { offset: "42" } });
  assertEquals(await publishing, { id: "e1", offset: 42 });
});

Deno.test("bytes stay bytes and text stays text", async () => {
  await using scene = await connected();
  const channel = scene.client.channel("files");
  const forms: [unknown, string | undefined, Record<string, string>, string][] = [
    [new Uint8Array([255]), undefined, { binary_data: "/w==" }, "application/octet-stream"],
    ["hello", "text/plain", { text_data: "hello" }, "text/plain"],
    ["hello", undefined, { text_data: `"hello"` }, "application/json"],
  ];
  for (const [data, contentType, carried, said] of forms) {
    const publishing = channel.publish(data, contentType ? { contentType } : {});
    const { id, publish } = await scene.peer.next("publish");
    assertEquals(publish.attributes.datacontenttype.ce_string, said);
    for (const [key, value] of Object.entries(carried)) assertEquals(publish[key], value);
    scene.peer.send({ id, time: "1", publish_ack: {} });
    assertEquals((await publishing).offset, 0);
  }
});

Deno.test("a schema checks what is published and what arrives", async () => {
  await using scene = await connected();
  const { client, peer, errors } = scene;
  const readings = client.channel("readings", z.object({ celsius: z.number() }));
  await assertRejects(
    () => readings.publish({ celsius: "hot" } as unknown as { celsius: number }),
    PayloadInvalidError,
    "celsius",
  );
  const { handler, until } = collector<{ celsius: number }>();
  const subscribing = readings.subscribe(handler);
  await peer.agree();
  await subscribing;
  peer.deliver("readings", 1, { celsius: "hot" });
  peer.deliver("readings", 2, { celsius: 21, more: true }, {
    mlsource: { ce_string: "sensor" },
    mlchannel: { ce_string: "readings" },
    mloffset: { ce_string: "2" },
    time: { ce_timestamp: "2026-01-02T03:04:05Z" },
    room: { ce_string: "kitchen" },
  });
  const [message] = await until(1);
  assertEquals(message, {
    id: "e2",
    channel: "readings",
    offset: 2,
    type: "test.Number",
    source: "sensor",
    contentType: "application/json",
    time: new Date("2026-01-02T03:04:05Z"),
    subject: undefined,
    attributes: { room: "kitchen" },
    data: { celsius: 21 },
    replayed: false,
  });
  assertInstanceOf(errors[0], GatewayMessageError);
  assertEquals([errors.length, errors[0].messageId], [1, "e1"]);
});

Deno.test("a schema that takes its time keeps the order", async () => {
  await using scene = await connected();
  const slow = async (value: unknown) => {
    if (value === 1) await new Promise((resolve) => setTimeout(resolve, 20));
    if (value === 2) throw new Error("never two");
    return value as number;
  };
  const { handler, until } = collector<number>();
  // deno-lint-ignore no-explicit-any -- a parse function may as well return a promise
  const subscribing = scene.client.channel<number>("numbers", slow as any).subscribe(handler);
  await scene.peer.agree();
  await subscribing;
  for (const n of [1, 2, 3]) scene.peer.deliver("numbers", n, n);
  assertEquals((await until(2)).map(({ data }) => data), [1, 3]);
  assertEquals(scene.errors.length, 1);
});

Deno.test("after a reconnect a channel goes on from the last message that arrived", async () => {
  await using scene = await connected();
  const { client, gateway } = scene;
  const { handler, until } = collector<number>();
  const recoveries: unknown[] = [];
  client.on("recovered", (event) => recoveries.push(event));
  client.on("gap", (event) => recoveries.push(event));
  let noticed = 0;
  const subscribing = client.channel<number>("numbers").subscribe(handler, {
    onRecovered: () => noticed++,
  });
  await scene.peer.agree(at("numbers", "e:1:5"));
  const subscription = await subscribing;
  assertEquals(subscription.position, { epoch: "e:1", offset: 5 });
  scene.peer.deliver("numbers", 6, 6);
  scene.peer.deliver("numbers", 0, "transient");
  await until(2);
  assertEquals(subscription.position, { epoch: "e:1", offset: 6 });

  scene.peer.close();
  let peer = await gateway.next();
  await peer.welcome();
  const { metadata } = await peer.agree({
    ...at("numbers", "e:1:9"),
    "keyop-recovered.numbers": "true",
  });
  assertEquals(metadata[since("numbers")], "e:1:6");
  peer.deliver("numbers", 7, 7, { mlreplay: { ce_string: "true" } });
  await until(3);
  // It breaks again before all is repeated: what has not arrived is asked for again.
  peer.close();
  peer = await gateway.next();
  await peer.welcome();
  const again = await peer.agree({
    ...at("numbers", "e:1:9"),
    "keyop-recovered.numbers": "true",
  });
  assertEquals(again.metadata[since("numbers")], "e:1:7");
  for (const n of [8, 9]) peer.deliver("numbers", n, n, { mlreplay: { ce_boolean: true } });
  peer.deliver("numbers", 10, 10);
  const messages = await until(6);
  assertEquals(messages.map(({ data }) => data), [6, "transient" as unknown, 7, 8, 9, 10]);
  assertEquals(
    messages.map(({ replayed }) => replayed),
    [false, false, true, true, true, false],
  );
  const recovered = { channel: "numbers", position: { epoch: "e:1", offset: 9 } };
  assertEquals(recoveries, [recovered, recovered]);
  assertEquals(noticed, 2);
});

Deno.test("a hole is told, with its reason", async () => {
  const answers: [Record<string, string>, GapReason][] = [
    [{ "keyop-recovered.numbers": "false:epoch_changed" }, "epoch_changed"],
    [{ "keyop-recovered.numbers": "false:trimmed" }, "trimmed"],
    [{ "keyop-recovered.numbers": "false:limit" }, "limit"],
    [{ "keyop-recovered.numbers": "false:no_history" }, "no_history"],
    [{ "keyop-recovered.numbers": "false:something else" }, "unsupported"],
    // A gateway that knows nothing of recovery.
    [{}, "unsupported"],
  ];
  for (const [metadata, reason] of answers) {
    await using scene = await connected();
    const gaps: GapReason[] = [];
    const subscribing = scene.client.channel("numbers").subscribe(() => {}, {
      onGap: (reason) => gaps.push(reason),
    });
    await scene.peer.agree(at("numbers", "old:5"));
    const subscription = await subscribing;
    const gap = once(scene.client, "gap");
    scene.peer.close();
    const peer = await scene.gateway.next();
    await peer.welcome();
    await peer.agree({ ...metadata, ...at("numbers", "new:2") });
    assertEquals(await gap, { channel: "numbers", reason });
    assertEquals(gaps, [reason]);
    assertEquals(subscription.position, { epoch: "new", offset: 2 });
  }
});

Deno.test("a position that was kept elsewhere is where a subscription begins", async () => {
  await using scene = await connected();
  const subscribing = scene.client.channel("numbers").subscribe(() => {}, {
    since: { epoch: "e", offset: 3 },
  });
  const { metadata } = await scene.peer.agree({ "keyop-recovered.numbers": "true" });
  assertEquals(metadata, { "keyop-recover": "1", "keyop-since.numbers": "e:3" });
  assertEquals((await subscribing).position, { epoch: "e", offset: 3 });
});

Deno.test("channels are shared, and left when the last listener leaves", async () => {
  await using scene = await connected();
  const { client, peer } = scene;
  const first = collector<number>();
  const second = collector<number>();
  const channel = client.channel<number>("numbers");
  const one = channel.subscribe(first.handler, { token: "t", ephemeral: true });
  const two = client.channel<number>("numbers").subscribe(second.handler);
  const { subscribe } = await peer.agree();
  assertEquals(subscribe.subscriptions, [{ channel: "numbers", token: "t", ephemeral: true }]);
  const subscriptions = await Promise.all([one, two]);
  peer.deliver("numbers", 1, 1);
  await first.until(1);
  await second.until(1);
  subscriptions[0].close();
  subscriptions[0].close();
  peer.deliver("numbers", 2, 2);
  await second.until(2);
  assertEquals(first.messages.length, 1);
  subscriptions[1].close();
  const { unsubscribe } = await peer.next("unsubscribe");
  assertEquals(unsubscribe.subscriptions, [{ channel: "numbers" }]);
});

Deno.test("patterns get each message once, and their holes are told", async () => {
  await using scene = await connected();
  const seen: string[] = [];
  const listen = async (pattern: string) => {
    const subscribing = scene.client.channel(pattern).subscribe(({ channel }) => {
      seen.push(`${pattern} ${channel}`);
    });
    await scene.peer.agree();
    await subscribing;
  };
  for (const pattern of ["forex.*", "*.eur", "forex.**", "forex.eur"]) await listen(pattern);
  const done = collector<unknown>();
  const last = scene.client.channel("end").subscribe(done.handler);
  await scene.peer.agree();
  await last;
  scene.peer.deliver("forex.eur", 1, 1);
  scene.peer.deliver("forex.a.b", 1, 1);
  scene.peer.deliver("forex", 1, 1);
  scene.peer.deliver("end", 1, 1);
  await done.until(1);
  assertEquals(seen.sort(), [
    "*.eur forex.eur",
    "forex.* forex.eur",
    "forex.** forex",
    "forex.** forex.a.b",
    "forex.** forex.eur",
    "forex.eur forex.eur",
  ]);
});

Deno.test("a refused subscription says why, and does not come again", async () => {
  await using scene = await connected();
  const refusals: string[] = [];
  const subscribing = scene.client.channel("secret").subscribe(() => {}, {
    onRefused: ({ code }) => refusals.push(code),
  });
  const { id } = await scene.peer.next("subscribe");
  const error = { code: "PERMISSION_DENIED", type: "acl_error", message: "not for you" };
  scene.peer.send({ id, time: "1", error });
  const refused = await assertRejects(() => subscribing, GatewayReplyError, "not for you");
  assertEquals([refused.replyCode, refused.replyType], ["PERMISSION_DENIED", "acl_error"]);
  assertEquals(refusals, ["gateway_reply"]);
  scene.peer.close();
  const peer = await scene.gateway.next();
  await peer.welcome();
  const publishing = scene.client.channel("open").publish(1);
  await acknowledge(peer);
  await publishing;
});

Deno.test("after a reconnect one refused channel does not take the others along", async () => {
  await using scene = await connected();
  const refusals: string[] = [];
  for (const name of ["a", "b", "c"]) {
    const subscribing = scene.client.channel(name).subscribe(() => {}, {
      onRefused: () => refusals.push(name),
    });
    await scene.peer.agree();
    await subscribing;
  }
  scene.peer.close();
  const peer = await scene.gateway.next();
  await peer.welcome();
  const error = { code: "PERMISSION_DENIED", type: "acl_error", message: "no" };
  const all = await peer.next("subscribe");
  assertEquals(all.subscribe.subscriptions.length, 3);
  peer.send({ id: all.id, time: "1", error });
  const single = async (agree: boolean) => {
    const { id, subscribe } = await peer.next("subscribe");
    const { subscriptions } = subscribe;
    peer.send(
      agree ? { id, time: "1", subscribe_ack: { subscriptions } } : { id, time: "1", error },
    );
    return subscriptions.map(({ channel }: { channel: string }) => channel);
  };
  assertEquals(
    [await single(true), await single(false), await single(true)],
    [["a"], ["b"], ["c"]],
  );
  const publishing = scene.client.channel("a").publish(1);
  await acknowledge(peer);
  await publishing;
  assertEquals(refusals, ["b"]);
});

Deno.test("many subscriptions come again in frames that the gateway takes", async () => {
  await using scene = await connected();
  const names = Array.from({ length: 230 }, (_, n) => `${"x".repeat(150)}.${n}`);
  for (const name of names) {
    const subscribing = scene.client.channel(name).subscribe(() => {});
    await scene.peer.agree(at(name, "epoch:1"));
    await subscribing;
  }
  scene.peer.close();
  const peer = await scene.gateway.next();
  await peer.welcome();
  const asked: string[] = [];
  while (asked.length < names.length) {
    const { subscribe, metadata } = await peer.agree();
    const entries = Object.entries(metadata as Record<string, string>);
    const bytes = entries.reduce((sum, [key, value]) => sum + key.length + value.length, 0);
    assert(bytes <= 8_192 && entries.length <= 256 && subscribe.subscriptions.length <= 100);
    for (const { channel } of subscribe.subscriptions) {
      assertEquals(metadata[since(channel)], "epoch:1");
      asked.push(channel);
    }
  }
  assertEquals(asked, names);
});

Deno.test("history comes first, then what comes next, none missing and none twice", async () => {
  await using scene = await connected();
  const { peer } = scene;
  const { handler, until } = collector<number>();
  const subscribing = scene.client.channel<number>("numbers").subscribe(handler, { history: 3 });
  await peer.agree(at("numbers", "e:5"));
  const request = await peer.next("rpc_request");
  assertEquals([request.channel, request.method], ["numbers", "$history"]);
  assertEquals(JSON.parse(request.rpc_request.text_data), { limit: 3, reverse: true });
  // Published after the subscription, before the history was read: in both.
  peer.deliver("numbers", 6, 6);
  peer.deliver("numbers", 7, 7);
  const publications = [6, 5, 4].map((n) => ({
    offset: String(n),
    id: `m${n}`,
    type: "test.Number",
    source: "sensor",
    time: "2026-01-02T03:04:05Z",
    content_type: "application/json",
    data: btoa(String(n)),
  }));
  peer.send({
    id: request.id,
    time: "1",
    rpc_reply: {
      id: "r",
      attributes: { datacontenttype: { ce_string: "application/json" } },
      binary_data: btoa(JSON.stringify({ epoch: "e", top_offset: "6", gap: false, publications })),
    },
  });
  const subscription = await subscribing;
  peer.deliver("numbers", 8, 8);
  const messages = await until(5);
  assertEquals(messages.map(({ data }) => data), [4, 5, 6, 7, 8]);
  assertEquals(messages.map(({ replayed }) => replayed), [true, true, true, false, false]);
  assertEquals(subscription.position, { epoch: "e", offset: 8 });
});

Deno.test("reading history goes on when the connection breaks meanwhile", async () => {
  await using scene = await connected();
  const reading = scene.client.channel("numbers").history({
    since: { epoch: "e", offset: 1 },
    limit: 2,
  });
  const first = await scene.peer.next("rpc_request");
  assertEquals(JSON.parse(first.rpc_request.text_data), {
    limit: 2,
    reverse: false,
    since_offset: "1",
    since_epoch: "e",
  });
  scene.peer.close();
  const peer = await scene.gateway.next();
  await peer.welcome();
  const { id } = await peer.next("rpc_request");
  const reply = JSON.stringify({ epoch: "f", top_offset: "0", gap: true, publications: [] });
  peer.send({
    id,
    time: "1",
    rpc_reply: {
      attributes: { datacontenttype: { ce_string: "application/json" } },
      text_data: reply,
    },
  });
  assertEquals(await reading, { position: { epoch: "f", offset: 0 }, gap: true, messages: [] });
});

Deno.test("a loop gets the messages, and leaving it leaves the channel", async () => {
  await using scene = await connected();
  const { peer } = scene;
  const numbers: number[] = [];
  const loop = (async () => {
    for await (const { data } of scene.client.channel<number>("numbers")) {
      numbers.push(data);
      if (data === 3) break;
    }
  })();
  await peer.agree();
  for (const n of [1, 2, 3, 4]) peer.deliver("numbers", n, n);
  await loop;
  assertEquals(numbers, [1, 2, 3]);
  await peer.next("unsubscribe");
});

Deno.test("a loop that is too slow ends with an error, after what has waited", async () => {
  await using scene = await connected();
  const { peer } = scene;
  const numbers: number[] = [];
  const loop = (async () => {
    for await (
      const { data } of scene.client.channel<number>("numbers").messages({ bufferSize: 2 })
    ) {
      numbers.push(data);
      if (data > 1) continue;
      for (const n of [2, 3, 4]) peer.deliver("numbers", n, n);
      const publishing = scene.client.channel("other").publish(1);
      await acknowledge(peer);
      await publishing;
    }
  })();
  await peer.agree();
  peer.deliver("numbers", 1, 1);
  const error = await assertRejects(() => loop, GatewayOverflowError);
  assertEquals(error.code, "gateway_overflow");
  assertEquals(numbers, [1, 2, 3]);
});

Deno.test("a signal ends a loop without an error", async () => {
  await using scene = await connected();
  const ending = new AbortController();
  const { signal } = ending;
  const loop = (async () => {
    for await (const _ of scene.client.channel("numbers").messages({ signal })) ending.abort();
  })();
  await scene.peer.agree();
  scene.peer.deliver("numbers", 1, 1);
  await loop;
  await scene.peer.next("unsubscribe");
});

Deno.test("a handler that throws is told, and the others go on", async () => {
  await using scene = await connected();
  const { handler, until } = collector<unknown>();
  const channel = scene.client.channel("numbers");
  const subscribing = [
    channel.subscribe(() => {
      throw new Error("broken handler");
    }),
    channel.subscribe(handler),
  ];
  await scene.peer.agree();
  await Promise.all(subscribing);
  scene.peer.deliver("numbers", 1, 1);
  await until(1);
  assertEquals((scene.errors[0] as Error).message, "broken handler");
});

Deno.test("presence tells who is there, who comes and who goes", async () => {
  await using scene = await connected();
  const { peer } = scene;
  const channel = scene.client.channel("room");
  const asking = channel.presence();
  const { id, method } = await peer.next("rpc_request");
  assertEquals(method, "$presence");
  const client = { session_id: "s9", client_id: "page", user_id: "ann", connected_at: 1_000 };
  peer.send({
    id,
    time: "1",
    rpc_reply: {
      attributes: { datacontenttype: { ce_string: "application/json" } },
      binary_data: btoa(JSON.stringify({ occupancy: 1, truncated: false, clients: [client] })),
    },
  });
  assertEquals(await asking, {
    occupancy: 1,
    truncated: false,
    members: [{ sessionId: "s9", clientId: "page", userId: "ann", connectedAt: new Date(1_000) }],
  });

  const events: unknown[] = [];
  const told = Promise.withResolvers<void>();
  const following = channel.onPresence((event) => {
    events.push(event);
    told.resolve();
  });
  const { subscribe } = await peer.agree();
  assertEquals(subscribe.subscriptions, [{ channel: "room/__presence" }]);
  await following;
  peer.deliver("room/__presence", 0, {
    __type: "presence",
    action: "join",
    channel: "room",
    client_id: "page",
    user_id: "bob",
    session_id: "s10",
    timestamp: 2_000,
  });
  await told.promise;
  assertEquals(events, [{
    action: "join",
    channel: "room",
    member: { sessionId: "s10", clientId: "page", userId: "bob", connectedAt: undefined },
    time: new Date(2_000),
  }]);
});

Deno.test("a publication whose answer is lost may have been stored or not, and says so", async () => {
  await using scene = await connected();
  const publishing = scene.client.channel("numbers").publish(1);
  await scene.peer.next("publish");
  scene.peer.close();
  await assertRejects(() => publishing, GatewayConnectionLostError, "1006");
  const peer = await scene.gateway.next();
  await peer.welcome();
  const next = scene.client.channel("numbers").publish(2);
  const { publish } = await acknowledge(peer);
  assertEquals(publish.text_data, "2");
  await next;
});

async function acknowledge(peer: Peer) {
  const frame = await peer.next("publish");
  peer.send({ id: frame.id, time: "1", publish_ack: {} });
  return frame;
}
