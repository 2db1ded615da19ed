import { assertEquals, assertRejects } from "@std/assert";
import {
  type FrameCodec,
  GatewayClient,
  type GatewayClientOptions,
  GatewayReplyError,
  jsonCodec,
  type PresenceEvent,
  type TransportKind,
} from "../../client.ts";
import { protobufCodec } from "../../client_protobuf.ts";
import { makeJsonEvent } from "../../src/gateway/event.ts";
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
    const subscription = await room.subscribe(({ data, type, source, subject, offset }) => {
      received.resolve({ data, type, source, subject, offset });
    });
    const published = await ann.channel<{ text: string }>("room").publish({ text: "hé" }, {
      type: "chat.Line",
      subject: "greeting",
    });
    assertEquals(published.offset, 1);
    assertEquals(await received.promise, {
      data: { text: "hé" },
      type: "chat.Line",
      source: "ann",
      subject: "greeting",
      offset: 1,
    });
    assertEquals(subscription.position?.offset, 1);

    const { messages, position, gap } = await room.history();
    assertEquals([position.offset, gap], [1, false]);
    assertEquals(messages.map(({ data, offset }) => [data, offset]), [[{ text: "hé" }, 1]]);

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
