import { assertEquals, assertThrows } from "@std/assert";
import { encode as encodeMsgpack } from "@msgpack/msgpack";
import fc from "fast-check";
import {
  chooseEncoding,
  codeOf,
  ENCODING_NAMES,
  loadEncoding,
  subprotocolOf,
} from "../../src/pipes/encoding.ts";
import { checkMsgpackClaims } from "../../src/pipes/msgpack_claims.ts";

for (const name of ENCODING_NAMES) {
  Deno.test(`${name} gives back every value, and the code before it in four bytes`, async () => {
    const encoding = await loadEncoding(name);
    const kept: { bytes: Uint8Array; copy: Uint8Array }[] = [];
    fc.assert(fc.property(
      // Keys that the decoder of MessagePack refuses, to keep prototypes clean.
      fc.jsonValue().filter((value) => !JSON.stringify(value).includes("__proto__")),
      fc.nat({ max: 0xffff_ffff }),
      (drawn, code) => {
        const value = JSON.parse(JSON.stringify(drawn));
        const bytes = encoding.encode(code, value);
        assertEquals(codeOf(bytes), code);
        assertEquals(encoding.decode(bytes), value);
        kept.push({ bytes, copy: bytes.slice() });
      },
    ));
    // Messages share memory: none may change one before it.
    for (const { bytes, copy } of kept) assertEquals(bytes, copy);
  });

  Deno.test(`${name} carries a long text`, async () => {
    const encoding = await loadEncoding(name);
    const value = { text: "€".repeat(100_000) };
    assertEquals(encoding.decode(encoding.encode(7, value)), value);
  });

  Deno.test(`${name} refuses what is none, whatever the bytes are`, async () => {
    const encoding = await loadEncoding(name);
    assertThrows(() => encoding.decode(new Uint8Array(4)));
    let refused = 0;
    fc.assert(fc.property(fc.uint8Array({ minLength: 4, maxLength: 200 }), (bytes) => {
      try {
        encoding.decode(bytes);
      } catch (error) {
        refused++;
        assertEquals(error instanceof Error, true);
      }
    }));
    assertEquals(refused > 0, true);
  });
}

Deno.test("JSON refuses what it cannot carry", async () => {
  const json = await loadEncoding("application/json");
  assertThrows(() => json.encode(2, undefined), TypeError, "JSON cannot carry undefined");
  assertThrows(() => json.encode(2, 1n), TypeError);
  assertThrows(() => json.decode(Uint8Array.of(0, 0, 0, 2, 0x22, 0xff, 0x22)), TypeError);
});

Deno.test("bytes travel in MessagePack and CBOR", async () => {
  for (const name of ["application/msgpack", "application/cbor"] as const) {
    const encoding = await loadEncoding(name);
    const value = { data: Uint8Array.of(1, 2, 255) };
    const { data } = encoding.decode(encoding.encode(2, value)) as { data: Uint8Array };
    assertEquals(Uint8Array.from(data), value.data);
  }
});

Deno.test("MessagePack of any value claims no more than it has", () => {
  const values = fc.oneof(
    fc.jsonValue(),
    fc.uint8Array({ maxLength: 70_000 }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.date({ noInvalidDate: true }),
    fc.string({ maxLength: 70_000 }),
    fc.array(fc.integer(), { maxLength: 70_000 }),
    fc.double(),
    fc.dictionary(fc.string(), fc.integer(), { maxKeys: 40 }),
  );
  fc.assert(fc.property(values, (value) => {
    checkMsgpackClaims(encodeMsgpack(value, { useBigInt64: typeof value === "bigint" }));
  }));
  fc.assert(fc.property(fc.float(), (value) => {
    checkMsgpackClaims(encodeMsgpack(value, { forceFloat32: true }));
  }));
});

Deno.test("MessagePack that is cut short, or claims values that are not there, is refused", () => {
  const bytes = encodeMsgpack({ a: [1, "text", 2.5, new Uint8Array(300)] });
  // A cut between two values shows in the decoder alone; no cut may be taken for more than it is.
  for (let cut = bytes.length - 299; cut < bytes.length; cut++) {
    assertThrows(() => checkMsgpackClaims(bytes.subarray(0, cut)), RangeError, "", `cut=${cut}`);
  }
  const nested = new Uint8Array(1_000_000);
  for (let at = 0; at < nested.length; at += 5) nested.set([0xdd, 0x00, 0x0f, 0x00, 0x00], at);
  assertThrows(() => checkMsgpackClaims(nested), RangeError, "claims");
  assertThrows(() => checkMsgpackClaims(Uint8Array.of(0xdf, 0xff, 0xff, 0xff, 0xff)), RangeError);
});

Deno.test("the client's preference comes first, with a dot or with a slash", () => {
  assertEquals(chooseEncoding("application.cbor, application.json", ENCODING_NAMES), {
    encoding: "application/cbor",
    protocol: "application.cbor",
  });
  assertEquals(chooseEncoding("chat,application/msgpack", ENCODING_NAMES), {
    encoding: "application/msgpack",
    protocol: "application/msgpack",
  });
  assertEquals(chooseEncoding("application.cbor", ["application/json"]), undefined);
  for (const none of [undefined, null, "", ",", "applicationXjson"]) {
    assertEquals(chooseEncoding(none, ENCODING_NAMES), undefined);
  }
});

Deno.test("every encoding's subprotocol is a token that browsers let pass", () => {
  for (const name of ENCODING_NAMES) {
    assertEquals(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(subprotocolOf(name)), true, name);
  }
});
