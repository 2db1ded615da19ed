import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Buffer } from "node:buffer";
import { credentials } from "@grpc/grpc-js";
import { Messenger } from "../../mod.ts";
import { Gateway, type GatewayConfig, GatewayListenError } from "../../gateway.ts";
import { ConfigError, MessengerError } from "../../src/base/mod.ts";
import { startGrpcBackend, startHttpBackend } from "../helpers/backend.ts";
import { makeCa } from "../helpers/certs.ts";
import { eventually } from "../helpers/eventually.ts";
import { RecordingLogger } from "../helpers/recording_logger.ts";
import { hasRedisServer, RedisServer } from "../helpers/redis_server.ts";
import { tempDir } from "../helpers/temp.ts";
import { dataOf, type Json, TestClient } from "./helpers/client.ts";
import { GrpcTestClient } from "./helpers/grpc_client.ts";

const LOCAL: GatewayConfig = {
  server: { requireAuth: false, http: { addr: "127.0.0.1:0" } },
  transport: { websocket: { addr: "127.0.0.1:0" }, grpc: { addr: "127.0.0.1:0" } },
};
const QUIET = { http: { enabled: false } };

function urlOf(gateway: Gateway, scheme = "ws"): string {
  return `${scheme}://${gateway.addresses.websocket}/ws`;
}

Deno.test("files that cannot be used are told all at once, under the keys that name them", async () => {
  await using dir = await tempDir();
  const missing = `${dir.path}/none`;
  const path = `${dir.path}/gateway.yaml`;
  await Deno.writeTextFile(
    path,
    `transport:
  websocket: {tls: {cert_file: ${missing}, key_file: ${missing}.key}}
admin: {auth_token_file: ${missing}}
security: {jwt: {algorithms: [EdDSA], jwks_file: ${missing}}}
`,
  );
  const error = await assertRejects(() => Gateway.open(path), ConfigError);
  assertEquals(error.problems.map((problem) => problem.path).sort(), [
    "admin.auth_token_file",
    "security.jwt.jwks_file",
    "transport.websocket.tls.cert_file",
  ]);
  assert(error.message.startsWith(`${path} has 3 problems:`), error.message);
});

Deno.test("an address that is taken stops the start, and leaves nothing behind", async () => {
  await using first = await Gateway.open(LOCAL);
  const config: GatewayConfig = {
    ...LOCAL,
    transport: { websocket: { addr: first.addresses.websocket! }, grpc: { addr: "127.0.0.1:0" } },
  };
  const error = await assertRejects(() => Gateway.open(config), GatewayListenError);
  assertEquals(error.address, first.addresses.websocket!);
});

Deno.test("a gateway that was closed listens nowhere, and closing it twice is one closing", async () => {
  const gateway = await Gateway.open(LOCAL);
  await using client = await TestClient.connected(urlOf(gateway));
  await Promise.all([gateway.close(), gateway.close()]);
  assertEquals((await client.ended).code, 3000);
  assertEquals(Object.values(gateway.addresses).join(""), "");
});

Deno.test("WebSockets and gRPC streams go through TLS", async () => {
  const ca = await makeCa();
  const identity = await ca.issue("gateway");
  await using dir = await tempDir();
  const tls = { certFile: `${dir.path}/gateway.crt`, keyFile: `${dir.path}/gateway.key` };
  await Deno.writeTextFile(tls.certFile, identity.cert);
  await Deno.writeTextFile(tls.keyFile, identity.key);
  const other = `${dir.path}/other.key`;
  await Deno.writeTextFile(other, (await ca.issue("other")).key);
  await using gateway = await Gateway.open({
    server: { requireAuth: false, ...QUIET },
    transport: {
      websocket: { addr: "127.0.0.1:0", tls },
      grpc: { addr: "127.0.0.1:0", tls },
    },
  });
  await using client = await TestClient.connected(urlOf(gateway, "wss"), {}, {
    ws: { ca: ca.cert },
  });
  await client.subscribe("room");
  const port = gateway.addresses.grpc!.split(":").at(-1);
  await using stream = new GrpcTestClient(
    `localhost:${port}`,
    credentials.createSsl(Buffer.from(ca.cert)),
  );
  await stream.ask({ id: "1", connect: {} });
  await stream.ask({ id: "2", channel: "room", publish: { type: "t", text_data: "hello" } });
  assertEquals(dataOf((await client.next()).publication.messages[0]), "hello");
  const error = await assertRejects(() =>
    Gateway.open({
      server: { requireAuth: false, ...QUIET },
      transport: { websocket: { tls: { ...tls, keyFile: other } } },
    }), ConfigError);
  assertEquals(error.problems[0]!.path, "transport.websocket.tls.key_file");
  assertStringIncludes(error.message, "does not belong to the certificate");
});

// origin, rules, whether it may connect
const ORIGINS: readonly (readonly [string | undefined, Json, boolean])[] = [
  [undefined, {}, true],
  ["http://HOST", {}, true],
  ["https://app.example", {}, false],
  ["https://app.example", { allowedOrigins: ["https://app.example"] }, true],
  ["https://a.app.example", { allowedOrigins: ["https://*.app.example"] }, true],
  ["https://app.example", { allowedOrigins: ["https://other.example"] }, false],
  ["https://app.example", { allowAllOrigins: true }, true],
  ["null", {}, false],
];

for (const [origin, rules, allowed] of ORIGINS) {
  Deno.test(`a page of ${origin} ${allowed ? "may" : "may not"} connect with ${JSON.stringify(rules)}`, async () => {
    await using gateway = await Gateway.open({
      server: { requireAuth: false, ...QUIET },
      transport: { websocket: { addr: "127.0.0.1:0", ...rules }, grpc: { enabled: false } },
    });
    const from = origin?.replace("HOST", gateway.addresses.websocket!);
    const opening = TestClient.connected(urlOf(gateway), {}, {
      ws: from === undefined ? {} : { origin: from },
    });
    if (allowed) return await (await opening)[Symbol.asyncDispose]();
    const error = await assertRejects(() => opening);
    assertStringIncludes(String(error), "403");
  });
}

Deno.test("tokens and rules of the configuration hold on both transports", async () => {
  await using gateway = await Gateway.open({
    ...LOCAL,
    server: { ...QUIET, aclFailure: "error" },
    security: {
      tokens: [
        { token: "alice's token", user: "alice", claims: { role: "editor" } },
        { token: "bob's token", user: "bob" },
      ],
      rules: [
        { channels: ["news.*"], allow: ["subscribe"] },
        {
          channels: ["news.*"],
          allow: ["publish", "history", "presence"],
          claims: { role: "editor" },
        },
        { channels: ["user.{user}"], allow: ["subscribe", "publish"] },
      ],
    },
  });
  const outcomes = async (ask: (frame: Json) => Promise<Json>, user: string): Promise<string[]> => {
    const frames: Json[] = [
      { id: "1", subscribe: { subscriptions: [{ channel: "news.a" }] } },
      { id: "2", subscribe: { subscriptions: [{ channel: "news.*" }] } },
      { id: "3", subscribe: { subscriptions: [{ channel: "**" }] } },
      { id: "4", subscribe: { subscriptions: [{ channel: "news.a/__presence" }] } },
      { id: "5", channel: "news.a", publish: { type: "t", text_data: "x" } },
      { id: "6", channel: "other", publish: { type: "t", text_data: "x" } },
      { id: "7", channel: "news.a", method: "$history", rpc_request: { type: "t" } },
      { id: "8", channel: "news.a", method: "$presence", rpc_request: { type: "t" } },
      { id: "9", subscribe: { subscriptions: [{ channel: `user.${user}` }] } },
      { id: "10", subscribe: { subscriptions: [{ channel: "user.mallory" }] } },
    ];
    const seen: string[] = [];
    for (const frame of frames) {
      const { error } = await ask(frame);
      seen.push(error === undefined ? "ok" : error.code);
    }
    return seen;
  };
  const denied = "PERMISSION_DENIED";
  const alice = ["ok", "ok", denied, "ok", "ok", denied, "ok", "ok", "ok", denied];
  const bob = ["ok", "ok", denied, denied, denied, denied, denied, denied, "ok", denied];
  for (const [user, expected] of [["alice", alice], ["bob", bob]] as const) {
    const connect = { client_id: user, token: `${user}'s token` };
    await using socket = await TestClient.connected(urlOf(gateway), connect);
    assertEquals(await outcomes((frame) => socket.ask(frame), user), expected, user);
    await using stream = await GrpcTestClient.connected(gateway.addresses.grpc!, connect);
    assertEquals(await outcomes((frame) => stream.ask(frame), user), expected, user);
  }
  await using nobody = await TestClient.open(urlOf(gateway));
  nobody.send({ id: "1", connect: {} });
  assertEquals((await nobody.next()).error.code, "AUTH_REQUIRED");
  assertEquals((await nobody.ended).code, 3500);
});

Deno.test("a gateway on every interface is reached by IPv4, and knows the address as it is", async () => {
  await using gateway = await Gateway.open({
    server: { requireAuth: false, ...QUIET },
    transport: { websocket: { addr: ":0" }, grpc: { addr: ":0" } },
    limits: { address: { connections: 2 } },
  });
  const ports = [gateway.addresses.websocket!, gateway.addresses.grpc!].map((address) => {
    assert(/^(?:\[::\]|0\.0\.0\.0):\d+$/.test(address), address);
    return address.split(":").at(-1);
  });
  await using client = await TestClient.connected(`ws://127.0.0.1:${ports[0]}/ws`);
  await using stream = await GrpcTestClient.connected(`127.0.0.1:${ports[1]}`);
  // Both count for one address.
  await using third = new GrpcTestClient(`127.0.0.1:${ports[1]}`);
  third.send({ id: "1", connect: {} });
  assertEquals((await third.next()).error.metadata, { disconnect_code: 3504 });
  await client.settle();
  assertEquals((await stream.ask({ id: "2", ping: {} })).pong, {});
});

Deno.test(
  "two gateways that share a Redis server are one",
  { ignore: !hasRedisServer },
  async () => {
    await using redis = await RedisServer.start({ password: "a secret" });
    const config: GatewayConfig = {
      ...LOCAL,
      broker: { type: "redis", redis: { addr: `127.0.0.1:${redis.port}`, password: "a secret" } },
    };
    await using one = await Gateway.open(config);
    await using two = await Gateway.open(config);
    await using client = await TestClient.connected(urlOf(one));
    await client.subscribe("room");
    await using other = await GrpcTestClient.connected(two.addresses.grpc!);
    await other.ask({ id: "p", channel: "room", publish: { type: "t", text_data: "hello" } });
    assertEquals(dataOf((await client.next()).publication.messages[0]), "hello");
    const health = async () => {
      const response = await fetch(`http://${one.addresses.http}/health`);
      return [response.status, (await response.json()).broker];
    };
    assertEquals(await health(), [200, { type: "redis", ready: true }]);
    await redis.stop();
    await eventually("health to tell of it", async () => (await health())[0] === 503);
    assertEquals(await health(), [503, { type: "redis", ready: false }]);
  },
);

Deno.test("a Redis server that is not there stops the start", async () => {
  const config: GatewayConfig = {
    ...LOCAL,
    broker: { type: "redis", redis: { addr: "127.0.0.1:1" } },
  };
  const error = await assertRejects(() => Gateway.open(config), MessengerError);
  assertEquals(error.code, "broker_unavailable");
});

Deno.test("what may not be meant is said once, when the gateway starts", async () => {
  const logger = new RecordingLogger();
  await using _gateway = await Gateway.open({
    ...LOCAL,
    transport: {
      websocket: { addr: "127.0.0.1:0", allowAllOrigins: true },
      grpc: { addr: "127.0.0.1:0" },
    },
    admin: { addr: "0.0.0.0:0", allowInsecure: true },
  }, { logger });
  const warnings = logger.lines.filter(({ level }) => level === "warn").map(({ message }) =>
    message
  );
  assertEquals(warnings, [
    "clients without a token may do everything: there are no security.rules",
    "pages of any origin may connect",
    "who reaches the admin API may do everything",
  ]);
});

for (const given of ["file", "inline", "program"] as const) {
  Deno.test(`the channels of a messenger from the ${given} are the gateway's`, async () => {
    await using dir = await tempDir();
    const instance = { name: "pi", storage: { dataDir: `${dir.path}/data` } };
    const file = `${dir.path}/messenger.yaml`;
    await Deno.writeTextFile(file, `name: pi\nstorage: {data_dir: ${dir.path}/data}\n`);
    await using messenger = given === "program" ? await Messenger.open(instance) : undefined;
    const broker: GatewayConfig["broker"] = {
      type: "messenger",
      messenger: given === "file" ? { config: file } : given === "inline" ? { instance } : {},
    };
    const open = () => Gateway.open({ ...LOCAL, broker }, messenger ? { messenger } : {});
    {
      await using gateway = await open();
      await using client = await TestClient.connected(urlOf(gateway));
      await client.subscribe("room");
      await client.publish("room", "hello");
    }
    // The instance was closed with the gateway unless the program brought it, and kept what was published.
    await using gateway = await open();
    await using client = await TestClient.connected(urlOf(gateway));
    await client.subscribe("room");
    const reply = await client.ask({
      id: "h",
      channel: "room",
      method: "$history",
      rpc_request: { type: "t" },
    });
    const history = JSON.parse(dataOf({ payload: reply.rpc_reply }));
    assertEquals(history.publications.length, 1);
  });
}

for (const kind of ["http", "grpc"] as const) {
  // what the backend answers, what the client gets
  const outcomes: readonly (readonly [string, Json, (answer: Json) => unknown, unknown])[] = [
    [
      "a payload",
      { payload: { id: "p", source: "b", type: "t", text_data: "yes" } },
      ({ rpc_reply }) => [rpc_reply.id, rpc_reply.type, dataOf({ payload: rpc_reply })],
      ["p", "t", "yes"],
    ],
    [
      "nothing",
      {},
      ({ rpc_reply }) =>
        [rpc_reply.id, rpc_reply.source, rpc_reply.type, rpc_reply.spec_version].every(Boolean),
      true,
    ],
    [
      "an error",
      { error: { code: "E", type: "mine", message: "no", metadata: { a: 1 } } },
      ({ error }) => error,
      { code: "E", type: "mine", message: "no", metadata: { a: 1 } },
    ],
    [
      "a refusal",
      { httpStatus: 500, grpcStatus: 13 },
      ({ error }) => `${error.code}/${error.type}`,
      "PROXY_ERROR/proxy_error",
    ],
    [
      "too late",
      "late",
      ({ error }) => `${error.code}/${error.type}`,
      "RPC_TIMEOUT/timeout",
    ],
  ];
  for (const [what, answer, read, expected] of outcomes) {
    Deno.test(`a client whose call the ${kind} backend answers with ${what} gets it, and pings meanwhile`, async () => {
      const start = kind === "http" ? startHttpBackend : startGrpcBackend;
      const called = Promise.withResolvers<void>();
      const goOn = Promise.withResolvers<void>();
      await using backend = await start(async ({ signal }) => {
        called.resolve();
        if (answer === "late") {
          await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
          return {};
        }
        await goOn.promise;
        return answer;
      });
      await using gateway = await Gateway.open({
        ...LOCAL,
        server: { ...LOCAL.server, rpcTimeout: answer === "late" ? "100ms" : "30s" },
        proxy: [{
          name: "b",
          endpoint: backend.endpoint,
          hooks: ["RPC"],
          routes: [{ channel: "user.*" }],
          ...(kind === "grpc" ? { grpc: { insecure: true } } : {}),
        }],
      });
      await using client = await TestClient.connected(urlOf(gateway));
      const call = { id: "r", channel: "user.a", method: "get", rpc_request: { type: "t" } };
      client.send(call);
      await called.promise;
      client.send({ id: "p", ping: {} });
      if (answer !== "late") {
        assertEquals((await client.next()).id, "p", "the ping does not wait for the call");
        goOn.resolve();
      }
      let reply = await client.next();
      if (reply.id === "p") reply = await client.next();
      assertEquals(reply.id, "r");
      assertEquals(read(reply), expected);
      const unrouted = await client.ask({ ...call, id: "n", channel: "chat" });
      assertEquals([unrouted.error.code, unrouted.error.type], ["NO_PROXY", "request_error"]);
    });
  }

  Deno.test(`the ${kind} backend decides on logins and subscriptions, and hears of everything`, async () => {
    const start = kind === "http" ? startHttpBackend : startGrpcBackend;
    const over = Promise.withResolvers<void>();
    await using backend = await start(({ hook, request }) => {
      if (hook === "OnDisconnected") over.resolve();
      if (hook === "Authenticate") {
        return request["password"] === "good"
          ? { user_info: { id: "alice" } }
          : { error: { code: "BANNED", type: "mine", message: "no" } };
      }
      return hook === "SubscribeAcl" && request["channel"] === "secret"
        ? { httpStatus: 403, grpcStatus: 7 }
        : {};
    });
    await using gateway = await Gateway.open({
      ...LOCAL,
      proxy: [{
        name: "b",
        endpoint: backend.endpoint,
        routes: [{}],
        ...(kind === "grpc" ? { grpc: { insecure: true } } : {}),
      }],
    });
    const refused = await TestClient.open(urlOf(gateway));
    refused.send({ id: "1", connect: { client_id: "c", token: "bad" } });
    assertEquals((await refused.next()).error, { code: "BANNED", type: "mine", message: "no" });
    assertEquals((await refused.ended).code, 3500);
    const nobody = await TestClient.open(urlOf(gateway));
    nobody.send({ id: "1", connect: { client_id: "c" } });
    assertEquals((await nobody.next()).error.code, "AUTH_REQUIRED");
    assertEquals((await nobody.ended).code, 3500);

    const client = await TestClient.connected(urlOf(gateway), { client_id: "c", token: "good" });
    await client.subscribe("room");
    await client.ask({ id: "u", unsubscribe: { subscriptions: [{ channel: "room" }] } });
    const { error } = await client.ask({
      id: "s",
      subscribe: { subscriptions: [{ channel: "secret" }] },
    });
    assertEquals([error.code, error.type], ["ACL_ERROR", "acl_error"]);
    assertEquals(await client.ended, { code: 3500, reason: "invalid token" });
    await over.promise;
    const heard = backend.calls.slice(1).map(({ hook, request }) =>
      [
        hook,
        request["username"] ?? "",
        request["channel"] ?? "",
      ].join(" ").trim()
    );
    assertEquals(heard.toSorted(), [
      "Authenticate c",
      "OnConnected alice",
      "OnDisconnected alice",
      "OnSubscribed alice room",
      "OnUnsubscribed alice room",
      "SubscribeAcl  room",
      "SubscribeAcl  secret",
    ]);
  });
}
