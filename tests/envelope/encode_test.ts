import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import fc from "fast-check";
import type { Random } from "../../src/base/mod.ts";
import { decodeEnvelopeText, encodeDeadLetter, EnvelopeEncoder } from "../../src/envelope/mod.ts";
import { anyJson, anyText } from "../helpers/any_record.ts";
import { FakeClock } from "../helpers/fake_clock.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

Deno.test("what is encoded is decoded the same, whatever the names and the payload", () => {
  const call = fc.record({
    channel: anyText,
    type: anyText,
    payload: anyJson,
    correlationId: anyText,
    serviceName: anyText,
  });
  fc.assert(
    fc.property(anyText, fc.array(call, { maxLength: 5 }), (origin, calls) => {
      const clock = new FakeClock();
      const encoder = new EnvelopeEncoder(origin, clock);
      for (const { channel, type, payload, correlationId, serviceName } of calls) {
        const line = encoder.encode(channel, type, payload, { correlationId, serviceName });
        const decoded = decodeEnvelopeText(line);
        const wellFormed = (text: string) => JSON.parse(JSON.stringify(text));
        assertEquals(decoded.id, encoder.lastId);
        assertEquals(decoded.ts, new Date(clock.now()).toISOString());
        assertEquals(decoded.channel, wellFormed(channel));
        assertEquals(decoded.origin, wellFormed(origin));
        assertEquals(decoded.payloadType, wellFormed(type));
        assertEquals(decoded.correlationId, wellFormed(correlationId));
        assertEquals(decoded.serviceName, wellFormed(serviceName));
        assertEquals(decoded.route, []);
        assertEquals(decoded.payload, JSON.parse(payload));
        assertEquals(JSON.parse(line).payload, JSON.parse(payload));
        assertEquals(line.includes("\n"), payload.includes("\n"));
        clock.pass(1);
      }
    }),
    { numRuns: 500 },
  );
});

Deno.test("a record has its keys in the order of the format, empty ones left out", () => {
  const clock = new FakeClock(Date.UTC(2026, 0, 2, 3, 4, 5, 678));
  const encoder = new EnvelopeEncoder("kitchen", clock);
  const id = "6f1c24a1-7a0c-4f0e-9d53-0d2c1b1f5a10";
  assertEquals(
    encoder.encode("readings", "test", '{"n":1}', { id, correlationId: "c", serviceName: "s" }),
    `{"v":1,"id":"${id}","ts":"2026-01-02T03:04:05.678Z","channel":"readings","origin":"kitchen",` +
      `"payload_type":"test","correlation_id":"c","service_name":"s","payload":{"n":1}}`,
  );
  assertEquals(encoder.lastId, id);
  assertEquals(
    encoder.encode("readings", "test", "null", { id, correlationId: "", serviceName: "" }),
    `{"v":1,"id":"${id}","ts":"2026-01-02T03:04:05.678Z","channel":"readings","origin":"kitchen",` +
      `"payload_type":"test","payload":null}`,
  );
});

Deno.test("a given id does not disturb the ids and times of the records around it", () => {
  const clock = new FakeClock();
  const encoder = new EnvelopeEncoder("kitchen", clock);
  const id = "6f1c24a1-7a0c-4f0e-9d53-0d2c1b1f5a10";
  const records = [undefined, { id }, undefined, { id }, undefined].map((options) => {
    clock.pass(1);
    return decodeEnvelopeText(encoder.encode("c", "t", "1", options));
  });
  assertEquals(records.map((record) => record.id === id), [false, true, false, true, false]);
  assertEquals(new Set(records.map(({ ts }) => ts)).size, 5);
  for (const { id: made, ts } of records) {
    if (made === id) continue;
    assertMatch(made, UUID);
    assertEquals(parseInt(made.replace("-", "").slice(0, 12), 16), Date.parse(ts));
  }
});

Deno.test("ids are version 7 UUIDs of the record's millisecond", () => {
  const clock = new FakeClock();
  const encoder = new EnvelopeEncoder("kitchen", clock);
  for (let n = 0; n < 1_000; n++) {
    encoder.encode("c", "t", "1");
    assertMatch(encoder.lastId, UUID);
    assertEquals(parseInt(encoder.lastId.replace("-", "").slice(0, 12), 16), clock.now());
    if (n % 3 === 0) clock.pass(1);
  }
});

Deno.test("ids of later milliseconds sort after earlier ones", () => {
  const clock = new FakeClock();
  const encoder = new EnvelopeEncoder("kitchen", clock);
  const ids = Array.from({ length: 500 }, () => {
    clock.pass(1);
    encoder.encode("c", "t", "1");
    return encoder.lastId;
  });
  assertEquals(ids, ids.toSorted());
});

Deno.test("a hundred thousand ids of one millisecond are all different", () => {
  const clock = new FakeClock();
  const encoder = new EnvelopeEncoder("kitchen", clock);
  const ids = new Set<string>();
  for (let n = 0; n < 100_000; n++) {
    encoder.encode("c", "t", "1");
    ids.add(encoder.lastId);
  }
  assertEquals(ids.size, 100_000);
});

Deno.test("two instances make different ids in the same millisecond", () => {
  const clock = new FakeClock();
  const ids = Array.from({ length: 100 }, () => {
    const encoder = new EnvelopeEncoder("kitchen", clock);
    encoder.encode("c", "t", "1");
    return encoder.lastId;
  });
  assertEquals(new Set(ids).size, 100);
});

Deno.test("whatever the random bits, an id has its version and variant", () => {
  for (const byte of [0x00, 0xff, 0x5a]) {
    const random: Random = { fill: (bytes) => void bytes.fill(byte), next: () => 0 };
    const encoder = new EnvelopeEncoder("kitchen", new FakeClock(), random);
    encoder.encode("c", "t", "1");
    assertMatch(encoder.lastId, UUID);
  }
});

Deno.test("a clock that is set back or to 1970 makes valid ids and times", () => {
  const clock = new FakeClock();
  const encoder = new EnvelopeEncoder("kitchen", clock);
  const ids = new Set<string>();
  for (const wall of [0, Date.UTC(2026, 0), 0, Date.UTC(1999, 0), Date.UTC(2026, 0)]) {
    clock.setWall(wall);
    const { id, ts } = decodeEnvelopeText(encoder.encode("c", "t", "1"));
    assertMatch(id, UUID);
    assertEquals(Date.parse(ts), wall);
    ids.add(id);
  }
  assertEquals(ids.size, 5);
});

Deno.test("more channels and types than are remembered are written right", () => {
  const encoder = new EnvelopeEncoder("kitchen", new FakeClock());
  for (let round = 0; round < 2; round++) {
    for (let n = 0; n < 2_500; n++) {
      const { channel, payloadType } = decodeEnvelopeText(encoder.encode(`c${n}`, `t${n}`, "1"));
      assertEquals([channel, payloadType], [`c${n}`, `t${n}`]);
    }
  }
});

Deno.test("a channel and a type that together spell another pair are kept apart", () => {
  const encoder = new EnvelopeEncoder("kitchen", new FakeClock());
  for (const [channel, type] of [["a", "b.c"], ["a.b", "c"], ["a", "b"], ["a.b.c", ""]] as const) {
    const decoded = decodeEnvelopeText(encoder.encode(channel, type, "1"));
    assertEquals([decoded.channel, decoded.payloadType], [channel, type]);
  }
  assertNotEquals(encoder.lastId, "");
});

Deno.test("a dead letter's payload holds the record, its error and the time as JSON", () => {
  fc.assert(
    fc.property(anyText, fc.nat(20), anyJson, (error, retries, payload) => {
      const original = new EnvelopeEncoder("kitchen", new FakeClock()).encode("c", "t", payload);
      const text = encodeDeadLetter(original, retries, error, Date.UTC(2026, 0));
      const letter = JSON.parse(text);
      assertEquals(Object.keys(letter), ["original", "retries", "last_error", "failed_at"]);
      assertEquals(letter.original, JSON.parse(original));
      assertEquals(letter.retries, retries);
      assertEquals(letter.last_error, JSON.parse(JSON.stringify(error)));
      assertEquals(letter.failed_at, "2026-01-01T00:00:00.000Z");
      assertEquals(text.includes(original), true);
    }),
    { numRuns: 300 },
  );
});

Deno.test("a dead letter's error is cut at ten thousand characters", () => {
  const letter = JSON.parse(encodeDeadLetter("{}", 0, "é".repeat(20_000), 0));
  assertEquals(letter.last_error.length, 10_000);
});
