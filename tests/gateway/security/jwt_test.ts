import { assert, assertEquals, assertRejects } from "@std/assert";
import {
  base64url,
  type CryptoKey,
  exportJWK,
  exportSPKI,
  generateKeyPair,
  type JWTPayload,
  SignJWT,
} from "jose";
import { ConfigError } from "../../../src/base/mod.ts";
import { type GatewayConfig, resolveGatewayConfig } from "../../../src/gateway/config/mod.ts";
import { JwtVerifier } from "../../../src/gateway/security/mod.ts";
import { FakeClock } from "../../helpers/fake_clock.ts";
import { tempDir } from "../../helpers/temp.ts";

const SECRET = "a secret of more than thirty-two bytes";
const clock = new FakeClock(Date.UTC(2026, 5, 1));
const now = clock.now() / 1000;

type JwtInput = NonNullable<NonNullable<GatewayConfig["security"]>["jwt"]>;

async function verifier(jwt: JwtInput): Promise<JwtVerifier> {
  const config = resolveGatewayConfig({ security: { jwt } });
  return await JwtVerifier.open(config.security.jwt, { clock });
}

function sign(payload: JWTPayload, secret = SECRET, alg = "HS256"): Promise<string> {
  return new SignJWT(payload).setProtectedHeader({ alg })
    .sign(new TextEncoder().encode(secret));
}

const HS256 = { algorithms: ["HS256"], secret: SECRET } as const;
const GOOD = { sub: "alice", exp: now + 60 };

// what, configuration, payload, user id when it is accepted
const CASES: readonly (readonly [string, JwtInput, JWTPayload, string | undefined])[] = [
  ["a good token", HS256, GOOD, "alice"],
  ["a token that has expired", HS256, { sub: "a", exp: now - 31 }, undefined],
  ["a token that expired within the leeway", HS256, { sub: "a", exp: now - 29 }, "a"],
  ["a token that expired with no leeway", { ...HS256, leeway: 0 }, {
    sub: "a",
    exp: now - 1,
  }, undefined],
  ["a token of later", HS256, { ...GOOD, nbf: now + 31 }, undefined],
  ["a token without an expiry", HS256, { sub: "a" }, undefined],
  ["a token without an expiry where that is allowed", { ...HS256, allowNoExpiry: true }, {
    sub: "a",
  }, "a"],
  ["a token without a user", HS256, { exp: now + 60 }, undefined],
  ["a token with an empty user", HS256, { ...GOOD, sub: "" }, undefined],
  ["a token with too long a user", HS256, { ...GOOD, sub: "u".repeat(256) }, undefined],
  ["a token with another claim for the user", { ...HS256, userClaim: "uid" }, {
    ...GOOD,
    uid: 7,
  }, "7"],
  ["a token of another issuer", { ...HS256, issuer: "me" }, { ...GOOD, iss: "you" }, undefined],
  ["a token of the issuer", { ...HS256, issuer: "me" }, { ...GOOD, iss: "me" }, "alice"],
  ["a token for another audience", { ...HS256, audience: "me" }, {
    ...GOOD,
    aud: "you",
  }, undefined],
  ["a token for this audience among others", { ...HS256, audience: "me" }, {
    ...GOOD,
    aud: ["you", "me"],
  }, "alice"],
  ["a token without the audience", { ...HS256, audience: "me" }, GOOD, undefined],
];

for (const [what, config, payload, id] of CASES) {
  Deno.test(`${what} is ${id === undefined ? "refused" : "accepted"}`, async () => {
    const verified = await (await verifier(config)).verify(await sign(payload));
    assertEquals(verified?.id, id);
  });
}

Deno.test("the claims of a token are kept, and until when it counts", async () => {
  const user = await (await verifier(HS256)).verify(await sign({ ...GOOD, role: ["admin"] }));
  assertEquals(user?.claims.role, ["admin"]);
  assertEquals(user?.expiresAtMs, (now + 60 + 30) * 1000);
});

Deno.test("a token with another signature, another algorithm or none is refused", async () => {
  const jwt = await verifier(HS256);
  assertEquals(
    await jwt.verify(await sign(GOOD, "some other secret of thirty-two bytes")),
    undefined,
  );
  assertEquals(await jwt.verify(await sign(GOOD, SECRET.repeat(2), "HS512")), undefined);
  const part = (value: unknown): string =>
    base64url.encode(new TextEncoder().encode(JSON.stringify(value)));
  const none = `${part({ alg: "none" })}.${part(GOOD)}.`;
  assert(JwtVerifier.looksLikeOne(none));
  assertEquals(await jwt.verify(none), undefined);
  for (const token of ["a.b.c", "..", `${"a".repeat(10_000)}.b.c`]) {
    assertEquals(await jwt.verify(token), undefined);
  }
});

for (const algorithm of ["RS256", "EdDSA"] as const) {
  Deno.test(`${algorithm} is checked with the public key of a PEM file`, async () => {
    await using dir = await tempDir();
    const [own, other] = await Promise.all([
      generateKeyPair(algorithm),
      generateKeyPair(algorithm),
    ]);
    const publicKeyFile = `${dir.path}/public.pem`;
    await Deno.writeTextFile(publicKeyFile, await exportSPKI(own.publicKey));
    const jwt = await verifier({ algorithms: ["RS256", "EdDSA"], publicKeyFile });
    const signed = (key: CryptoKey) =>
      new SignJWT(GOOD).setProtectedHeader({ alg: algorithm }).sign(key);
    assertEquals((await jwt.verify(await signed(own.privateKey)))?.id, "alice");
    assertEquals(await jwt.verify(await signed(other.privateKey)), undefined);
    // The public key as the secret of HS256: the oldest trick.
    const pem = await Deno.readTextFile(publicKeyFile);
    assertEquals(await jwt.verify(await sign(GOOD, pem)), undefined);
  });
}

Deno.test("a key set is read again once it changed, and kept when it is damaged", async () => {
  const first = await generateKeyPair("EdDSA", { extractable: true });
  const second = await generateKeyPair("EdDSA", { extractable: true });
  let text = JSON.stringify({ keys: [{ ...await exportJWK(first.publicKey), kid: "1" }] });
  let changedAtMs = 1;
  const config = resolveGatewayConfig({
    security: { jwt: { algorithms: ["EdDSA"], jwksFile: "keys.json" } },
  });
  const ownClock = new FakeClock(clock.now());
  const jwt = await JwtVerifier.open(config.security.jwt, {
    clock: ownClock,
    readText: () => Promise.resolve(text),
    changedAtMs: () => Promise.resolve(changedAtMs),
  });
  const token = (key: CryptoKey, kid?: string) =>
    new SignJWT(GOOD).setProtectedHeader(kid ? { alg: "EdDSA", kid } : { alg: "EdDSA" }).sign(key);
  const [one, two] = [await token(first.privateKey, "1"), await token(second.privateKey, "2")];
  assertEquals((await jwt.verify(one))?.id, "alice");
  assertEquals(await jwt.verify(two), undefined);

  text = JSON.stringify({
    keys: [
      { ...await exportJWK(first.publicKey), kid: "1" },
      { ...await exportJWK(second.publicKey), kid: "2" },
    ],
  });
  changedAtMs = 2;
  await ownClock.advance(2000);
  assertEquals((await jwt.verify(two))?.id, "alice");
  assertEquals((await jwt.verify(await token(second.privateKey)))?.id, "alice", "without a key id");

  text = "damaged";
  changedAtMs = 3;
  await ownClock.advance(2000);
  assertEquals((await jwt.verify(two))?.id, "alice");
});

Deno.test("keys that cannot be used are told when the gateway opens", async () => {
  await using dir = await tempDir();
  const file = `${dir.path}/key`;
  const wrong: readonly (readonly [JwtInput, string])[] = [
    [{ algorithms: ["RS256"], publicKeyFile: file }, "security.jwt.public_key_file"],
    [{ algorithms: ["HS256"], secretFile: file }, "security.jwt.secret_file"],
    [{ algorithms: ["EdDSA"], jwksFile: file }, "security.jwt.jwks_file"],
  ];
  for (const content of [undefined, "short", '{"keys":[{"kty":"oct","k":"AA"}]}']) {
    if (content !== undefined) await Deno.writeTextFile(file, content);
    for (const [config, path] of wrong) {
      if (config.secretFile && content?.startsWith("{")) continue;
      const error = await assertRejects(() => verifier(config), ConfigError);
      assertEquals(error.problems.map((problem) => problem.path), [path]);
    }
  }
});
