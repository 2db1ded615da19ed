import { assertEquals, assertRejects } from "@std/assert";
import {
  type FrameCodec,
  GatewayClient,
  type GatewayClientOptions,
  GatewayConnectionLostError,
  GatewayReplyError,
  jsonCodec,
  type PresenceEvent,
  type TransportKind,
} from "../../client.ts";
import { protobufCodec } from "../../client_protobuf.ts";
import { MemoryBroker } from "../../src/gateway/broker/mod.ts";
import { makeJsonEvent } from "../../src/gateway/event.ts";
import { type Authorizer, DISCONNECTS } from "../../src/gateway/session/mod.ts";
import { testGateway } from "../gateway/helpers/gateway.ts";
import { once } from "./setup.ts";
import { withoutWebSockets } from "./narrow_proxy.ts";

const WAYS: { name: string; transport: TransportKind; codec: FrameCodec }[] = [
  { name: "WebSocket and JSON", transport: "websocket", codec: jsonCodec },
  { name: "WebSocket and protobuf", transport: "websocket", codec: protobufCodec },
  { name: "server-sent events", transport: "sse", codec: jsonCodec },
];
const QUICK: GatewayClientOptions = { reconnectBaseMs: 5, reconnectMaxMs: 20 };

async function connect(url: string, options: GatewayClientOptions): Promise<GatewayClient> {
  const client = new GatewayClient(url, { ...QUICK, ...options });
  await client.connect({ signal: AbortSignal.timeout(10_000) });
  return client;
}

for (const { name, ...way } of WAYS) {
  Deno.test(`over ${name}: publish, subscribe, history, presence, calls, surveys`, async () => {
    await using running = await testGateway();
    await using ann = await connect(running.url, { ...way, clientId: "ann" });
    await using bob = await connect(running.url, { ...way, clientId: "bob" });

    const room = bob.channel<{ text: string }>("room");
    const received = Promise.withResolvers<unknown>();
    const subscription = await room.subscribe(({ id, data, type, source, subject, offset }) => {
      received.resolve({ id, data, type, source, subject, offset });
    });
    const published = await ann.channel<{ text: string }>("room").publish({ text: "hé" }, {
      type: "chat.Line",
      subject: "greeting",
      attributes: { urgent: true },
    });
    assertEquals(published.offset, 1);
    assertEquals(await received.promise, {
      id: published.id,
      data: { text: "hé" },
      type: "chat.Line",
      source: "ann",
      subject: "greeting",
      offset: 1,
    });
    assertEquals(subscription.position?.offset, 1);

    const { messages, position, gap } = await room.history();
    assertEquals([position.offset, gap], [1, false]);
    assertEquals(
      messages.map(({ id, data, offset, subject, attributes }) => [
        id,
        data,
        offset,
        subject,
        attributes,
      ]),
      [[published.id, { text: "hé" }, 1, "greeting", { urgent: true }]],
    );

    const events: PresenceEvent[] = [];
    const joined = Promise.withResolvers<void>();
    await room.onPresence((event) => {
      events.push(event);
      joined.resolve();
    });
    const other = await ann.channel("room").subscribe(() => {});
    await joined.promise;
    assertEquals([events[0]!.action, events[0]!.member.clientId], ["join", "ann"]);
    const { occupancy, members } = await room.presence();
    assertEquals(occupancy, 2);
    assertEquals(members.map(({ clientId }) => clientId).sort(), ["ann", "bob"]);
    other.close();

    // Without backends the gateway answers with the question.
    assertEquals(await ann.rpc("jobs", "echo", { n: 1 }), { n: 1 });
    await assertRejects(() => ann.rpc("jobs", "$nothing"), GatewayReplyError, "BAD_REQUEST");
    await assertRejects(() => ann.channel("elsewhere").history(), GatewayReplyError, "PERMISSION");

    bob.onSurvey("room", ({ data }) => ({ answer: data }));
    const answers = await running.hub.admin.survey("room", makeJsonEvent({ q: 1 }), {
      timeoutMs: 5_000,
    });
    assertEquals(answers.length, 1);
    const answer = answers[0] as { event?: { data: Uint8Array } };
    assertEquals(JSON.parse(new TextDecoder().decode(answer.event!.data)), { answer: { q: 1 } });

    const direct = once(bob, "direct");
    await running.hub.admin.publish({
      id: "note-1",
      event: makeJsonEvent("only for you", { type: "note" }),
      sessions: [bob.sessionId!],
      channels: [],
      addHistory: false,
    });
    const note = await direct;
    assertEquals([note.id, note.data], ["note-1", "only for you"]);
  });

  Deno.test(`over ${name}: nothing is lost or doubled while connections break`, async () => {
    await using running = await testGateway();
    await using writer = await connect(running.url, { ...way });
    await using reader = await connect(running.url, { ...way });
    const count = 240;
    const seen: number[] = [];
    const trouble: unknown[] = [];
    reader.on("gap", (event) => trouble.push(event));
    reader.on("error", (error) => trouble.push(error));
    let recoveries = 0;
    reader.on("recovered", () => recoveries++);
    const done = Promise.withResolvers<void>();
    await reader.channel<number>("numbers").subscribe(({ data }) => {
      seen.push(data);
      if (seen.length === count) done.resolve();
    });
    const numbers = writer.channel<number>("numbers");
    for (let n = 1; n <= count; n++) {
      await numbers.publish(n);
      const { sessionId } = reader;
      if (n % 40 === 0 && sessionId) running.hub.admin.disconnect([sessionId], 3511, "");
    }
    await done.promise;
    assertEquals(seen, Array.from({ length: count }, (_, n) => n + 1));
    assertEquals(trouble, []);
    assertEquals(recoveries > 0, true);
  });

  Deno.test(`over ${name}: a gateway that sends a client away is obeyed`, async () => {
    await using running = await testGateway();
    const client = await connect(running.url, { ...way });
    const closed = once(client, "closed");
    running.hub.admin.disconnect([client.sessionId!], 3503, "");
    assertEquals(
      (await closed).message,
      "The gateway ended the connection (3503): force disconnect",
    );
  });
}

Deno.test("history that was lost is told as a hole, and what is kept is repeated", async () => {
  await using running = await testGateway();
  await using writer = await connect(running.url, {});
  await using reader = await connect(running.url, {});
  const seen: [number, boolean][] = [];
  let wake = () => {};
  const until = async (count: number) => {
    while (seen.length < count) await new Promise<void>((resolve) => wake = resolve);
  };
  await reader.channel<number>("numbers").subscribe(({ data, replayed }) => {
    seen.push([data, replayed]);
    wake();
  });
  const numbers = writer.channel<number>("numbers");
  await numbers.publish(1);
  await until(1);
  const gap = once(reader, "gap");
  const away = once(reader, "disconnected");
  running.hub.admin.disconnect([reader.sessionId!], 3511, "");
  await away;
  await running.hub.admin.removeHistory("numbers");
  await numbers.publish(2);
  assertEquals(await gap, { channel: "numbers", reason: "epoch_changed" });
  await numbers.publish(3);
  await until(3);
  assertEquals(seen.map(([data]) => data), [1, 2, 3]);
});

Deno.test("who comes late and names a position gets all from there, however much that is", async () => {
  await using running = await testGateway({ broker: new MemoryBroker({ historySize: 5_000 }) });
  await using client = await connect(running.url, {});
  const numbers = client.channel<number>("numbers");
  const first = await numbers.subscribe(() => {});
  const since = first.position!;
  const count = 2_500;
  for (let n = 1; n <= count; n += 100) {
    await Promise.all(Array.from({ length: 100 }, (_, at) => numbers.publish(n + at)));
  }
  let publishing = true;
  const more = (async () => {
    for (let n = count + 1; publishing; n++) await numbers.publish(n);
  })();
  const seen: number[] = [];
  // So few may wait that what comes meanwhile has to be read from history again.
  const done = Promise.withResolvers<void>();
  const handler = ({ data }: { data: number }) => {
    seen.push(data);
    if (data === 0) done.resolve();
  };
  await numbers.subscribe(handler, { since, bufferSize: 2 });
  await numbers.subscribe(() => {}, { history: 1_000, bufferSize: 2 });
  publishing = false;
  await more;
  const last = await numbers.publish(0);
  await done.promise;
  assertEquals(last.offset, seen.length);
  assertEquals(seen.slice(0, -1), Array.from({ length: seen.length - 1 }, (_, n) => n + 1));
});

Deno.test("a login that ends is renewed with a fresh token, and nothing is missed", async () => {
  let logins = 0;
  const authorizer: Authorizer = {
    authenticate: ({ token }) => {
      logins++;
      const user = { id: "ann", claims: {}, expiresAtMs: Date.now() + 1_000 };
      const error = { code: "AUTH_ERROR", type: "auth_error", message: "no", metadata: {} };
      return Promise.resolve(
        token.startsWith("good")
          ? { ok: true, user }
          : { ok: false, error, disconnect: DISCONNECTS.invalidToken },
      );
    },
    may: () => true,
  };
  await using running = await testGateway({ authorizer });
  const reasons: string[] = [];
  await using client = await connect(running.url, {
    token: (reason) => `good ${reasons.push(reason)}`,
  });
  const seen: number[] = [];
  const numbers = client.channel<number>("numbers");
  await numbers.subscribe(({ data }) => seen.push(data));
  const gaps: unknown[] = [];
  client.on("gap", (gap) => gaps.push(gap));
  let n = 0;
  while (logins < 3) {
    try {
      await numbers.publish(n + 1);
      n++;
    } catch (error) {
      // It may have been stored or not: look.
      if (!(error instanceof GatewayConnectionLostError)) throw error;
      const { messages } = await numbers.history({ limit: 1, reverse: true });
      n = messages[0]?.data ?? 0;
    }
  }
  await numbers.history();
  assertEquals(seen, Array.from({ length: n }, (_, at) => at + 1));
  assertEquals([gaps, reasons.slice(0, 2)], [[], ["connect", "refused"]]);
});

Deno.test("where WebSockets do not get through, server-sent events do", async () => {
  await using running = await testGateway({
    server: { origins: { allowedOrigins: [], allowAllOrigins: true } },
  });
  for (const how of ["refused", "silent"] as const) {
    await using proxy = await withoutWebSockets(running.port, how);
    await using client = new GatewayClient(`ws://127.0.0.1:${proxy.port}/ws`, {
      ...QUICK,
      connectTimeoutMs: 500,
    });
    const connected = once(client, "connected");
    await client.connect();
    assertEquals((await connected).transport, "sse");
    const seen = Promise.withResolvers<unknown>();
    await client.channel("room").subscribe(({ data }) => seen.resolve(data));
    await client.channel("room").publish(how);
    assertEquals(await seen.promise, how);
  }
});
