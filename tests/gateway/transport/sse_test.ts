import { assert, assertEquals, assertMatch } from "@std/assert";
import { serverSentEvents } from "../helpers/sse.ts";
import { makeEvent } from "../../../src/gateway/event.ts";
import { until } from "../../helpers/until.ts";
import { type Json, messagesOf } from "../helpers/client.ts";
import { type TestGateway, testGateway } from "../helpers/gateway.ts";

/** A client on the fallback. */
class SseClient implements AsyncDisposable {
  readonly #url: string;
  readonly #abort: AbortController;
  readonly #events: AsyncIterator<{ name: string; data: string }>;
  key = "";

  private constructor(url: string, abort: AbortController, response: Response) {
    this.#url = url;
    this.#abort = abort;
    this.#events = serverSentEvents(response.body!);
  }

  static async open(
    gateway: TestGateway,
    headers: Record<string, string> = {},
  ): Promise<SseClient> {
    const url = `http://127.0.0.1:${gateway.port}/ws/sse`;
    const abort = new AbortController();
    const response = await fetch(url, { headers, signal: abort.signal });
    assertEquals(response.status, 200);
    assertEquals(response.headers.get("content-type"), "text/event-stream");
    const client = new SseClient(url, abort, response);
    const { name, data } = await client.event();
    assertEquals(name, "open");
    client.key = JSON.parse(data).key;
    return client;
  }

  async event(): Promise<{ name: string; data: string }> {
    const { value, done } = await this.#events.next();
    if (done) throw new Error("the stream ended");
    return value;
  }

  async next(): Promise<Json> {
    const { name, data } = await this.event();
    assertEquals(name, "");
    return JSON.parse(data);
  }

  async post(body: string, key = this.key): Promise<number> {
    const response = await fetch(`${this.#url}?key=${key}`, { method: "POST", body });
    await response.body?.cancel();
    return response.status;
  }

  async send(...frames: Json[]): Promise<void> {
    const body = JSON.stringify(frames.length === 1 ? frames[0] : frames);
    assertEquals(await this.post(body), 204);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#abort.abort();
    return Promise.resolve();
  }
}

Deno.test("a client on server-sent events connects, subscribes, publishes and is told of its end", async () => {
  await using gateway = await testGateway();
  await using client = await SseClient.open(gateway);
  assertMatch(client.key, /^[0-9a-f]{48}$/);
  await client.send({ id: "c", connect: { client_id: "sse" } });
  const { connected } = await client.next();
  assertEquals(gateway.hub.session(connected.session_id)?.transport.kind, "sse");
  await client.send(
    { id: "s", subscribe: { subscriptions: [{ channel: "room" }] } },
    { id: "p", channel: "room", publish: { text_data: "line\none" } },
  );
  assertEquals((await client.next()).id, "s");
  const [message] = messagesOf([await client.next(), await client.next()]);
  assertEquals(atob(message.payload.binary_data), "line\none");
  gateway.hub.admin.disconnect([connected.session_id], 3503, "enough");
  const { name, data } = await client.event();
  assertEquals([name, JSON.parse(data)], ["close", { code: 3503, reason: "enough" }]);
});

Deno.test("the key is secret: another one, or none, brings nothing in", async () => {
  await using gateway = await testGateway();
  await using client = await SseClient.open(gateway);
  assertEquals(await client.post(`{"ping":{}}`, "0".repeat(48)), 404);
  assertEquals(await client.post(`{"ping":{}}`, ""), 404);
  await client.send({ id: "mine", ping: {} });
  assertEquals((await client.next()).id, "mine");
});

Deno.test("rules of the session hold: 3502 before connect, BAD_REQUEST for garbage", async () => {
  await using gateway = await testGateway();
  await using client = await SseClient.open(gateway);
  assertEquals(await client.post("garbage"), 204);
  assertEquals((await client.next()).error.code, "BAD_REQUEST");
  assertEquals(await client.post("[1]"), 204);
  assertEquals((await client.next()).error.code, "BAD_REQUEST");
  await client.send({ channel: "a", publish: {} });
  assertEquals(JSON.parse((await client.event()).data), { code: 3502, reason: "stale" });
  await until("the session's end", () => gateway.hub.connections === 0);
});

Deno.test("a frame that is too long ends with 1009", async () => {
  await using gateway = await testGateway();
  await using client = await SseClient.open(gateway);
  assertEquals(await client.post(JSON.stringify({ ping: {}, pad: "x".repeat(70_000) })), 413);
  assertEquals(JSON.parse((await client.event()).data).code, 1009);
});

Deno.test("a request that is too long ends with 1009", async () => {
  await using gateway = await testGateway({ limits: { frameBytes: 1_024 } });
  await using client = await SseClient.open(gateway);
  await client.post("x".repeat(70_000)).catch(() => {});
  assertEquals(JSON.parse((await client.event()).data).code, 1009);
});

Deno.test("a stream that is cut ends the session", async () => {
  await using gateway = await testGateway();
  const client = await SseClient.open(gateway);
  assertEquals(gateway.hub.connections, 1);
  await client[Symbol.asyncDispose]();
  await until("the session's end", () => gateway.hub.connections === 0);
  assertEquals(await client.post(`{"ping":{}}`), 404);
});

Deno.test("pages: foreign ones get 403, allowed ones get leave to read and to post", async () => {
  await using gateway = await testGateway({
    server: { origins: { allowedOrigins: ["https://app.example"], allowAllOrigins: false } },
  });
  const url = `http://127.0.0.1:${gateway.port}/ws/sse`;
  const foreign = await fetch(url, { headers: { origin: "https://evil.example" } });
  await foreign.body?.cancel();
  assertEquals(foreign.status, 403);
  const post = await fetch(url, { method: "POST", headers: { origin: "https://evil.example" } });
  await post.body?.cancel();
  assertEquals(post.status, 403);
  const preflight = await fetch(url, {
    method: "OPTIONS",
    headers: { origin: "https://app.example", "access-control-request-method": "POST" },
  });
  await preflight.body?.cancel();
  assertEquals(preflight.status, 204);
  assertEquals(preflight.headers.get("access-control-allow-origin"), "https://app.example");
  assert(preflight.headers.get("access-control-allow-headers")?.includes("content-type"));
  await using _client = await SseClient.open(gateway, { origin: "https://app.example" });
});

Deno.test("other methods are 405, and switched off there is nothing", async () => {
  await using gateway = await testGateway();
  const put = await fetch(`http://127.0.0.1:${gateway.port}/ws/sse`, { method: "PUT", body: "x" });
  await put.body?.cancel();
  assertEquals(put.status, 405);
  await using off = await testGateway({ server: { sse: false } });
  const response = await fetch(`http://127.0.0.1:${off.port}/ws/sse`);
  await response.body?.cancel();
  assertEquals(response.status, 404);
});

Deno.test("what was missed is recovered over the fallback as well", async () => {
  await using gateway = await testGateway();
  const event = makeEvent({ type: "t", data: new TextEncoder().encode("x") });
  for (let n = 0; n < 200; n++) await gateway.hub.broker.publish("room", event);
  await using client = await SseClient.open(gateway);
  await client.send({
    id: "c",
    metadata: { "keyop-recover": "1", "keyop-since.room": ":0" },
    connect: { subscriptions: [{ channel: "room" }] },
  });
  assertEquals((await client.next()).metadata["keyop-recovered.room"], "true");
  const offsets: number[] = [];
  while (offsets.length < 200) {
    offsets.push(...messagesOf([await client.next()]).map(({ offset }) => Number(offset)));
  }
  assertEquals(offsets, Array.from({ length: 200 }, (_, n) => n + 1));
});
