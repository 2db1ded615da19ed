import { assert, assertEquals, assertInstanceOf, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type DecodedRecord,
  decodeEnvelope,
  decodeEnvelopeText,
  decodeForeignEnvelope,
  decodeText,
  effectiveRoute,
  EnvelopeError,
} from "../../src/envelope/mod.ts";
import { anyRecord, canonicalRecord } from "../helpers/any_record.ts";

const UUID = "018f0000-0000-7000-8000-000000000001";

/** A plain record, with members replaced or taken out. */
function record(changes: Record<string, unknown> = {}): string {
  return JSON.stringify({
    v: 1,
    id: UUID,
    ts: "2026-01-01T00:00:00.000Z",
    channel: "readings",
    origin: "kitchen",
    payload_type: "test",
    payload: { n: 1 },
    ...changes,
  });
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** What a plain JSON parser makes of a record. */
function expected(text: string): unknown {
  const fields = JSON.parse(text);
  return {
    id: fields.id,
    ts: fields.ts,
    channel: fields.channel,
    origin: fields.origin,
    payloadType: fields.payload_type,
    correlationId: fields.correlation_id ?? "",
    serviceName: fields.service_name ?? "",
    route: fields.route ?? [],
    payload: fields.payload,
    text,
  };
}

function fieldsOf(decoded: DecodedRecord): unknown {
  const { id, ts, channel, origin, payloadType, correlationId, serviceName, route, payload, text } =
    decoded;
  return {
    id,
    ts,
    channel,
    origin,
    payloadType,
    correlationId,
    serviceName,
    route,
    payload,
    text,
  };
}

Deno.test("a record of any spelling is read as a JSON parser reads it", () => {
  fc.assert(
    fc.property(anyRecord, ({ text }) => {
      assertEquals(fieldsOf(decodeEnvelopeText(text)), expected(text));
      assertEquals(
        fieldsOf(decodeEnvelope(bytes(text))),
        expected(new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes(text))),
      );
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("a record with any one character changed is read as a JSON parser reads it, or refused", () => {
  fc.assert(
    fc.property(
      canonicalRecord,
      fc.nat(),
      fc.constantFrom('"', "\\", ",", ":", "{", "}", "[", "]", " ", "0", "x", ""),
      ({ text }, at, char) => {
        const index = at % text.length;
        const changed = text.slice(0, index) + char + text.slice(index + 1);
        let decoded: DecodedRecord;
        try {
          decoded = decodeEnvelopeText(changed);
        } catch (error) {
          assertInstanceOf(error, EnvelopeError);
          return;
        }
        assertEquals(fieldsOf(decoded), expected(changed));
      },
    ),
    { numRuns: 3_000 },
  );
});

Deno.test("an id that looks 36 characters long, with another key inside, is read right", () => {
  const text =
    `{"v":1,"id":"a","x":"bbbbbbbbbbbbbbbbbbbbbbbbbbbb","ts":"t","channel":"c","origin":"o",` +
    `"payload_type":"p","payload":1}`;
  assertEquals(text.indexOf('","ts"') - text.indexOf("a"), 36);
  assertEquals(decodeEnvelopeText(text).id, "a");
});

Deno.test("of a key that stands twice the last one counts", () => {
  const start = record().slice(0, -1);
  const twice = `${start},"id":"second","route":["a"],"route":["b"],"payload":2}`;
  assertEquals(fieldsOf(decodeEnvelopeText(twice)), expected(twice));
  const before = `{"id":"first",${record().slice(1)}`;
  assertEquals(decodeEnvelopeText(before).id, UUID);
});

Deno.test("keys that a newer version adds are ignored, and stay in the text", () => {
  const text = record({ priority: 9, payload: null });
  const decoded = decodeEnvelopeText(text);
  assertEquals([decoded.payload, decoded.text], [null, text]);
});

Deno.test("a member named __proto__ changes nothing but itself", () => {
  const text = record().replace(
    '"payload":{"n":1}',
    '"__proto__":{"id":"x"},"payload":{"__proto__":{"n":2}}',
  );
  const decoded = decodeEnvelopeText(text);
  assertEquals(decoded.id, UUID);
  assertEquals((decoded.payload as { n?: number }).n, undefined);
  assertEquals(Object.keys(decoded.payload as object), ["__proto__"]);
  const { id: _, ...rest } = JSON.parse(record());
  const inherited = `{"__proto__":${record()},${JSON.stringify(rest).slice(1)}`;
  assertThrows(() => decodeEnvelopeText(inherited), EnvelopeError, '"id"');
});

Deno.test("what is no record of this format is an EnvelopeError that says why", () => {
  const cases: readonly [text: string, fault: string, message: string][] = [
    ["", "malformed", "not JSON"],
    ["{", "malformed", "not JSON"],
    [record().slice(0, -1), "malformed", "not JSON"],
    [record() + "}", "malformed", "not JSON"],
    ["\ufeff" + record(), "malformed", "not JSON"],
    ["null", "malformed", "not a JSON object"],
    ["[]", "malformed", "not a JSON object"],
    ['"text"', "malformed", "not a JSON object"],
    ["{}", "malformed", 'no version number "v"'],
    [record({ v: "1" }), "malformed", 'no version number "v"'],
    [record({ v: 2 }), "version", "version 2"],
    [record({ v: 1.5 }), "version", "version 1.5"],
    [record({ v: 0 }), "version", "version 0"],
    [record({ payload: undefined }), "malformed", 'no "payload"'],
    [record({ id: undefined }), "malformed", '"id" is missing'],
    [record({ ts: 5 }), "malformed", '"ts" is number'],
    [record({ channel: null }), "malformed", '"channel" is null'],
    [record({ origin: {} }), "malformed", '"origin" is object'],
    [record({ payload_type: true }), "malformed", '"payload_type" is boolean'],
    [record({ correlation_id: 1 }), "malformed", '"correlation_id" is number'],
    [record({ route: "a" }), "malformed", '"route" is not a list'],
    [record({ route: ["a", 1] }), "malformed", '"route" is not a list'],
  ];
  for (const [text, fault, message] of cases) {
    const error = assertThrows(() => decodeEnvelopeText(text), EnvelopeError, message, text);
    assertEquals(error.fault, fault, text);
  }
});

Deno.test("bytes that are no UTF-8 are refused, those that spell U+FFFD are not", () => {
  const line = bytes(record({ payload: "\ufffd" }));
  assertEquals(decodeEnvelope(line).payload, "\ufffd");
  const broken = line.slice();
  broken[broken.indexOf(0xef)] = 0xff;
  const error = assertThrows(() => decodeEnvelope(broken), EnvelopeError, "not UTF-8");
  assertEquals(error.fault, "malformed");
});

Deno.test("any bytes are decoded as a strict decoder does, or refused", () => {
  const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 12 }), (input) => {
      let wanted: string | undefined;
      try {
        wanted = strict.decode(input);
      } catch {
        assertThrows(() => decodeText(input), EnvelopeError);
        return;
      }
      assertEquals(decodeText(input), wanted);
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("any text is a record or an EnvelopeError, never another error", () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: "binary" }), fc.json()), (text) => {
      for (const decode of [decodeEnvelopeText, (t: string) => decodeForeignEnvelope(bytes(t))]) {
        try {
          decode(text);
        } catch (error) {
          assertInstanceOf(error, EnvelopeError);
        }
      }
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("a payload nested a hundred thousand deep is read or refused, never a crash", () => {
  const deep = "[".repeat(100_000) + "]".repeat(100_000);
  const text = record().replace('{"n":1}', deep);
  try {
    assert(Array.isArray(decodeEnvelopeText(text).payload));
  } catch (error) {
    assertInstanceOf(error, EnvelopeError);
  }
});

Deno.test("a record of another instance needs a UUID and no raw control characters", () => {
  assertEquals(decodeForeignEnvelope(bytes(record())).id, UUID);
  assertEquals(
    decodeForeignEnvelope(bytes(record({ id: UUID.toUpperCase() }))).id,
    UUID.toUpperCase(),
  );
  for (
    const id of ["", "x", `${UUID}0`, UUID.replaceAll("-", ""), `${UUID}\n`, "../../etc/passwd"]
  ) {
    assertThrows(() => decodeForeignEnvelope(bytes(record({ id }))), EnvelopeError, "UUID");
  }
  for (const char of ["\0", "\x01", "\t", "\n", "\x1f"]) {
    const raw = record().replace("kitchen", `kit${char}chen`);
    assertThrows(() => decodeForeignEnvelope(bytes(raw)), EnvelopeError);
  }
  for (const spaced of [record().replace(",", ",\n"), `${record()}\n`]) {
    assertThrows(() => decodeForeignEnvelope(bytes(spaced)), EnvelopeError, "line feed");
  }
  assertEquals(decodeForeignEnvelope(bytes(`${record()}\r`)).origin, "kitchen");
});

Deno.test("a record without route has passed through its origin", () => {
  assertEquals(effectiveRoute(decodeEnvelopeText(record())), ["kitchen"]);
  assertEquals(effectiveRoute(decodeEnvelopeText(record({ route: [] }))), ["kitchen"]);
  assertEquals(effectiveRoute(decodeEnvelopeText(record({ route: ["a", "b"] }))), ["a", "b"]);
});
