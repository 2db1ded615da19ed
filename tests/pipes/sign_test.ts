import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import {
  InvalidConfigError,
  MissingSignatureError,
  sign,
  type Signer,
  TamperedMessageError,
  UnknownKeyError,
  verify,
  WrongSignerError,
} from "@keyop/messenger/pipes";
import { type Passed, TestHost } from "../helpers/pipe_host.ts";

const PLACE = {
  type: "com.example.Reading",
  channel: "readings",
  headers: { id: "0195f0c0-1d2e-7abc-8def-0123456789ab", origin: "attic" },
};

function keyPair(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey("Ed25519", true, ["sign", "verify"]) as Promise<CryptoKeyPair>;
}

const attic = await keyPair();
const cellar = await keyPair();

function signer(
  keyId = "attic-1",
  privateKey: CryptoKey | Uint8Array = attic.privateKey,
): TestHost {
  return new TestHost([sign({ keyId, privateKey })], PLACE);
}

function verifier(
  signers: Record<string, Signer> = { "attic-1": { publicKey: attic.publicKey } },
): TestHost {
  return new TestHost([verify({ signers })], PLACE);
}

function layer(passed: Passed): { $pipe: string; header: Record<string, string>; body: string } {
  return passed.value as { $pipe: string; header: Record<string, string>; body: string };
}

Deno.test("what is signed arrives as it was, and the signature is off", async () => {
  const wire = await signer().send({ celsius: 21.5 });
  assertEquals(layer(wire).body, '{"celsius":21.5}');
  assertEquals(layer(wire).header.kid, "attic-1");
  assertEquals((await verifier().receive(wire)).value, { celsius: 21.5 });
});

Deno.test("keys may be given as PKCS #8 and as 32 bytes", async () => {
  const privateKey = await crypto.subtle.exportKey("pkcs8", attic.privateKey);
  const publicKey = await crypto.subtle.exportKey("raw", attic.publicKey);
  const wire = await signer("attic-1", new Uint8Array(privateKey)).send(1);
  const end = verifier({ "attic-1": { publicKey: new Uint8Array(publicKey) } });
  assertEquals((await end.receive(wire)).value, 1);
});

Deno.test("no character of a signed message can be changed, nor its place", async () => {
  const wire = await signer().send({ celsius: 21.5 });
  const { header, body } = layer(wire);
  const refused = async (changes: Record<string, unknown>, place = {}) => {
    const value = { ...layer(wire), ...changes };
    const error = await assertRejects(
      () => verifier().receive({ ...wire, ...place, value }),
      TamperedMessageError,
    );
    assertEquals(error.code, "message_tampered");
  };
  for (let n = 0; n < body.length; n++) {
    const changed = String.fromCharCode(body.charCodeAt(n) ^ 1);
    await refused({ body: body.slice(0, n) + changed + body.slice(n + 1) });
  }
  const signature = Uint8Array.fromBase64(header.sig!);
  for (let n = 0; n < signature.length; n++) {
    const changed = signature.slice();
    changed[n]! ^= 1;
    await refused({ header: { ...header, sig: changed.toBase64() } });
  }
  for (const sig of ["", "?", "AAAA"]) await refused({ header: { ...header, sig } });
  await refused({ header: { ...header, alg: "none" } });
  await refused({}, { type: "com.example.Order" });
  await refused({}, { channel: "orders" });
  await refused({}, { headers: { ...PLACE.headers, origin: "cellar" } });
  await refused({}, { headers: { ...PLACE.headers, id: "0195f0c0-1d2e-7abc-8def-0123456789ac" } });
});

Deno.test("a message without a signature is refused, and let in where that was allowed", async () => {
  for (const value of [1, null, { $pipe: "sign" }, { $pipe: "sign", header: {}, body: 1 }]) {
    const error = await assertRejects(
      () => verifier().receive({ value }),
      MissingSignatureError,
      'Do not trust "com.example.Reading" on "readings": it is not signed',
    );
    assertEquals(error.code, "missing_signature");
  }
  const lenient = new TestHost([verify({ signers: {}, allowUnsigned: true })], PLACE);
  assertEquals((await lenient.receive({ value: 1 })).value, 1);
  const wire = await signer().send(1);
  await assertRejects(() => lenient.receive(wire), UnknownKeyError);
});

Deno.test("an unknown key, and a key under another's id, are refused", async () => {
  const strange = await signer("cellar-1", cellar.privateKey).send(1);
  const error = await assertRejects(() => verifier().receive(strange), UnknownKeyError);
  assertEquals(error.keyId, "cellar-1");
  const posing = await signer("attic-1", cellar.privateKey).send(1);
  await assertRejects(() => verifier().receive(posing), TamperedMessageError);
});

Deno.test("a signer may sign for the instances that are named, and for no other", async () => {
  const signers = {
    "attic-1": { publicKey: attic.publicKey, origins: ["attic"] },
    "cellar-1": { publicKey: cellar.publicKey, origins: ["cellar"] },
  };
  assertEquals((await verifier(signers).receive(await signer().send(1))).value, 1);
  const posing = await signer("cellar-1", cellar.privateKey).send(1);
  const error = await assertRejects(() => verifier(signers).receive(posing), WrongSignerError);
  assertEquals([error.code, error.keyId, error.origin], ["wrong_signer", "cellar-1", "attic"]);
});

Deno.test("keys rotate: a verifier that knows two takes messages of both", async () => {
  const signers = {
    "attic-1": { publicKey: attic.publicKey },
    "attic-2": { publicKey: cellar.publicKey },
  };
  const end = verifier(signers);
  assertEquals((await end.receive(await signer().send("old"))).value, "old");
  const recent = await signer("attic-2", cellar.privateKey).send("new");
  assertEquals((await end.receive(recent)).value, "new");
});

Deno.test("each end passes on what goes the other way", async () => {
  assertEquals((await signer().receive({ value: 1 })).value, 1);
  assertEquals((await verifier().send(1)).value, 1);
});

Deno.test("what is no key is refused", async () => {
  const { privateKey, publicKey } = attic;
  assertThrows(() => sign({ keyId: "", privateKey }), InvalidConfigError);
  assertThrows(() => sign({ keyId: "k", privateKey: publicKey }), InvalidConfigError);
  assertThrows(() => sign({ keyId: "k", privateKey: "x" as never }), InvalidConfigError);
  assertThrows(() => verify({ signers: { k: { publicKey: privateKey } } }), InvalidConfigError);
  assertThrows(
    () => verify({ signers: { k: { publicKey: new Uint8Array(31) } } }),
    InvalidConfigError,
  );
  const end = signer("k", new Uint8Array(10));
  await assertRejects(() => end.send(1), InvalidConfigError, "it is no PKCS #8");
  assert(end.sent.length === 0);
});
