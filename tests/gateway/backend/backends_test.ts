import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { silentLogger, systemClock } from "../../../src/base/mod.ts";
import { ConfiguredBackends } from "../../../src/gateway/backend/mod.ts";
import {
  type GatewayConfig,
  type HookName,
  type ProxyConfig,
  resolveGatewayConfig,
} from "../../../src/gateway/config/mod.ts";
import { type GatewayEvent, makeEvent, makeJsonEvent, textOf } from "../../../src/gateway/event.ts";
import type { Backend, Caller, RpcOutcome } from "../../../src/gateway/session/ports.ts";
import { RequestError } from "../../../src/gateway/session/wire_error.ts";
import {
  type BackendHandler,
  startGrpcBackend,
  startHttpBackend,
  type TestBackend,
} from "../../helpers/backend.ts";
import { makeCa, type TestCredentials } from "../../helpers/certs.ts";
import { tempDir } from "../../helpers/temp.ts";

const caller: Caller = { sessionId: "s-1", clientId: "client", userId: "alice" };
const never = new AbortController().signal;

interface Kind {
  readonly name: "http" | "grpc";
  start(handler: BackendHandler, tls?: TestCredentials): Promise<TestBackend>;
  /** What the configuration says of a connection without TLS. */
  readonly plain: Partial<ProxyConfig>;
}

const KINDS: readonly Kind[] = [
  { name: "http", start: startHttpBackend, plain: {} },
  { name: "grpc", start: startGrpcBackend, plain: { grpc: { insecure: true } } },
];

function open(
  proxy: readonly ProxyConfig[],
  more: GatewayConfig = {},
): Promise<ConfiguredBackends> {
  const config = resolveGatewayConfig({ server: { requireAuth: false }, ...more, proxy });
  return ConfiguredBackends.open(config, { clock: systemClock, logger: silentLogger });
}

async function backendOf(
  kind: Kind,
  { endpoint }: TestBackend,
  more: Partial<ProxyConfig> = {},
): Promise<{ readonly backend: Backend } & Disposable> {
  const backends = await open([
    { name: "test", endpoint, routes: [{}], ...kind.plain, ...more },
  ]);
  return {
    backend: backends.find("", "any", "RPC")!,
    [Symbol.dispose]: () => backends[Symbol.dispose](),
  };
}

function eventIn(outcome: RpcOutcome): GatewayEvent | undefined {
  return "event" in outcome ? outcome.event : undefined;
}

const request = {
  id: "r1",
  channel: "user.profile",
  method: "get",
  event: makeJsonEvent({ a: 1 }, { id: "e1", source: "user.profile", type: "get" }),
};

async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = await assertRejects(() => call, RequestError);
  assert(!error.wire.message.includes("secret"), error.wire.message);
  return `${error.wire.code}/${error.wire.type}`;
}

for (const kind of KINDS) {
  const test = (name: string, run: () => Promise<void>): void =>
    Deno.test(`${kind.name}: ${name}`, run);

  test("a call reaches the backend whole, and its answer comes back whole", async () => {
    await using server = await kind.start(() => ({
      id: "r1",
      payload: {
        id: "p1",
        source: "backend",
        spec_version: "1.0",
        type: "profile",
        attributes: { datacontenttype: { ce_string: "application/json" } },
        text_data: '{"name":"Alice"}',
      },
    }));
    using opened = await backendOf(kind, server);
    const { backend } = opened;
    const event = eventIn(await backend.rpc(request, caller, never));
    assertEquals([event?.id, event?.source, event?.type], ["p1", "backend", "profile"]);
    assertEquals(event?.contentType, "application/json");
    assertEquals(textOf(event!), '{"name":"Alice"}');
    const [call] = server.calls;
    assertEquals(call!.request, {
      id: "r1",
      channel: "user.profile",
      method: "get",
      payload: {
        id: "e1",
        source: "user.profile",
        spec_version: "1.0",
        type: "get",
        attributes: { datacontenttype: { ce_string: "application/json" } },
        binary_data: btoa('{"a":1}'),
      },
    });
  });

  test("an answer with neither payload nor error is an empty one", async () => {
    await using server = await kind.start(() => ({ id: "r1" }));
    using opened = await backendOf(kind, server);
    const { backend } = opened;
    assertEquals(await backend.rpc(request, caller, never), {});
  });

  test("a backend's error comes back unchanged", async () => {
    const error = { code: "NO_SUCH", type: "mine", message: "no user", metadata: { id: 7 } };
    await using server = await kind.start(() => ({ error }));
    using opened = await backendOf(kind, server);
    const { backend } = opened;
    assertEquals(await backend.rpc(request, caller, never), { error });
    assertEquals(
      await backend.authenticate(
        { username: "u", password: "p", clientType: "t", clientId: "c" },
        caller,
        never,
      ),
      { error },
    );
  });

  test("every hook has its message, its name and the identity beside it", async () => {
    await using server = await kind.start(({ hook }) =>
      hook === "Authenticate" ? { user_info: { id: "alice", username: "Alice" } } : {}
    );
    using opened = await backendOf(kind, server);
    const { backend } = opened;
    const login = await backend.authenticate(
      { username: "client", password: "token", clientType: "sdk", clientId: "client" },
      caller,
      never,
    );
    assertEquals(login, {
      user: { id: "alice", username: "Alice", token: "", clientType: "", clientId: "" },
    });
    const session = { sessionId: "s-1", username: "alice" };
    const channel = { ...session, channel: "chat" };
    await backend.rpc(request, caller, never);
    await backend.subscribeAcl({ channel: "chat", token: "t" }, caller, never);
    await backend.onConnected(session, caller, never);
    await backend.onSubscribed(channel, caller, never);
    await backend.onUnsubscribed(channel, caller, never);
    await backend.onDisconnected(session, caller, never);
    const told = { session_id: "s-1", username: "alice" };
    const expected: readonly (readonly [HookName, unknown])[] = [
      ["Authenticate", {
        username: "client",
        password: "token",
        client_type: "sdk",
        client_id: "client",
      }],
      ["RPC", undefined],
      ["SubscribeAcl", { channel: "chat", token: "t" }],
      ["OnConnected", told],
      ["OnSubscribed", { ...told, channel: "chat" }],
      ["OnUnsubscribed", { ...told, channel: "chat" }],
      ["OnDisconnected", told],
    ];
    for (const [index, [hook, body]] of expected.entries()) {
      const { headers, request } = server.calls[index]!;
      assertEquals(server.calls[index]!.hook, hook);
      assertEquals(headers["x-messageloop-hook"], hook);
      assertEquals(headers["x-messageloop-session-id"], "s-1");
      assertEquals(headers["x-messageloop-client-id"], "client");
      assertEquals(headers["x-messageloop-user-id"], "alice");
      if (body !== undefined) assertEquals(request, body as typeof request);
    }
  });

  test("an identity of strange characters arrives encoded, and as it is otherwise", async () => {
    await using server = await kind.start(() => ({}));
    using opened = await backendOf(kind, server);
    const { backend } = opened;
    const strange = { sessionId: "s", clientId: "a\r\nb: c%\u{1f600}", userId: "x".repeat(255) };
    await backend.rpc(request, strange, never);
    const { headers } = server.calls[0]!;
    assertEquals(headers["x-messageloop-client-id"], "a%0D%0Ab:%20c%25%F0%9F%98%80");
    assertEquals(headers["x-messageloop-user-id"], strange.userId);
  });

  test("a refusal by status is a failure without the backend's words", async () => {
    await using server = await kind.start(() => ({ httpStatus: 403, grpcStatus: 7 }));
    using opened = await backendOf(kind, server);
    const { backend } = opened;
    assertEquals(await codeOf(backend.rpc(request, caller, never)), "PROXY_ERROR/proxy_error");
    const refused = backend.subscribeAcl({ channel: "a", token: "" }, caller, never);
    assertEquals(await codeOf(refused), "PROXY_ERROR/proxy_error");
    const error = await assertRejects(() => backend.rpc(request, caller, never));
    assertStringIncludes(
      (error as RequestError).wire.message,
      kind.name === "http" ? "proxy returned status 403" : "PERMISSION_DENIED",
    );
  });

  test("a backend that is not there is a failure", async () => {
    const server = await kind.start(() => ({}));
    await server[Symbol.asyncDispose]();
    using opened = await backendOf(kind, server);
    const { backend } = opened;
    assertEquals(await codeOf(backend.rpc(request, caller, never)), "PROXY_ERROR/proxy_error");
  });

  test("a call ends at the backend's time limit, and says so in the same words", async () => {
    const gone = Promise.withResolvers<void>();
    await using server = await kind.start(async ({ signal }) => {
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      gone.resolve();
      return {};
    });
    using opened = await backendOf(kind, server, { timeout: "100ms" });
    const { backend } = opened;
    assertEquals(backend.timeoutMs, 100);
    const error = await assertRejects(() => backend.rpc(request, caller, never), RequestError);
    assertEquals(error.wire.code, "RPC_TIMEOUT");
    assertEquals(error.wire.type, "timeout");
    assert(/within \d+ ms/.test(error.wire.message), error.wire.message);
    await gone.promise;
  });

  test("a call that is given up is given up at the backend as well", async () => {
    const arrived = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    await using server = await kind.start(async ({ signal }) => {
      arrived.resolve();
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      gone.resolve();
      return {};
    });
    using opened = await backendOf(kind, server);
    const { backend } = opened;
    const giveUp = new AbortController();
    const call = assertRejects(() => backend.rpc(request, caller, giveUp.signal), RequestError);
    await arrived.promise;
    giveUp.abort();
    await call;
    await gone.promise;
  });

  test("many calls are under way at once", async () => {
    const all = Promise.withResolvers<void>();
    let waiting = 0;
    await using server = await kind.start(async ({ request }) => {
      if (++waiting === 64) all.resolve();
      await all.promise;
      return { id: request["id"]!, payload: { id: request["id"]! } };
    });
    using opened = await backendOf(kind, server);
    const { backend } = opened;
    const answers = await Promise.all(
      Array.from({ length: 64 }, (_, n) => backend.rpc({ ...request, id: `r${n}` }, caller, never)),
    );
    assertEquals(answers.map((answer) => eventIn(answer)?.id), answers.map((_, n) => `r${n}`));
  });

  test("a megabyte goes both ways, and what is beyond 4 MiB is a failure", async () => {
    const size = { bytes: 1_000_000 };
    await using server = await kind.start(({ request }) => ({
      payload: {
        binary_data: size.bytes > 2_000_000
          ? btoa("x".repeat(size.bytes))
          : (request["payload"] as { binary_data: string }).binary_data,
      },
    }));
    using opened = await backendOf(kind, server);
    const { backend } = opened;
    const data = crypto.getRandomValues(new Uint8Array(60_000));
    const large = new Uint8Array(1_020_000);
    for (let at = 0; at < large.length; at += data.length) large.set(data, at);
    const big = { ...request, event: makeEvent({ data: large }) };
    assertEquals(eventIn(await backend.rpc(big, caller, never))?.data, large);
    size.bytes = 5_000_000;
    assertEquals(await codeOf(backend.rpc(request, caller, never)), "PROXY_ERROR/proxy_error");
  });

  test("TLS is checked against the authority, the name or nothing, as it is set", async () => {
    const ca = await makeCa();
    const named = await ca.issue("backend", { sans: ["DNS:backend.example"] });
    await using dir = await tempDir();
    const caFile = `${dir.path}/ca.crt`;
    await Deno.writeTextFile(caFile, ca.cert);
    await using server = await kind.start(() => ({ id: "ok" }), named);
    const endpoint = server.endpoint;
    const rpc = async (tls: Record<string, unknown>): Promise<string> => {
      const backends = await open([
        { name: "test", endpoint, routes: [{}], [kind.name]: { tls }, timeout: "10s" },
      ]);
      try {
        return JSON.stringify(
          await backends.find("", "", "RPC")!.rpc(request, caller, never),
        );
      } catch (error) {
        return (error as RequestError).wire.code;
      } finally {
        backends[Symbol.dispose]();
      }
    };
    assertEquals(await rpc({}), "PROXY_ERROR", "an authority that nobody knows");
    assertEquals(await rpc({ caFile }), "PROXY_ERROR", "another name");
    assertEquals(await rpc({ caFile, serverName: "other.example" }), "PROXY_ERROR");
    assertEquals(await rpc({ caFile, serverName: "backend.example" }), "{}");
    assertEquals(await rpc({ insecureSkipVerify: true }), "{}");
  });
}

Deno.test("http: configured headers go along", async () => {
  await using server = await startHttpBackend(() => ({}));
  using opened = await backendOf(KINDS[0]!, server, {
    http: { headers: { Authorization: "Bearer x", "X-Level": ["1"] } },
  });
  const { backend } = opened;
  await backend.rpc(request, caller, never);
  const { headers } = server.calls[0]!;
  assertEquals(headers["authorization"], "Bearer x");
  assertEquals(headers["x-level"], "1");
  assertEquals(headers["content-type"], "application/json");
});

// status, body, what becomes of a hook, what becomes of an RPC
const ANSWERS: readonly (readonly [number, string, string, string])[] = [
  [200, "", "allowed", "PROXY_ERROR"],
  [204, "", "allowed", "PROXY_ERROR"],
  [201, "{}", "allowed", "empty"],
  [299, "{}", "allowed", "empty"],
  [200, '{"unknown":{"data":{"a":1}}}', "allowed", "empty"],
  [200, '{"payload":{"specVersion":"1.0","textData":"t"},"data":{}}', "allowed", "text t"],
  [200, '{"payload":{"spec_version":"1.0","text_data":"t"}}', "allowed", "text t"],
  [200, '{"payload":null}', "allowed", "empty"],
  [200, "not JSON", "PROXY_ERROR", "PROXY_ERROR"],
  [200, '{"payload":7}', "allowed", "PROXY_ERROR"],
  [200, "[]", "PROXY_ERROR", "PROXY_ERROR"],
  [301, "{}", "PROXY_ERROR", "PROXY_ERROR"],
  [400, "{}", "PROXY_ERROR", "PROXY_ERROR"],
  [500, "{}", "PROXY_ERROR", "PROXY_ERROR"],
];

for (const [status, body, hook, rpc] of ANSWERS) {
  Deno.test(`http: status ${status} with ${JSON.stringify(body)} makes a hook ${hook} and an RPC ${rpc}`, async () => {
    let hits = 0;
    await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, () => {
      hits++;
      return new Response(status === 204 ? null : body, {
        status,
        headers: status === 301 ? { location: "/elsewhere" } : {},
      });
    });
    const endpoint = `http://127.0.0.1:${server.addr.port}/`;
    using backends = await open([{ name: "test", endpoint, routes: [{}] }]);
    const backend = backends.find("", "", "RPC")!;
    const outcome = await backend.subscribeAcl({ channel: "a", token: "" }, caller, never).then(
      () => "allowed",
      (error) => (error as RequestError).wire.code,
    );
    assertEquals(outcome, hook);
    const answer = await backend.rpc(request, caller, never).then(
      (answer) => eventIn(answer) === undefined ? "empty" : `text ${textOf(eventIn(answer)!)}`,
      (error) => (error as RequestError).wire.code,
    );
    assertEquals(answer, rpc);
    assertEquals(hits, 2, "no redirect is followed");
  });
}

Deno.test("the first route that matches wins, in the order of the configuration", async () => {
  using backends = await open([
    { name: "A", endpoint: "http://a:1", routes: [{ channel: "user.*", method: "*" }] },
    { name: "B", endpoint: "http://b:1", routes: [{ channel: "chat.*", method: "send*" }] },
    { name: "C", endpoint: "http://c:1", routes: [{ channel: "*", method: "*" }] },
  ]);
  const cases = [
    ["user.profile", "get", "A"],
    ["chat.messages", "sendMessage", "B"],
    ["chat.messages", "getHistory", "C"],
    ["chat.presence.online", "send", "B"],
    ["", "$authenticate", "C"],
    ["", "disconnect", "C"],
  ] as const;
  for (const [channel, method, name] of cases) {
    assertEquals(backends.find(channel, method, "RPC")?.name, name, `${channel} ${method}`);
  }
});

Deno.test("a backend gets only the hooks that it lists, and the next one gets the others", async () => {
  using backends = await open([
    { name: "A", endpoint: "http://a:1", hooks: ["RPC"], routes: [{}] },
    { name: "B", endpoint: "http://b:1", hooks: ["Authenticate", "OnConnected"], routes: [{}] },
  ]);
  assertEquals(backends.find("c", "m", "RPC")?.name, "A");
  assertEquals(backends.find("", "$authenticate", "Authenticate")?.name, "B");
  assertEquals(backends.find("", "$authenticate", "OnConnected")?.name, "B");
  assertEquals(backends.find("c", "subscribe", "SubscribeAcl"), undefined);
});

Deno.test("closed backends match nothing, and none at all are not configured", async () => {
  const backends = await open([{ name: "A", endpoint: "http://a:1", routes: [{}] }]);
  assertEquals(backends.configured, true);
  backends[Symbol.dispose]();
  assertEquals(backends.find("c", "m", "RPC"), undefined);
  using none = await open([]);
  assertEquals([none.configured, none.find("c", "m", "RPC")], [false, undefined]);
});
