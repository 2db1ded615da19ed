import { assertEquals } from "@std/assert";
import { eventOf, jsonCodec, uriReference } from "../../../src/gateway/codec/mod.ts";
import type { CloudEvent } from "../../../src/gateway/proto/mod.ts";
import { type GatewayEvent, textOf } from "../../../src/gateway/event.ts";

function read(publish: unknown): GatewayEvent {
  const { envelope } = jsonCodec.decode(JSON.stringify({ publish }));
  return eventOf(envelope.value as CloudEvent);
}

const type = (value: string) => ({ attributes: { datacontenttype: { ce_string: value } } });

const DATA: readonly (readonly [string, unknown, string, string])[] = [
  ["text is not quoted", { text_data: "hello" }, "hello", "text/plain"],
  [
    "text named as JSON is not quoted",
    { text_data: "hello", ...type("application/json") },
    "hello",
    "application/json",
  ],
  ["text named as text/json", { text_data: "{}", ...type("text/json") }, "{}", "text/json"],
  ["text named as text/plain", { text_data: "a", ...type("text/plain") }, "a", "text/plain"],
  ["text of any other type", { text_data: "<b>", ...type("text/html") }, "<b>", "text/html"],
  ["bytes without a type", { binary_data: "aGk=" }, "hi", "application/octet-stream"],
  ["bytes with a type", { binary_data: "aGk=", ...type("image/png") }, "hi", "image/png"],
  [
    "an Any keeps its value's bytes",
    { proto_data: { "@type": "type.googleapis.com/google.protobuf.StringValue", value: "hi" } },
    "\n\x02hi",
    "application/protobuf",
  ],
  ["no data is empty", {}, "", "application/octet-stream"],
];

for (const [name, given, text, contentType] of DATA) {
  Deno.test(`events: ${name}`, () => {
    const event = read(given);
    assertEquals(textOf(event), text);
    assertEquals(event.contentType, contentType);
    assertEquals(event.isText, Object.hasOwn(given as object, "text_data"));
  });
}

Deno.test("events keep subject, time, dataschema and well-formed extensions, of every kind", () => {
  const event = read({
    spec_version: "0.3",
    attributes: {
      subject: { ce_string: "s" },
      time: { ce_timestamp: "2026-01-02T03:04:05.006+01:00" },
      dataschema: { ce_uri: "http://a/b" },
      yes: { ce_boolean: false },
      n: { ce_integer: -1 },
      bytes: { ce_bytes: "AQI=" },
      ref: { ce_uri_ref: "../x" },
      Mixed9: { ce_string: "kept" },
    },
  });
  assertEquals(Object.fromEntries(event.attributes), {
    subject: { kind: "string", value: "s" },
    time: { kind: "timestamp", value: "2026-01-02T02:04:05.006Z" },
    dataschema: { kind: "uri", value: "http://a/b" },
    yes: { kind: "boolean", value: false },
    n: { kind: "integer", value: -1 },
    bytes: { kind: "bytes", value: new Uint8Array([1, 2]) },
    ref: { kind: "uri_ref", value: "../x" },
    Mixed9: { kind: "string", value: "kept" },
  });
});

Deno.test("events drop core names, ill-formed names, valueless attributes and the gateway's own", () => {
  const value = { ce_string: "x" };
  const event = read({
    id: "real",
    source: "real",
    type: "real",
    attributes: {
      id: value,
      source: value,
      type: value,
      specversion: value,
      not_well: value,
      "": value,
      "ü": value,
      none: {},
      mlchannel: value,
      mloffset: value,
      mlreplay: value,
      mlsource: value,
      mlreply: value,
      mldirect: value,
      kept: value,
    },
  });
  assertEquals([...event.attributes.keys()], ["kept"]);
  assertEquals([event.id, event.source, event.type], ["real", "real", "real"]);
});

const REFERENCES: readonly (readonly [string, string])[] = [
  ["room", "room"],
  ["chat.room/__presence", "chat.room/__presence"],
  ["chat:room", "chat:room"],
  ["https://a.example:80/x?y=z", "https://a.example:80/x?y=z"],
  ["two words", "two%20words"],
  ["grün", "gr%C3%BCn"],
  ["100%", "100%25"],
  ["50%25", "50%25"],
  ["1:2", "1%3A2"],
  ["//host:x", "%2F%2Fhost%3Ax"],
  ["a[0]", "a%5B0%5D"],
  [":a", "%3Aa"],
];

for (const [channel, source] of REFERENCES) {
  Deno.test(`the source of channel "${channel}" is a URI reference`, () => {
    assertEquals(uriReference(channel), source);
    assertEquals(decodeURIComponent(uriReference(channel)), decodeURIComponent(source));
    // The same library that clients' runtimes have takes it.
    new URL(source, "http://base.example/");
  });
}
