import { assert, assertEquals, assertThrows } from "@std/assert";
import fc from "fast-check";
import {
  type DecodedRecord,
  decodeEnvelopeText,
  effectiveRoute,
  EnvelopeError,
  withRoute,
} from "../../src/envelope/mod.ts";
import { anyRecord, anyText, type WrittenRecord } from "../helpers/any_record.ts";

const HEAD = '{"v":1,"id":"018f0000-0000-7000-8000-000000000001","ts":"2026-01-01T00:00:00Z",' +
  '"channel":"readings","origin":"kitchen","payload_type":"test"';

function routed(text: string, name = "hub"): string {
  return withRoute(decodeEnvelopeText(text), name);
}

/** Takes the route that was written in out again. */
function unrouted(text: string, route: string, { members }: WrittenRecord): string[] {
  const old = members.find(({ key }) => JSON.parse(key) === "route");
  const written = `"route":${route}`;
  const results: string[] = [];
  const forms = old === undefined
    ? [[`,${written}`, ""], [`${written},`, ""]]
    : [[route, old.value]];
  for (const [from, to] of forms) {
    for (let at = text.indexOf(from!); at >= 0; at = text.indexOf(from!, at + 1)) {
      results.push(text.slice(0, at) + to + text.slice(at + from!.length));
    }
  }
  return results;
}

/** What a route must not change. */
function restOf(record: DecodedRecord): unknown[] {
  const { id, ts, channel, origin, payloadType, correlationId, serviceName, payload } = record;
  return [id, ts, channel, origin, payloadType, correlationId, serviceName, payload];
}

Deno.test("a route is written into a record of any spelling, and all else keeps its bytes", () => {
  fc.assert(
    fc.property(anyRecord, anyText, (written, name) => {
      const before = decodeEnvelopeText(written.text);
      const text = withRoute(before, name);
      const route = [...effectiveRoute(before), name];
      const after = decodeEnvelopeText(text);
      assertEquals(after.route, route);
      assertEquals(restOf(after), restOf(before));
      assert(
        unrouted(text, JSON.stringify(route), written).includes(written.text),
        `other bytes changed: ${text}`,
      );
    }),
    { numRuns: 2_000 },
  );
});

Deno.test("a route grows by each instance that stores the record", () => {
  fc.assert(
    fc.property(anyRecord, fc.array(anyText, { minLength: 1, maxLength: 5 }), ({ text }, names) => {
      const first = effectiveRoute(decodeEnvelopeText(text));
      const last = names.reduce(routed, text);
      assertEquals(decodeEnvelopeText(last).route, [...first, ...names]);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("the route stands before the payload, where both implementations write it", () => {
  assertEquals(
    routed(`${HEAD},"payload":{"n":1}}`),
    `${HEAD},"route":["kitchen","hub"],"payload":{"n":1}}`,
  );
  assertEquals(
    routed(`${HEAD},"service_name":"s","route":["kitchen","a"],"payload":{"n":1}}`),
    `${HEAD},"service_name":"s","route":["kitchen","a","hub"],"payload":{"n":1}}`,
  );
});

Deno.test("numbers and escapes that this runtime would write otherwise keep their bytes", () => {
  const payload = '{"a":1e400,"b":12345678901234567890,"c":1.0,"d":-0,"e":"\\u003c\\u00e9\\/"}';
  assertEquals(
    routed(`${HEAD},"payload":${payload}}`),
    `${HEAD},"route":["kitchen","hub"],"payload":${payload}}`,
  );
  assertEquals(
    routed(`{"payload":${payload},${HEAD.slice(1)}}`),
    `{"route":["kitchen","hub"],"payload":${payload},${HEAD.slice(1)}}`,
  );
});

Deno.test("a route that is null or empty is replaced, wherever it stands", () => {
  for (const route of ["null", "[]", "[ ]"]) {
    assertEquals(
      routed(`${HEAD},"route":${route},"payload":1}`),
      `${HEAD},"route":["kitchen","hub"],"payload":1}`,
    );
    assertEquals(
      routed(`${HEAD},"payload":1,"route":${route}}`),
      `${HEAD},"payload":1,"route":["kitchen","hub"]}`,
    );
  }
});

Deno.test("a payload that looks like a record is left alone", () => {
  const inner = `{"payload":{"route":["x"]},"route":["y"]}`;
  for (
    const text of [`${HEAD},"payload":${inner}}`, `{"x":${inner},"payload":0,${HEAD.slice(1)}}`]
  ) {
    const after = decodeEnvelopeText(routed(text));
    assertEquals(after.route, ["kitchen", "hub"]);
    assertEquals(after.payload, decodeEnvelopeText(text).payload);
  }
});

Deno.test("a key that stands twice is refused: which one a reader takes is not known", () => {
  for (const twice of [`,"route":["a"],"route":["b"],"payload":1}`, `,"payload":1,"payload":2}`]) {
    assertThrows(() => routed(HEAD + twice), EnvelopeError, "twice");
  }
});

Deno.test("a route is written into a payload nested a hundred thousand deep", () => {
  const deep = '[{"a":'.repeat(50_000) + "1" + "}]".repeat(50_000);
  const text = `{"payload":${deep},${HEAD.slice(1)}}`;
  let record;
  try {
    record = decodeEnvelopeText(text);
  } catch {
    return; // A runtime that refuses such depth has nothing to forward.
  }
  assertEquals(decodeEnvelopeText(withRoute(record, "hub")).route, ["kitchen", "hub"]);
});
