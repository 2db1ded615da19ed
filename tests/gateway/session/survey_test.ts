import { assert, assertEquals } from "@std/assert";
import { makeEvent, textOf } from "../../../src/gateway/event.ts";
import type { SurveyResult } from "../../../src/gateway/hub/mod.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import { type Json, TestClient } from "../helpers/client.ts";
import { type TestGateway, testGateway } from "../helpers/gateway.ts";

const QUESTION = makeEvent({
  id: "x",
  source: "y",
  type: "z",
  data: new TextEncoder().encode("who?"),
});

async function subscribers(gateway: TestGateway, count: number): Promise<TestClient[]> {
  return await Promise.all(Array.from({ length: count }, async (_, n) => {
    const codec = n % 2 ? "proto" : "json";
    const client = await TestClient.connected(gateway.url, {}, { codec });
    await client.subscribe("room");
    return client;
  }));
}

async function dispose(clients: readonly TestClient[]): Promise<void> {
  for (const client of clients) await client[Symbol.asyncDispose]();
}

function reply(client: TestClient, request: Json, text: string): void {
  const request_id = request.survey_request.request_id;
  client.send({ survey_response: { request_id, payload: { text_data: text } } });
}

const texts = (results: readonly SurveyResult[]) =>
  results.map((result) => "event" in result ? textOf(result.event) : result.error.code).sort();

Deno.test("a survey of nobody is empty at once", async () => {
  await using gateway = await testGateway({ clock: new FakeClock() });
  assertEquals(await gateway.hub.admin.survey("room", QUESTION), []);
});

for (const count of [1, 3, 10]) {
  Deno.test(`${count} subscribers are all asked, and the survey ends with the last answer`, async () => {
    await using gateway = await testGateway({ clock: new FakeClock() });
    const clients = await subscribers(gateway, count);
    const survey = gateway.hub.admin.survey("room", QUESTION);
    for (const [n, client] of clients.entries()) {
      const request = await client.next();
      const { request_id, payload } = request.survey_request;
      assertEquals(request.metadata, undefined);
      assertEquals(payload, {
        id: request_id,
        source: "room",
        spec_version: "1.0",
        type: "com.messageloop.survey",
        attributes: { datacontenttype: { ce_string: "application/octet-stream" } },
        binary_data: btoa("who?"),
      });
      reply(client, request, `answer ${n}`);
    }
    const results = await survey;
    assertEquals(texts(results), clients.map((_, n) => `answer ${n}`).sort());
    assertEquals(
      results.map(({ sessionId }) => sessionId).sort(),
      clients.map(({ sessionId }) => sessionId).sort(),
    );
    await dispose(clients);
  });
}

Deno.test("at the timeout a survey ends with what there is", async () => {
  const clock = new FakeClock();
  await using gateway = await testGateway({ clock });
  const clients = await subscribers(gateway, 2);
  const survey = gateway.hub.admin.survey("room", QUESTION);
  reply(clients[0]!, await clients[0]!.next(), "yes");
  await clients[0]!.settle();
  await clock.advance(5_000);
  assertEquals(texts(await survey), ["yes"]);
  assertEquals(gateway.hub.surveys.size, 0);
  await dispose(clients);
});

for (const [asked, actual] of [[100, 100], [60_000, 30_000], [0, 5_000]] as const) {
  Deno.test(`a timeout of ${asked} ms is one of ${actual} ms`, async () => {
    const clock = new FakeClock();
    await using gateway = await testGateway({ clock });
    const clients = await subscribers(gateway, 1);
    let isOver = false;
    const survey = gateway.hub.admin.survey("room", QUESTION, { timeoutMs: asked })
      .then((results) => (isOver = true, results));
    await clients[0]!.next();
    await clock.advance(actual - 1);
    assert(!isOver);
    await clock.advance(1);
    assertEquals(await survey, []);
    await dispose(clients);
  });
}

Deno.test("a cancelled survey ends with what there is", async () => {
  await using gateway = await testGateway();
  const clients = await subscribers(gateway, 2);
  const cancel = new AbortController();
  const survey = gateway.hub.admin.survey("room", QUESTION, { signal: cancel.signal });
  reply(clients[0]!, await clients[0]!.next(), "yes");
  await clients[0]!.settle();
  cancel.abort();
  assertEquals(texts(await survey), ["yes"]);
  await dispose(clients);
});

Deno.test("an error is an answer, and so is going away", async () => {
  await using gateway = await testGateway({ clock: new FakeClock() });
  const clients = await subscribers(gateway, 2);
  const survey = gateway.hub.admin.survey("room", QUESTION);
  const { survey_request: { request_id } } = await clients[0]!.next();
  clients[0]!.send({ survey_response: { request_id, error: { code: "E1", message: "no" } } });
  clients[1]!.socket.terminate();
  assertEquals(texts(await survey), ["E1", "INTERNAL_ERROR"]);
  await dispose(clients);
});

Deno.test("a later answer replaces the earlier one", async () => {
  await using gateway = await testGateway({ clock: new FakeClock() });
  const clients = await subscribers(gateway, 2);
  const survey = gateway.hub.admin.survey("room", QUESTION);
  const [first, second] = [await clients[0]!.next(), await clients[1]!.next()];
  reply(clients[0]!, first, "first");
  reply(clients[0]!, first, "second");
  await clients[0]!.settle();
  reply(clients[1]!, second, "other");
  assertEquals(texts(await survey), ["other", "second"]);
  await dispose(clients);
});

Deno.test("answers of those who were not asked, and to what was not asked, are dropped", async () => {
  const clock = new FakeClock();
  await using gateway = await testGateway({ clock });
  const clients = await subscribers(gateway, 1);
  await using stranger = await TestClient.connected(gateway.url);
  const survey = gateway.hub.admin.survey("room", QUESTION);
  const request = await clients[0]!.next();
  reply(stranger, request, "forged");
  stranger.send({ survey_response: { request_id: "unknown", payload: { text_data: "x" } } });
  assertEquals(await stranger.settle(), []);
  reply(clients[0]!, request, "real");
  assertEquals(texts(await survey), ["real"]);
  await dispose(clients);
});

Deno.test("an answer without an id is that to the last survey id that the connection sent", async () => {
  await using gateway = await testGateway({ clock: new FakeClock() });
  const clients = await subscribers(gateway, 1);
  const survey = gateway.hub.admin.survey("room", QUESTION);
  const { survey_request: { request_id } } = await clients[0]!.next();
  clients[0]!.send({ survey_request: { request_id, payload: {} } });
  assert((await clients[0]!.next()).survey_response);
  clients[0]!.send({ survey_response: { payload: { binary_data: btoa("late") } } });
  assertEquals(texts(await survey), ["late"]);
  await dispose(clients);
});

Deno.test("an answer has at most 64 KiB", async () => {
  const limits = { frameBytes: 1_000_000 };
  await using gateway = await testGateway({ clock: new FakeClock(), limits });
  const clients = await subscribers(gateway, 1);
  const survey = gateway.hub.admin.survey("room", QUESTION);
  const request = await clients[0]!.next();
  reply(clients[0]!, request, "x".repeat(65_537));
  assertEquals((await clients[0]!.next()).error.code, "BAD_REQUEST");
  reply(clients[0]!, request, "x".repeat(65_536));
  assertEquals(texts(await survey)[0]!.length, 65_536);
  await dispose(clients);
});

Deno.test("a client's own survey_request comes back to it", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.connected(gateway.url);
  const { survey_response } = await client.ask({
    id: "s",
    channel: "room",
    survey_request: { request_id: "r", payload: { id: "e", text_data: "me?" } },
  });
  assertEquals(survey_response, {
    request_id: "r",
    payload: {
      id: "r",
      source: "room",
      spec_version: "1.0",
      type: "com.messageloop.survey.response",
      attributes: { datacontenttype: { ce_string: "text/plain" } },
      binary_data: btoa("me?"),
    },
  });
});
