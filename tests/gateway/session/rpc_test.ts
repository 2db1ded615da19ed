import { assert, assertEquals } from "@std/assert";
import { makeEvent, makeJsonEvent } from "../../../src/gateway/event.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import { tokenIsUser } from "../helpers/authorizers.ts";
import { ScriptedBackends } from "../helpers/backends.ts";
import { dataOf, type Json, TestClient } from "../helpers/client.ts";
import { testGateway } from "../helpers/gateway.ts";

const CALL = { id: "r", channel: "user.profile", method: "get", rpc_request: { text_data: "q" } };

Deno.test("without any backend the call comes back as its own reply", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.connected(gateway.url);
  const { rpc_reply, id } = await client.ask({
    ...CALL,
    rpc_request: { id: "e", source: "s", type: "t", text_data: "echo" },
  });
  assertEquals(id, "r");
  assertEquals(rpc_reply, {
    id: "e",
    source: "s",
    spec_version: "1.0",
    type: "t",
    attributes: { datacontenttype: { ce_string: "text/plain" }, mlreply: { ce_string: "r" } },
    binary_data: btoa("echo"),
  });
});

Deno.test("with backends but no route, the call is NO_PROXY", async () => {
  const backends = new ScriptedBackends({ matches: () => false });
  await using gateway = await testGateway({ backends });
  await using client = await TestClient.connected(gateway.url);
  const { error } = await client.ask(CALL);
  assertEquals([error.code, error.type], ["NO_PROXY", "request_error"]);
});

Deno.test("the backend gets id, channel, method and event, and who calls", async () => {
  const backends = new ScriptedBackends({ hooks: ["RPC"] });
  await using gateway = await testGateway({ backends, authorizer: tokenIsUser() });
  await using client = await TestClient.connected(gateway.url, { client_id: "c", token: "u" });
  await client.ask(CALL);
  await client.ask({ id: "2", rpc_request: { source: "from.source", type: "fromType" } });
  const [first, second] = backends.of("RPC");
  const { id, channel, method, event } = first!.request;
  assertEquals([id, channel, method, new TextDecoder().decode(event.data)], [
    "r",
    "user.profile",
    "get",
    "q",
  ]);
  assertEquals(first!.caller, { sessionId: client.sessionId, clientId: "c", userId: "u" });
  assertEquals([second!.request.channel, second!.request.method], ["from.source", "fromType"]);
  assert(backends.lookups.includes("RPC user.profile get"));
});

const OUTCOMES: readonly (readonly [string, () => Promise<Json>, Json])[] = [
  [
    "a payload is the reply",
    () => Promise.resolve({ event: makeJsonEvent({ a: 1 }, { id: "e", source: "b", type: "t" }) }),
    {
      rpc_reply: {
        id: "e",
        source: "b",
        spec_version: "1.0",
        type: "t",
        attributes: {
          datacontenttype: { ce_string: "application/json" },
          mlreply: { ce_string: "r" },
        },
        binary_data: btoa(`{"a":1}`),
      },
    },
  ],
  [
    "nothing is an empty event with what clients need",
    () => Promise.resolve({}),
    {
      rpc_reply: {
        id: "r",
        source: "user.profile",
        spec_version: "1.0",
        type: "get.reply",
        attributes: {
          datacontenttype: { ce_string: "application/octet-stream" },
          mlreply: { ce_string: "r" },
        },
        binary_data: "",
      },
    },
  ],
  [
    "an error is forwarded unchanged",
    () => Promise.resolve({ error: { code: "E9", type: "odd", message: "m", metadata: { a: 1 } } }),
    { error: { code: "E9", type: "odd", message: "m", metadata: { a: 1 } } },
  ],
  [
    "any other failure is a PROXY_ERROR",
    () => Promise.reject(new Error("it answered 500")),
    {
      error: {
        code: "PROXY_ERROR",
        type: "proxy_error",
        message: "the backend failed: it answered 500",
      },
    },
  ],
];

for (const [name, rpc, expected] of OUTCOMES) {
  Deno.test(`calls: ${name}`, async () => {
    await using gateway = await testGateway({
      backends: new ScriptedBackends({ hooks: ["RPC"], rpc }),
    });
    await using client = await TestClient.connected(gateway.url);
    const { rpc_reply, error } = await client.ask(CALL);
    assertEquals(rpc_reply === undefined ? { error } : { rpc_reply }, expected);
  });
}

Deno.test("an error that no codec can carry is an INTERNAL_ERROR, and the gateway goes on", async () => {
  const error = { code: "E", type: "t", message: "m", metadata: { n: NaN } };
  const backends = new ScriptedBackends({ hooks: ["RPC"], rpc: () => Promise.resolve({ error }) });
  await using gateway = await testGateway({ backends });
  await using client = await TestClient.connected(gateway.url);
  assertEquals((await client.ask(CALL)).error.code, "INTERNAL_ERROR");
  assertEquals(await client.settle(), []);
});

const DEADLINES: readonly (readonly [string, number, number, number])[] = [
  ["the server's when it is the smaller one", 500, 2_000, 500],
  ["the backend's when it is the smaller one", 30_000, 1_000, 1_000],
];

for (const [name, rpcTimeoutMs, timeoutMs, expected] of DEADLINES) {
  Deno.test(`a call ends at its deadline, ${name}`, async () => {
    const clock = new FakeClock();
    const backends = new ScriptedBackends({
      hooks: ["RPC"],
      timeoutMs,
      rpc: (_request, signal) =>
        new Promise((_resolve, reject) =>
          signal.addEventListener("abort", () => reject(new Error("aborted")))
        ),
    });
    await using gateway = await testGateway({ backends, clock, settings: { rpcTimeoutMs } });
    await using client = await TestClient.connected(gateway.url);
    client.send(CALL);
    const [call] = await backends.until("RPC");
    await clock.advance(expected - 1);
    assertEquals(await client.settle(), []);
    assert(!call!.signal.aborted);
    await clock.advance(1);
    const { id, error } = await client.next();
    assertEquals([id, error.code, error.type], ["r", "RPC_TIMEOUT", "timeout"]);
    assert(error.message.includes(`${expected} ms`), error.message);
    assert(call!.signal.aborted);
  });
}

Deno.test("calls run side by side, are answered as they end, and hold up nothing", async () => {
  const answers = new Map<string, (outcome: Json) => void>();
  const backends = new ScriptedBackends({
    hooks: ["RPC"],
    rpc: ({ id }) => new Promise((resolve) => answers.set(id, resolve)),
  });
  await using gateway = await testGateway({ backends });
  await using client = await TestClient.connected(gateway.url);
  for (const id of ["1", "2", "3"]) client.send({ ...CALL, id });
  await backends.until("RPC", 3);
  assertEquals(await client.settle(), []);
  await client.subscribe("a");
  await client.publish("a", "x");
  await client.settle();
  for (const id of ["3", "1", "2"]) {
    answers.get(id)!({ event: makeEvent({ type: "t" }) });
    assertEquals((await client.next()).id, id);
  }
});

Deno.test("the 65th call under way is RATE_LIMITED, and room comes back", async () => {
  const answers: ((outcome: Json) => void)[] = [];
  const backends = new ScriptedBackends({
    hooks: ["RPC"],
    rpc: () => new Promise((resolve) => answers.push(resolve)),
  });
  await using gateway = await testGateway({ backends });
  await using client = await TestClient.connected(gateway.url);
  for (let n = 0; n < 64; n++) client.send({ ...CALL, id: String(n) });
  await backends.until("RPC", 64);
  const { error } = await client.ask({ ...CALL, id: "64" });
  assertEquals([error.code, error.type], ["RATE_LIMITED", "rate_limit"]);
  answers[0]!({});
  assert((await client.next()).rpc_reply);
  client.send({ ...CALL, id: "65" });
  await backends.until("RPC", 65);
});

Deno.test("methods that begin with $ never reach a backend", async () => {
  const backends = new ScriptedBackends({ hooks: ["RPC"] });
  await using gateway = await testGateway({ backends });
  await using client = await TestClient.connected(gateway.url);
  for (const method of ["$authenticate", "$other", "$"]) {
    const { error } = await client.ask({ ...CALL, method });
    assertEquals([error.code, error.type], ["BAD_REQUEST", "request_error"]);
  }
  const byType = await client.ask({ id: "t", channel: "c", rpc_request: { type: "$x" } });
  assertEquals(byType.error.code, "BAD_REQUEST");
  assertEquals(backends.of("RPC"), []);
});

Deno.test("the reply's data is bytes, or text where that is preserved", async () => {
  for (const dataForm of ["binary", "preserve"] as const) {
    await using gateway = await testGateway({ settings: { dataForm } });
    await using client = await TestClient.connected(gateway.url);
    const { rpc_reply } = await client.ask(CALL);
    assertEquals(dataOf({ payload: rpc_reply }), "q");
    assertEquals(rpc_reply.text_data !== undefined, dataForm === "preserve");
  }
});
