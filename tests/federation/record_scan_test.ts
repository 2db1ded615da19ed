import { assertEquals } from "@std/assert";
import fc from "fast-check";
import { decodeEnvelope, effectiveRoute, EnvelopeEncoder } from "../../src/envelope/mod.ts";
import { recordId, RecordScan } from "../../src/federation/record_scan.ts";

const encoder = new TextEncoder();
const ID = "0190a0a0-0000-7000-8000-000000000000";

const anyName = fc.oneof(
  fc.constantFrom("hub", "kitchen", "payload", "route", "origin", '"', "\\", "ü", "a,b", ""),
  fc.string(),
);

/** Records as an instance writes them, with any route. */
const anyRecord = fc.record({
  origin: anyName,
  route: fc.array(anyName, { maxLength: 4 }),
  correlationId: fc.option(fc.string()),
  payload: fc.jsonValue(),
}).map(({ origin, route, correlationId, payload }) =>
  encoder.encode(
    `{"v":1,"id":"${ID}","ts":"2026-01-01T00:00:00Z","channel":"c",` +
      `"origin":${JSON.stringify(origin)},"payload_type":"t"` +
      (correlationId === null ? "" : `,"correlation_id":${JSON.stringify(correlationId)}`) +
      (route.length === 0 ? "" : `,"route":${JSON.stringify(route)}`) +
      `,"payload":${JSON.stringify(payload)}}`,
  )
);

Deno.test("a scan finds on a route whom decoding finds on it", () => {
  fc.assert(
    fc.property(anyRecord, fc.array(anyName, { maxLength: 2 }), (record, names) => {
      const route = effectiveRoute(decodeEnvelope(record));
      const expected = names.some((name) => route.includes(name)) ? "seen" : "send";
      assertEquals(new RecordScan(names).look(record), expected);
    }),
    { numRuns: 500 },
  );
});

Deno.test("a scan finds what an instance itself has written", () => {
  const made = new EnvelopeEncoder("kitchen").encode("c", "t", '{"origin":"hub"}');
  assertEquals(new RecordScan(["kitchen"]).look(encoder.encode(made)), "seen");
  assertEquals(new RecordScan(["hub"]).look(encoder.encode(made)), "send");
  assertEquals(new RecordScan([]).look(encoder.encode(made)), "send");
});

Deno.test("an origin counts only while there is no route", () => {
  const text = `{"v":1,"id":"${ID}","ts":"","channel":"c","origin":"a","payload_type":"t",`;
  const scan = new RecordScan(["a"]);
  assertEquals(scan.look(encoder.encode(text + '"route":["b"],"payload":1}')), "send");
  assertEquals(scan.look(encoder.encode(text + '"route":[],"payload":1}')), "seen");
  assertEquals(scan.look(encoder.encode(text + '"payload":1}')), "seen");
});

Deno.test("a record that is written in another way is decoded", () => {
  const record = encoder.encode(
    ` { "payload" : 1, "route": ["x", "hub"], "v":1, "id":"${ID}", "ts":"", "channel":"c", ` +
      `"origin":"a", "payload_type":"t" }`,
  );
  assertEquals(new RecordScan(["hub"]).look(record), "seen");
  assertEquals(new RecordScan(["a"]).look(record), "send");
  assertEquals(recordId(record), ID);
});

Deno.test("bytes that are no record are malformed, and no bytes throw", () => {
  const scan = new RecordScan(["hub"]);
  assertEquals(scan.look(encoder.encode("")), "malformed");
  assertEquals(scan.look(encoder.encode(`{"v":1,"id":"${ID}"}`)), "malformed");
  assertEquals(recordId(encoder.encode("nonsense")), undefined);
  fc.assert(
    fc.property(anyRecord, fc.nat(), fc.nat(255), (record, at, byte) => {
      record[at % record.length] = byte;
      scan.look(record);
      recordId(record);
      scan.look(record.subarray(0, at % record.length));
    }),
    { numRuns: 500 },
  );
});

Deno.test("an id is the one that decoding finds", () => {
  fc.assert(fc.property(anyRecord, (record) => {
    assertEquals(recordId(record), decodeEnvelope(record).id);
  }));
});
