import { create, fromBinary, fromJson } from "@bufbuild/protobuf";
import { assert, assertEquals } from "@std/assert";
import fc from "fast-check";
import {
  cloudEventOf,
  type DataForm,
  type Deliverable,
  jsonCodec,
  protoCodec,
  publicationEvent,
} from "../../../src/gateway/codec/mod.ts";
import { type AttributeValue, makeEvent } from "../../../src/gateway/event.ts";
import { client } from "../../../src/gateway/proto/mod.ts";

const text = fc.string({ unit: "binary" }).filter((value) => value.isWellFormed());

const attribute: fc.Arbitrary<AttributeValue> = fc.oneof(
  fc.record({ kind: fc.constant("boolean" as const), value: fc.boolean() }),
  fc.record({
    kind: fc.constant("integer" as const),
    value: fc.integer({ min: -0x80000000, max: 0x7fffffff }),
  }),
  fc.record({ kind: fc.constant("bytes" as const), value: fc.uint8Array() }),
  fc.record({ kind: fc.constantFrom("string" as const, "uri", "uri_ref"), value: text }),
  fc.record({
    kind: fc.constant("timestamp" as const),
    value: fc.constantFrom(
      "1970-01-01T00:00:00Z",
      "1969-12-31T23:59:59.5Z".replace(".5", ".500"),
      "2026-11-25T20:00:00.000000001Z",
      "2026-11-25T20:00:00.123456Z",
      "no time",
    ),
  }),
);

const publication: fc.Arbitrary<Deliverable> = fc.record({
  id: text,
  channel: text,
  offset: fc.maxSafeNat(),
  event: fc.record({
    id: text,
    source: text,
    type: text,
    contentType: text,
    data: text.map((value) => new TextEncoder().encode(value)),
    isText: fc.boolean(),
    attributes: fc.array(fc.tuple(fc.stringMatching(/^[a-z0-9]{1,8}$/), attribute), {
      maxLength: 4,
    }).map((entries) =>
      new Map(entries.filter(([name]) => name !== "datacontenttype" && !name.startsWith("ml")))
    ),
  }),
});

Deno.test("the quick encoders of publications write what the messages say", () => {
  fc.assert(
    fc.property(
      fc.array(publication, { maxLength: 3 }),
      fc.constantFrom<DataForm>("binary", "preserve"),
      fc.boolean(),
      (publications, data, replay) => {
        const expected = create(client.OutboundMessageSchema, {
          id: 'a "frame"',
          time: 1_795_000_000_123n,
          envelope: {
            case: "publication",
            value: create(client.PublicationSchema, {
              messages: publications.map((each) =>
                create(client.MessageSchema, {
                  id: each.id,
                  channel: each.channel,
                  offset: BigInt(each.offset),
                  payload: cloudEventOf(publicationEvent(each, data, replay)),
                })
              ),
            }),
          },
        });
        const head = { id: 'a "frame"', timeMs: 1_795_000_000_123 };
        const form = { data, replay };
        const json = JSON.parse(
          new TextDecoder().decode(jsonCodec.encodePublications(head, publications, form)),
        );
        assertEquals(fromJson(client.OutboundMessageSchema, json), expected);
        assertEquals(
          fromBinary(
            client.OutboundMessageSchema,
            protoCodec.encodePublications(head, publications, form),
          ),
          expected,
        );
        // The general encoders agree about names and about what is left out.
        if (publications.every((each) => each.id !== "" && each.event.id + each.id !== "")) {
          const general = JSON.parse(new TextDecoder().decode(jsonCodec.encode(expected)));
          if (publications.length > 0) assertEquals(json, general);
        }
      },
    ),
  );
});

Deno.test("lengths of one to four bytes, and a frame after a long one, are written right", () => {
  for (const bytes of [0, 100, 127, 128, 16_383, 16_384, 2_097_152, 5, 3_000_000, 1]) {
    const data = new Uint8Array(bytes).fill(7);
    const each = {
      id: "i".repeat(bytes % 300),
      channel: "ü".repeat(bytes % 200),
      offset: 2 ** 53 - 1,
      event: makeEvent({ data, type: "t" }),
    };
    const frame = protoCodec.encodePublications({ id: "f", timeMs: Date.now() }, [each, each], {
      data: "binary",
      replay: false,
    });
    const { envelope } = fromBinary(client.OutboundMessageSchema, frame);
    const { messages } = envelope.value as client.Publication;
    assertEquals(messages.length, 2);
    for (const { id, channel, offset, payload } of messages) {
      assertEquals([id, channel, offset], [each.id, each.channel, 2n ** 53n - 1n]);
      assertEquals((payload!.data.value as Uint8Array).length, bytes);
      assert((payload!.data.value as Uint8Array).every((byte) => byte === 7));
    }
  }
});
