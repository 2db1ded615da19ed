import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { ConfigError } from "../../../src/base/mod.ts";
import {
  type GatewayConfig,
  HOOKS,
  loadGatewayConfig,
  resolveGatewayConfig,
} from "../../../src/gateway/config/mod.ts";
import { tempDir } from "../../helpers/temp.ts";

const OPEN = { server: { allowAnonymous: true } };
const backend = { name: "a", endpoint: "http://127.0.0.1:1/rpc", routes: [{}] };

// what it is, configuration, the problems
const WRONG: readonly (readonly [string, unknown, readonly string[]])[] = [
  ["nobody who checks clients", {}, [
    "server.requireAuth: nothing checks who connects: set security.tokens, security.jwt.algorithms, proxy " +
    "with a route for $authenticate, or set server.allowAnonymous to true to admit everybody",
  ]],
  [
    "a token asked for and not asked for",
    { server: { requireAuth: true, allowAnonymous: true } },
    ["server.allowAnonymous: excludes server.requireAuth: give one of them"],
  ],
  [
    "a certificate without its key",
    { ...OPEN, transport: { websocket: { tls: { certFile: "a.crt" } } } },
    ["transport.websocket.tls.keyFile: is required by transport.websocket.tls.certFile"],
  ],
  [
    "a key without its certificate",
    { ...OPEN, transport: { grpc: { tls: { keyFile: "a.key" } } } },
    ["transport.grpc.tls.certFile: is required by transport.grpc.tls.keyFile"],
  ],
  [
    "two servers on one address",
    { ...OPEN, transport: { websocket: { addr: ":7000" }, grpc: { addr: ":7000" } } },
    ['transport.grpc.addr: ":7000" is taken by transport.websocket.addr'],
  ],
  [
    "no way to connect",
    { ...OPEN, transport: { websocket: { enabled: false }, grpc: { enabled: false } } },
    [
      "transport.websocket.enabled: is false, as transport.grpc.enabled is: nobody could connect",
    ],
  ],
  ["an admin API without a token", { ...OPEN, admin: {} }, [
    "admin.authToken: is required, since who reaches the admin API may do everything: set it or " +
    "admin.authTokenFile, or set admin.allowInsecure to true",
  ]],
  [
    "two sources of the admin's token",
    { ...OPEN, admin: { authToken: "a secret", authTokenFile: "file" } },
    ["admin.authTokenFile: excludes admin.authToken: give one of them"],
  ],
  ["a short admin token", { ...OPEN, admin: { authToken: "secret" } }, [
    "admin.authToken: has 6 characters; a secret needs at least 8, and better 32",
  ]],
  ["Redis without its address", { ...OPEN, broker: { type: "redis" } }, [
    "broker.redis.addr: is required by broker.type: redis",
  ]],
  ["a messenger without its configuration", { ...OPEN, broker: { type: "messenger" } }, [
    "broker.messenger.config: is required by broker.type: messenger",
  ]],
  ["a messenger with a wrong configuration", {
    ...OPEN,
    broker: {
      type: "messenger",
      messenger: { instance: { name: "a", storage: { datadir: "b" } } },
    },
  }, [
    "broker.messenger.instance.storage.dataDir: is required: the folder that holds channels, cursors and the audit log",
    "broker.messenger.instance.storage.datadir: unknown key; the nearest known one is storage.dataDir",
  ]],
  ["two backends with one name", { ...OPEN, proxy: [backend, backend] }, [
    'proxy[1].name: "a" is the name of proxy[0].name',
  ]],
  [
    "an HTTP backend without a URL",
    { ...OPEN, proxy: [{ ...backend, endpoint: "127.0.0.1:1", http: {} }] },
    [
      'proxy[0].endpoint: "127.0.0.1:1" is no URL of an HTTP backend, such as "http://127.0.0.1:8000/rpc"',
    ],
  ],
  ["a gRPC backend without a port", { ...OPEN, proxy: [{ ...backend, endpoint: "localhost" }] }, [
    'proxy[0].endpoint: "localhost" is no address of a gRPC backend, such as "127.0.0.1:9000"',
  ]],
  ["a bad route", { ...OPEN, proxy: [{ ...backend, routes: [{ channel: "[invalid" }] }] }, [
    'proxy[0].routes[0].channel: "[invalid" is no pattern: a "[" has no "]"',
  ]],
  ["an unknown hook", { ...OPEN, proxy: [{ ...backend, hooks: ["onConnect"] }] }, [
    'proxy[0].hooks[0]: "onConnect" is no hook; the nearest one is OnConnected',
  ]],
  [
    "a header of the gateway's own",
    { ...OPEN, proxy: [{ ...backend, http: { headers: { "X-Messageloop-Hook": "x" } } }] },
    ["proxy[0].http.headers.X-Messageloop-Hook: is set by the gateway itself"],
  ],
  ["no origin", { ...OPEN, transport: { websocket: { allowedOrigins: ["app.example"] } } }, [
    'transport.websocket.allowedOrigins[0]: "app.example" is no origin: write it as in ' +
    '"https://app.example" or "https://*.app.example:8443"',
  ]],
  ["no path", { ...OPEN, transport: { websocket: { path: "ws" } } }, [
    'transport.websocket.path: "ws" is no path: it begins with "/" and has letters, digits, ".", "_", "~", "-"',
  ]],
  ["a token without anything", { security: { tokens: [{ user: "a" }] } }, [
    "security.tokens[0].token: is required, or sha256 in its place",
  ]],
  ["one token of two users", {
    security: { tokens: [{ token: "12345678", user: "a" }, { token: "12345678", user: "b" }] },
  }, ["security.tokens[1].token: is the same as security.tokens[0].token"]],
  ["a token without its user", { security: { tokens: [{ token: "12345678" }] } }, [
    "security.tokens[0].user: is required: the id of the user that shows it",
  ]],
  ["HS256 without a secret", { security: { jwt: { algorithms: ["HS256"] } } }, [
    "security.jwt.secret: is required by HS256, or secret_file in its place",
  ]],
  [
    "RS256 with a secret",
    { security: { jwt: { algorithms: ["RS256"], secretFile: "x" } } },
    [
      "security.jwt.secretFile: does not fit RS256, which needs public_key_file or jwks_file",
    ],
  ],
  [
    "both kinds of signatures",
    { security: { jwt: { algorithms: ["HS256", "RS256"], jwksFile: "x" } } },
    ["security.jwt.algorithms: mixes HS256 with algorithms of public keys"],
  ],
  ["a short secret", { security: { jwt: { algorithms: ["HS256"], secret: "short" } } }, [
    "security.jwt.secret: has fewer than 32 bytes, which HS256 needs",
  ]],
  ["an algorithm that is none", { security: { jwt: { algorithms: ["none"] } } }, [
    'security.jwt.algorithms[0]: "none" is no algorithm; the nearest one is HS256',
  ]],
  ["keys without algorithms", { ...OPEN, security: { jwt: { jwksFile: "x" } } }, [
    "security.jwt.algorithms: is required by security.jwt.jwksFile",
  ]],
  ["a rule of nothing", { ...OPEN, security: { rules: [{ channels: ["a"] }] } }, [
    "security.rules[0].allow: is empty, so the rule would do nothing",
  ]],
  [
    "a rule with a strange pattern",
    { ...OPEN, security: { rules: [{ channels: ["a.**.b"], allow: ["subscribe"] }] } },
    ['security.rules[0].channels[0]: "a.**.b" has "**" before its end, where it has no meaning'],
  ],
];

for (const [what, config, problems] of WRONG) {
  Deno.test(`${what} is told`, () => {
    const error = assertThrows(() => resolveGatewayConfig(config as GatewayConfig), ConfigError);
    assertEquals(error.problems.map(({ path, message }) => `${path}: ${message}`), problems);
  });
}

Deno.test("which protocol a backend speaks follows from its sections and its endpoint", () => {
  const kinds: readonly (readonly [unknown, string])[] = [
    [{ endpoint: "http://a:1" }, "http"],
    [{ endpoint: "HTTPS://a:1" }, "http"],
    [{ endpoint: "a:1" }, "grpc"],
    [{ endpoint: "grpc://a:1" }, "grpc"],
    [{ endpoint: "a:1", grpc: {} }, "grpc"],
    [{ endpoint: "http://a:1", http: {} }, "http"],
    [{ endpoint: "a:1", grpc: {}, http: {} }, "grpc"],
  ];
  const { proxy } = resolveGatewayConfig(
    {
      ...OPEN,
      proxy: kinds.map(([given], index) => ({
        name: `b${index}`,
        routes: [{}],
        ...given as object,
      })),
    } as GatewayConfig,
  );
  assertEquals(proxy.map(({ kind }) => kind), kinds.map(([, kind]) => kind));
  assertEquals(proxy[0]!.hooks, HOOKS);
  assertEquals(proxy[0]!.routes, [{ channel: "*", method: "*" }]);
});

Deno.test("clients without a token are admitted once the configuration says it in any way", () => {
  const tokens = [{ token: "12345678", user: "a" }];
  const admitting: readonly GatewayConfig[] = [
    { server: { allowAnonymous: true } },
    { server: { requireAuth: false } },
    { security: { tokens } },
    { proxy: [backend] },
  ];
  for (const config of admitting) resolveGatewayConfig(config);
});

Deno.test("a section for the admin API is the wish to have one", () => {
  const enabled = (config: GatewayConfig): boolean =>
    resolveGatewayConfig({ ...OPEN, ...config }).admin.enabled;
  assertEquals(enabled({}), false);
  assertEquals(enabled({ admin: { authToken: "12345678" } }), true);
  assertEquals(enabled({ admin: { enabled: false } }), false);
});

Deno.test("a YAML file is read with all its problems at once, each with its path", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/config.yaml`;
  await Deno.writeTextFile(
    path,
    "server:\n  allow_anonymus: true\n  rpc_timeout: fast\ntransport:\n  websocket:\n" +
      "    adr: ':1'\nbroker:\n  type: memroy\n",
  );
  const error = await assertRejects(() => loadGatewayConfig(path), ConfigError);
  assertEquals(error.problems.map(({ path }) => path), [
    "server.rpc_timeout",
    "server.allow_anonymus",
    "transport.websocket.adr",
    "broker.type",
    "server.require_auth",
  ]);
});

Deno.test("a YAML file of messageloop's form is read, with its defaults", async () => {
  await using dir = await tempDir();
  const path = `${dir.path}/config.yaml`;
  await Deno.writeTextFile(
    path,
    `server:
  http: {addr: ":8080"}
  heartbeat: {idle_timeout: 1m30s}
  rpc_timeout: "30s"
  require_auth: false
transport:
  websocket: {addr: ":9080", path: /ws}
  grpc: {addr: ":9090"}
broker:
  type: redis
  redis: {addr: "localhost:6379", password: 007, db: 0, dial_timeout: 5s, history_ttl: 24h}
proxy:
  - name: user-service
    endpoint: http://localhost:8001/rpc
    timeout: 300ms
    http:
      headers: {Authorization: Bearer abc, X-Level: 1.0}
    routes:
      - {channel: "user.*", method: "*"}
  - name: chat-service
    endpoint: localhost:50051
    grpc: {insecure: true}
    routes:
      - {channel: "chat.*", method: "send*"}
`,
  );
  const config = await loadGatewayConfig(path);
  assertEquals(config.server.heartbeat.idleTimeoutMs, 90_000);
  assertEquals(config.broker.redis.password, "007");
  assertEquals(config.broker.redis.historyTtlMs, 86_400_000);
  const [user, chat] = config.proxy;
  assertEquals(user!.timeoutMs, 300);
  assertEquals({ ...user!.http.headers }, { Authorization: ["Bearer abc"], "X-Level": ["1.0"] });
  assertEquals([chat!.kind, chat!.grpc.insecure, chat!.timeoutMs], ["grpc", true, 30_000]);
  assertEquals(config.transport.websocket.tls, { certFile: "", keyFile: "" });
});
