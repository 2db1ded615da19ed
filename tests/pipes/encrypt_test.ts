import { assert, assertEquals, assertNotEquals, assertRejects, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  encrypt,
  InvalidConfigError,
  KeyExhaustedError,
  KeyRing,
  NotEncryptedError,
  PayloadInvalidError,
  type SecretKey,
  TamperedMessageError,
  UnknownKeyError,
} from "@keyop/messenger/pipes";
import { type Passed, TestHost } from "../helpers/pipe_host.ts";

const KEY = new Uint8Array(32).fill(7);
const OTHER = new Uint8Array(32).fill(8);
const PLACE = {
  type: "com.example.Reading",
  channel: "readings",
  headers: { id: "0195f0c0-1d2e-7abc-8def-0123456789ab", origin: "attic" },
};

function host(keys: Record<string, SecretKey> = { k1: KEY }, current = "k1"): TestHost {
  return new TestHost([encrypt({ keys: { keys, current } })], PLACE);
}

function layer(passed: Passed): { $pipe: string; header: Record<string, string>; body: string } {
  return passed.value as { $pipe: string; header: Record<string, string>; body: string };
}

Deno.test("what is sent is sealed under the current key's id, and opened at the other end", async () => {
  const wire = await host().send({ celsius: 21.5 });
  const { $pipe, header, body } = layer(wire);
  assertEquals([$pipe, header.alg, header.kid, Object.keys(header).length], [
    "encrypt",
    "A256GCM",
    "k1",
    3,
  ]);
  assert(!JSON.stringify(wire.value).includes("celsius"));
  assertEquals(Uint8Array.fromBase64(body).length, JSON.stringify({ celsius: 21.5 }).length + 16);
  assertEquals((await host().receive(wire)).value, { celsius: 21.5 });
});

Deno.test("the same value is sealed differently each time", async () => {
  const end = host();
  assertNotEquals(layer(await end.send(1)).body, layer(await end.send(1)).body);
});

Deno.test("any JSON value comes out as it went in", async () => {
  const one = host();
  const other = host();
  await fc.assert(fc.asyncProperty(fc.jsonValue(), async (value) => {
    const plain = JSON.parse(JSON.stringify(value));
    assertEquals((await other.receive(await one.send(value))).value, plain);
  }));
});

Deno.test("keys rotate: the new one seals, the old ones still open, a removed one does not", async () => {
  const ring = new KeyRing({ keys: { k1: KEY }, current: "k1" });
  const end = new TestHost([encrypt({ keys: ring })], PLACE);
  const old = await end.send("old");
  ring.add("k2", OTHER);
  assertEquals(layer(await end.send("still")).header.kid, "k1");
  ring.use("k2");
  const recent = await end.send("new");
  assertEquals([layer(old).header.kid, layer(recent).header.kid], ["k1", "k2"]);
  assertEquals([(await end.receive(old)).value, (await end.receive(recent)).value], ["old", "new"]);
  ring.remove("k1");
  const error = await assertRejects(() => end.receive(old), UnknownKeyError);
  assertEquals([error.code, error.keyId], ["unknown_key", "k1"]);
  assertEquals((await end.receive(recent)).value, "new");
  assertEquals(ring.ids, ["k2"]);
});

Deno.test("no bit of a sealed message can be changed", async () => {
  const wire = await host().send({ celsius: 21.5 });
  const { header, body } = layer(wire);
  for (const [name, text] of Object.entries({ iv: header.iv!, body })) {
    const bytes = Uint8Array.fromBase64(text);
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = bytes.slice();
      changed[bit >> 3]! ^= 1 << (bit & 7);
      const value = name === "body"
        ? { ...layer(wire), body: changed.toBase64() }
        : { ...layer(wire), header: { ...header, iv: changed.toBase64() } };
      await assertRejects(() => host().receive({ ...wire, value }), TamperedMessageError);
    }
  }
});

Deno.test("a sealed value cannot be put into another message", async () => {
  const wire = await host().send(1);
  const elsewhere = [
    { type: "com.example.Order" },
    { channel: "orders" },
    { headers: { ...PLACE.headers, id: "0195f0c0-1d2e-7abc-8def-0123456789ac" } },
    { headers: { ...PLACE.headers, origin: "cellar" } },
  ];
  for (const changes of elsewhere) {
    const error = await assertRejects(
      () => host().receive({ ...wire, ...changes }),
      TamperedMessageError,
    );
    assertEquals(error.code, "message_tampered");
  }
  const renamed = { ...layer(wire), header: { ...layer(wire).header, kid: "k2" } };
  await assertRejects(
    () => host({ k1: OTHER, k2: KEY }).receive({ ...wire, value: renamed }),
    TamperedMessageError,
  );
});

Deno.test("whatever a peer sends as a sealed value fails with a named error", async () => {
  const { header, body } = layer(await host().send(1));
  const receive = (value: unknown) => host().receive({ ...PLACE, value });
  for (const value of [1, null, "text", [], {}, { $pipe: "sign", header, body }]) {
    await assertRejects(() => receive(value), NotEncryptedError, "is not encrypted");
  }
  for (
    const odd of [
      { header: null },
      { header: { ...header, kid: 1 } },
      { body: 1 },
    ]
  ) {
    await assertRejects(
      () => receive({ $pipe: "encrypt", header, body, ...odd }),
      NotEncryptedError,
    );
  }
  for (
    const odd of [
      { header: { ...header, alg: "none" } },
      { header: { ...header, iv: "?" } },
      { header: { ...header, iv: "" } },
      { body: "" },
      { body: "%" },
    ]
  ) {
    await assertRejects(
      () => receive({ $pipe: "encrypt", header, body, ...odd }),
      TamperedMessageError,
    );
  }
  const loud = await assertRejects(() =>
    receive({ $pipe: "encrypt", header: { ...header, alg: "x".repeat(1_000_000) }, body })
  );
  assert((loud as Error).message.length < 300);
  for (const kid of ["k9", "", "__proto__", "constructor"]) {
    await assertRejects(
      () => receive({ $pipe: "encrypt", header: { ...header, kid }, body }),
      UnknownKeyError,
    );
  }
});

Deno.test("plain messages are let in where that was allowed, and sealed ones opened", async () => {
  const lenient = new TestHost([
    encrypt({ keys: { keys: { k1: KEY }, current: "k1" }, allowPlain: true }),
  ], PLACE);
  assertEquals((await lenient.receive({ value: 5 })).value, 5);
  assertEquals((await lenient.receive(await host().send(6))).value, 6);
});

Deno.test("a key that has sealed as many messages as it may is refused until another is used", async () => {
  const ring = new KeyRing({ keys: { k1: KEY, k2: OTHER }, current: "k1" });
  const end = new TestHost([encrypt({ keys: ring, maxMessagesPerKey: 2 })], PLACE);
  await end.send(1);
  await end.send(2);
  const error = await assertRejects(() => end.send(3), KeyExhaustedError);
  assertEquals([error.code, error.keyId, end.sent.length], ["key_exhausted", "k1", 2]);
  ring.use("k2");
  await end.send(3);
});

Deno.test("what JSON would make something else of is refused before it is sealed", async () => {
  for (
    const value of [
      undefined,
      1n,
      { bytes: new Uint8Array(2) },
      [new Map([[1, 2]])],
      { set: new Set() },
    ]
  ) {
    const end = host();
    await assertRejects(() => end.send(value), PayloadInvalidError);
    assertEquals(end.sent, []);
  }
});

Deno.test("keys of Web Crypto are taken; what is no key, id or ring is refused", async () => {
  const key = await crypto.subtle.importKey("raw", KEY, "AES-GCM", false, ["encrypt", "decrypt"]);
  assertEquals((await host().receive(await host({ k1: key }).send(1))).value, 1);
  const oneWay = await crypto.subtle.importKey("raw", KEY, "AES-GCM", false, ["encrypt"]);
  const wrong: [Record<string, SecretKey>, string][] = [
    [{}, "k1"],
    [{ k2: KEY }, "k1"],
    [{ k1: new Uint8Array(31) }, "k1"],
    [{ k1: oneWay }, "k1"],
    [{ k1: "secret" as unknown as SecretKey }, "k1"],
    [{ "": KEY }, ""],
    [{ ["x".repeat(101)]: KEY }, "x"],
  ];
  for (const [keys, current] of wrong) {
    assertThrows(() => new KeyRing({ keys, current }), InvalidConfigError);
  }
  const ring = new KeyRing({ keys: { k1: KEY }, current: "k1" });
  assertThrows(() => ring.add("k1", OTHER), InvalidConfigError, "there is one of that id");
  assertThrows(() => ring.remove("k1"), InvalidConfigError, "use another one first");
  assertThrows(() => ring.use("k3"), InvalidConfigError);
  for (let n = 2; n <= 1_000; n++) ring.add(`k${n}`, OTHER);
  assertThrows(() => ring.add("k1001", OTHER), InvalidConfigError, "there are 1000 already");
  for (const maxMessagesPerKey of [0, 1.5, NaN, 2 ** 33]) {
    assertThrows(() => encrypt({ keys: ring, maxMessagesPerKey }), InvalidConfigError);
  }
});
