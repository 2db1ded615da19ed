import { assertEquals, assertRejects } from "@std/assert";
import {
  GatewayConnectionLostError,
  GatewayNotConnectedError,
  GatewayQueueFullError,
  GatewayReplyError,
  GatewayTimeoutError,
  PayloadInvalidError,
} from "../../client.ts";
import { connected, once } from "./setup.ts";

Deno.test("a call gets the data of its answer", async () => {
  await using scene = await connected();
  const calling = scene.client.rpc("users.ann", "get", { id: 7 });
  const { id, channel, method, rpc_request } = await scene.peer.next("rpc_request");
  assertEquals([channel, method, rpc_request.type], ["users.ann", "get", "get"]);
  assertEquals(rpc_request.text_data, `{"id":7}`);
  const attributes = { datacontenttype: { ce_string: "application/json; charset=utf-8" } };
  scene.peer.send({
    id,
    time: "1",
    rpc_reply: { attributes, binary_data: btoa(`{"name":"Ann"}`) },
  });
  assertEquals(await calling, { name: "Ann" });
});

Deno.test("answers find their calls in any order", async () => {
  await using scene = await connected();
  const calls = [1, 2, 3].map((n) => scene.client.rpc<string>("jobs", `job ${n}`));
  const ids: [string, string][] = [];
  for (const _ of calls) {
    const { id, method } = await scene.peer.next("rpc_request");
    ids.push([id, method]);
  }
  for (const [id, method] of ids.reverse()) {
    scene.peer.send({ id, time: "1", rpc_reply: { text_data: method } });
  }
  assertEquals(await Promise.all(calls), ["job 1", "job 2", "job 3"]);
});

Deno.test("an error of a backend keeps its code, type and metadata", async () => {
  await using scene = await connected();
  const calling = scene.client.rpc("jobs", "run");
  const { id } = await scene.peer.next("rpc_request");
  const error = { code: "NO_FUEL", type: "engine", message: "empty", metadata: { litres: 0 } };
  scene.peer.send({ id, time: "1", error });
  const thrown = await assertRejects(() => calling, GatewayReplyError, "NO_FUEL: empty");
  assertEquals(
    [thrown.code, thrown.replyCode, thrown.replyType, thrown.metadata],
    ["gateway_reply", "NO_FUEL", "engine", { litres: 0 }],
  );
});

Deno.test("an answer that does not fit its schema is refused", async () => {
  await using scene = await connected();
  const schema = (value: unknown) => {
    if (typeof value !== "number") throw new TypeError("expected a number");
    return value;
  };
  const calling = scene.client.rpc("jobs", "count", undefined, { schema });
  const { id, rpc_request } = await scene.peer.next("rpc_request");
  assertEquals(["text_data" in rpc_request, "binary_data" in rpc_request], [false, false]);
  scene.peer.send({ id, time: "1", rpc_reply: { text_data: "many" } });
  await assertRejects(() => calling, PayloadInvalidError, "expected a number");
});

Deno.test("a call that takes too long is given up, and a late answer is nobody's", async () => {
  await using scene = await connected();
  const calling = scene.client.rpc("jobs", "slow", undefined, { timeoutMs: 20 });
  const { id } = await scene.peer.next("rpc_request");
  await assertRejects(() => calling, GatewayTimeoutError, "slow on jobs within 20 ms");
  scene.peer.send({ id, time: "1", rpc_reply: {} });
  const error = { code: "RPC_TIMEOUT", type: "timeout", message: "late" };
  const told = once(scene.client, "error");
  scene.peer.send({ id, time: "1", error });
  assertEquals((await told as GatewayReplyError).replyCode, "RPC_TIMEOUT");
  assertEquals(scene.client.pending, 0);
});

Deno.test("a signal gives a call up", async () => {
  await using scene = await connected();
  const giving = new AbortController();
  const calling = scene.client.rpc("jobs", "slow", undefined, { signal: giving.signal });
  await scene.peer.next("rpc_request");
  giving.abort(new Error("changed my mind"));
  await assertRejects(() => calling, Error, "changed my mind");
  await assertRejects(
    () => scene.client.rpc("jobs", "slow", undefined, { signal: giving.signal }),
    Error,
    "changed my mind",
  );
  assertEquals([scene.client.pending, scene.peer.unread], [0, 0]);
});

Deno.test("while there is no connection requests wait, and go out in order", async () => {
  await using scene = await connected();
  const disconnected = once(scene.client, "disconnected");
  scene.peer.close();
  await disconnected;
  const numbers = scene.client.channel("numbers");
  const waiting = [1, 2, 3].map((n) => numbers.publish(n));
  const late = scene.client.rpc("jobs", "slow", undefined, { timeoutMs: 1 });
  await assertRejects(() => late, GatewayTimeoutError);
  assertEquals(scene.client.pending, 3);
  const peer = await scene.gateway.next();
  await peer.welcome();
  for (const n of [1, 2, 3]) {
    const { id, publish } = await peer.next("publish");
    assertEquals(publish.text_data, String(n));
    peer.send({ id, time: "1", publish_ack: { offset: String(n) } });
  }
  assertEquals((await Promise.all(waiting)).map(({ offset }) => offset), [1, 2, 3]);
});

Deno.test("only so much may wait", async () => {
  await using scene = await connected({ maxPending: 2, maxPendingBytes: 5_000 });
  const numbers = scene.client.channel("numbers");
  const first = numbers.publish(1);
  const second = numbers.publish(2);
  await assertRejects(() => numbers.publish(3), GatewayQueueFullError, "2 requests");
  for (const _ of [first, second]) {
    const { id } = await scene.peer.next("publish");
    scene.peer.send({ id, time: "1", publish_ack: {} });
  }
  await Promise.all([first, second]);
  // One alone may be long.
  const long = numbers.publish("x".repeat(6_000));
  await assertRejects(() => numbers.publish(4), GatewayQueueFullError, "5000 bytes");
  const { id } = await scene.peer.next("publish");
  scene.peer.send({ id, time: "1", publish_ack: {} });
  await long;
  const last = numbers.publish(5);
  const { id: lastId } = await scene.peer.next("publish");
  scene.peer.send({ id: lastId, time: "1", publish_ack: {} });
  await last;
});

Deno.test("a client that is told to refuse does not wait for a connection", async () => {
  await using scene = await connected({ offline: "refuse" });
  const disconnected = once(scene.client, "disconnected");
  scene.peer.close();
  await disconnected;
  await assertRejects(() => scene.client.channel("a").publish(1), GatewayNotConnectedError);
  await assertRejects(() => scene.client.rpc("a", "b"), GatewayNotConnectedError);
});

Deno.test("calls under way fail with the connection", async () => {
  await using scene = await connected();
  const calling = scene.client.rpc("jobs", "slow");
  await scene.peer.next("rpc_request");
  scene.peer.close(3512, "slow consumer");
  await assertRejects(() => calling, GatewayConnectionLostError, "3512 slow consumer");
});

Deno.test("surveys are answered by the handler of their channel", async () => {
  await using scene = await connected();
  const { client, peer } = scene;
  const off = client.onSurvey("votes", ({ data, channel, requestId }) => {
    if (data === "fail") throw new Error("no opinion");
    return { data, channel, requestId };
  });
  const ask = (request_id: string, data: string, source = "votes") => {
    const payload = {
      id: request_id,
      source,
      spec_version: "1.0",
      type: "com.messageloop.survey",
      attributes: { datacontenttype: { ce_string: "application/octet-stream" } },
      binary_data: btoa(data),
    };
    peer.send({ id: crypto.randomUUID(), time: "1", survey_request: { request_id, payload } });
  };
  ask("q1", `"yes?"`);
  const { survey_response } = await peer.next("survey_response");
  assertEquals(survey_response.request_id, "q1");
  assertEquals(JSON.parse(survey_response.payload.text_data), {
    data: "yes?",
    channel: "votes",
    requestId: "q1",
  });
  ask("q2", `"fail"`);
  const failed = await peer.next("survey_response");
  assertEquals(failed.survey_response, {
    request_id: "q2",
    error: { code: "SURVEY_FAILED", type: "client_error", message: "no opinion", metadata: {} },
  });
  ask("q3", "1", "other");
  off();
  ask("q4", "1");
  const publishing = client.channel("end").publish(1);
  const { id } = await peer.next("publish");
  peer.send({ id, time: "1", publish_ack: {} });
  await publishing;
});
