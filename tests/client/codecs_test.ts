import { assertEquals, assertThrows } from "@std/assert";
import { create, toJson } from "@bufbuild/protobuf";
import fc from "fast-check";
import { type ClientFrame, jsonCodec, type WireEvent } from "../../client.ts";
import { fromBase64, toBase64 } from "../../src/client/base64.ts";
import { protobufCodec } from "../../client_protobuf.ts";
import {
  jsonCodec as gatewayJson,
  protoCodec as gatewayProto,
} from "../../src/gateway/codec/mod.ts";
import { client } from "../../src/gateway/proto/mod.ts";

/** Those of the client beside those of the gateway. */
const PAIRS = [
  { name: "JSON", own: jsonCodec, gateway: gatewayJson },
  { name: "protobuf", own: protobufCodec, gateway: gatewayProto },
];

const texts = fc.string({ unit: "grapheme", maxLength: 20 });
const events: fc.Arbitrary<WireEvent> = fc.record({
  id: texts,
  source: texts,
  type: texts,
  attributes: fc.dictionary(
    fc.stringMatching(/^[a-z][a-z0-9]{0,9}$/).filter((name) => name !== "constructor"),
    fc.oneof(fc.boolean(), fc.integer(), texts, fc.uint8Array({ maxLength: 20 })),
    { noNullPrototype: true, maxKeys: 5 },
  ),
  data: fc.oneof(texts, fc.uint8Array({ maxLength: 50 }), fc.constant(undefined)),
});

Deno.test("base64 comes back as it was, in every form of it", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 20_000 }), (bytes) => {
      const text = toBase64(bytes);
      assertEquals(fromBase64(text), new Uint8Array(bytes));
      const forUrls = text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
      assertEquals(fromBase64(forUrls), new Uint8Array(bytes));
    }),
    { numRuns: 50 },
  );
  assertThrows(() => fromBase64("!"));
});

for (const { name, own, gateway } of PAIRS) {
  Deno.test(`the gateway reads every event in ${name} as the client meant it`, () => {
    fc.assert(fc.property(events, texts, texts, (body, id, channel) => {
      const frame: ClientFrame = { id, kind: "publish", channel, body };
      const inbound = gateway.decode(own.encode(frame));
      assertEquals([inbound.id, inbound.channel], [id, channel]);
      assertEquals(inbound.envelope.case, "publish");
      // What the gateway writes of it, the client reads.
      const outbound = create(client.OutboundMessageSchema, {
        id,
        time: 1n,
        envelope: { case: "rpcReply", value: inbound.envelope.value as never },
      });
      const reply = own.decode(gateway.encode(outbound));
      assertEquals([reply.id, reply.kind], [id, "rpc_reply"]);
      assertEquals(reply.body, {
        ...body,
        attributes: { ...body.attributes },
      });
    }));
  });

  Deno.test(`the gateway reads every other frame in ${name} as the client meant it`, () => {
    const connect = { clientId: "c", clientType: "t", token: "k", version: "1" };
    const payload = { id: "i", source: "s", type: "t", attributes: {}, data: "d" };
    const error = { code: "C", type: "t", message: "m", metadata: { n: 1 } };
    const frames: [ClientFrame, unknown][] = [
      [
        { id: "1", kind: "connect", body: connect },
        { client_id: "c", client_type: "t", token: "k", version: "1" },
      ],
      [
        {
          id: "1",
          kind: "subscribe",
          metadata: { a: "b" },
          body: [{ channel: "x", ephemeral: true, token: "k" }, { channel: "y" }],
        },
        { subscriptions: [{ channel: "x", ephemeral: true, token: "k" }, { channel: "y" }] },
      ],
      [
        { id: "1", kind: "unsubscribe", body: [{ channel: "x" }] },
        { subscriptions: [{ channel: "x" }] },
      ],
      [{ id: "1", kind: "ping", body: undefined }, {}],
      [
        { id: "1", kind: "survey_response", body: { requestId: "q", payload } },
        {
          requestId: "q",
          payload: { id: "i", source: "s", spec_version: "1.0", type: "t", text_data: "d" },
        },
      ],
      [
        { id: "1", kind: "survey_response", body: { requestId: "q", error } },
        { requestId: "q", error },
      ],
    ];
    for (const [frame, expected] of frames) {
      const inbound = gateway.decode(own.encode(frame));
      const json = toJson(client.InboundMessageSchema, inbound, {
        useProtoFieldName: true,
      }) as Record<string, unknown>;
      // The two surveys have names of their own in the schema.
      const body = JSON.stringify(json[frame.kind]).replaceAll("request_id", "requestId");
      assertEquals(JSON.parse(body), expected, frame.kind);
      assertEquals(json.metadata ?? {}, frame.metadata ?? {});
    }
  });
}

Deno.test("whatever arrives is a frame or an error, nothing else", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    try {
      jsonCodec.decode(JSON.stringify(value));
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
    }
  }));
});

Deno.test("whatever bytes arrive are a frame or an error, nothing else", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
    try {
      protobufCodec.decode(bytes);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
    }
  }));
});
