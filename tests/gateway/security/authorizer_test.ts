import { assertEquals } from "@std/assert";
import { SignJWT } from "jose";
import { silentLogger, systemClock } from "../../../src/base/mod.ts";
import { type GatewayConfig, resolveGatewayConfig } from "../../../src/gateway/config/mod.ts";
import { openConfiguredAuthorizer } from "../../../src/gateway/security/mod.ts";
import {
  type AuthenticateOutcome,
  type AuthenticateRequest,
  type Backend,
  type Backends,
  noBackends,
} from "../../../src/gateway/session/ports.ts";

const SECRET = "a secret of more than thirty-two bytes";
const TOKEN = "a token of alice's";
const tokens = [{ token: TOKEN, user: "alice", claims: { role: "admin" } }];

/** Backends of which one answers logins. */
function answering(
  answer: (request: AuthenticateRequest) => AuthenticateOutcome,
): { backends: Backends; asked: AuthenticateRequest[] } {
  const asked: AuthenticateRequest[] = [];
  const backend = {
    name: "auth",
    authenticate(request: AuthenticateRequest) {
      asked.push(request);
      // A backend answers later, and what it throws is a rejection.
      return Promise.resolve(request).then(answer);
    },
  } as unknown as Backend;
  const find: Backends["find"] = (channel, method, hook) =>
    channel === "" && method === "$authenticate" && hook === "Authenticate" ? backend : undefined;
  return { backends: { configured: true, find }, asked };
}

const bob = (): AuthenticateOutcome => ({
  user: { id: "bob", username: "Bob", token: "", clientType: "web", clientId: "c" },
});
const refuse = (): AuthenticateOutcome => ({
  error: { code: "BANNED", type: "my_type", message: "go away" },
});
const fail = (): AuthenticateOutcome => {
  throw new Error("no answer");
};

async function login(
  config: GatewayConfig,
  token: string,
  backends = noBackends,
): Promise<string> {
  const authorizer = await openConfiguredAuthorizer(resolveGatewayConfig(config), {
    clock: systemClock,
    logger: silentLogger,
    backends,
  });
  const result = await authorizer.authenticate({
    sessionId: "s",
    clientId: "client",
    clientType: "sdk",
    token,
    version: "1.0.0",
    metadata: {},
    transport: "websocket",
    remoteAddress: "127.0.0.1",
  }, new AbortController().signal);
  if (result.ok) return `user ${JSON.stringify(result.user.id)}`;
  const { error, disconnect } = result;
  return `${error.code}/${error.type} ${disconnect.code} ${disconnect.reason}`;
}

const REQUIRED = "AUTH_REQUIRED/auth_error 3500 invalid token";
const WRONG = "AUTH_ERROR/auth_error 3500 invalid token";
const ANYBODY = 'user ""';
const list: GatewayConfig = { security: { tokens } };
const listAndOpen: GatewayConfig = { ...list, server: { allowAnonymous: true } };
const jwt: GatewayConfig = { security: { jwt: { algorithms: ["HS256"], secret: SECRET } } };
const needed: GatewayConfig = { server: { requireAuth: true } };
const notNeeded: GatewayConfig = { server: { requireAuth: false } };
const open: GatewayConfig = { server: { allowAnonymous: true } };

const signed = await new SignJWT({ sub: "carol" }).setProtectedHeader({ alg: "HS256" })
  .setExpirationTime("1h").sign(new TextEncoder().encode(SECRET));

// what, configuration, token, what the backend says, outcome
const CASES: readonly (readonly [
  string,
  GatewayConfig,
  string,
  (() => AuthenticateOutcome) | undefined,
  string,
])[] = [
  ["no token where nothing checks and none is needed", notNeeded, "", undefined, ANYBODY],
  ["any token where nothing checks and none is needed", notNeeded, "x", undefined, ANYBODY],
  ["no token where nothing checks and one is needed", needed, "", undefined, REQUIRED],
  ["any token where nothing checks and one is needed", needed, "x", undefined, REQUIRED],
  ["no token where everybody is admitted", open, "", undefined, ANYBODY],
  ["a token of the list", list, TOKEN, undefined, 'user "alice"'],
  ["a token that is not of the list", list, `${TOKEN}!`, undefined, WRONG],
  ["no token where there is a list", list, "", undefined, REQUIRED],
  ["no token where there is a list and everybody is admitted", listAndOpen, "", undefined, ANYBODY],
  ["a wrong token where everybody is admitted", listAndOpen, "x", undefined, WRONG],
  ["a signed token", jwt, signed, undefined, 'user "carol"'],
  ["a signed token that was changed", jwt, `${signed.slice(0, -2)}xx`, undefined, WRONG],
  ["no token where signed ones are checked", jwt, "", undefined, REQUIRED],
  ["a token that the backend takes", needed, "x", bob, 'user "bob"'],
  ["a token that the backend refuses", needed, "x", refuse, "BANNED/my_type 3500 invalid token"],
  ["a token when the backend fails", needed, "x", fail, WRONG],
  ["no token where a backend checks", needed, "", bob, REQUIRED],
  ["no token where a backend checks and none is needed", notNeeded, "", bob, REQUIRED],
  ["no token where a backend checks and everybody is admitted", open, "", bob, ANYBODY],
  ["a token of the list, not shown to the backend", list, TOKEN, fail, 'user "alice"'],
  ["a token that only the backend knows", list, "x", bob, 'user "bob"'],
];

for (const [what, config, token, answer, outcome] of CASES) {
  Deno.test(`${what}: ${outcome}`, async () => {
    const backends = answer === undefined ? noBackends : answering(answer).backends;
    assertEquals(await login(config, token, backends), outcome);
  });
}

Deno.test("the backend is asked with the client's id as the name and the token as the password", async () => {
  const { backends, asked } = answering(bob);
  await login(needed, "x", backends);
  assertEquals(asked, [
    { username: "client", password: "x", clientType: "sdk", clientId: "client" },
  ]);
});

Deno.test("a token may be listed by its hash", async () => {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(TOKEN));
  const sha256 = new Uint8Array(digest).toHex().toUpperCase();
  const config: GatewayConfig = { security: { tokens: [{ sha256, user: "alice" }] } };
  assertEquals(await login(config, TOKEN), 'user "alice"');
  assertEquals(await login(config, sha256), WRONG);
});
