import { create, toBinary } from "@bufbuild/protobuf";
import { assert, assertEquals, assertThrows } from "@std/assert";
import {
  DecodeError,
  jsonCodec,
  NotAMessageError,
  protoCodec,
} from "../../../src/gateway/codec/mod.ts";
import { errorMessage, outbound } from "../../../src/gateway/session/frames.ts";
import { client } from "../../../src/gateway/proto/mod.ts";

const NOW = 1_739_779_200_000;

function written(envelope: Parameters<typeof outbound>[1], id = "1"): unknown {
  const message = outbound({ id, metadata: {} }, envelope, NOW);
  return JSON.parse(new TextDecoder().decode(jsonCodec.encode(message)));
}

const HEAD = { id: "1", time: "1739779200000" };

const OUT: readonly (readonly [string, Parameters<typeof outbound>[1], unknown])[] = [
  [
    "zero fields are left out, a uint64 is a text",
    { case: "publishAck", value: { offset: 0n } },
    { publish_ack: {} },
  ],
  [
    "a uint64 beyond 2^53 is exact",
    { case: "publishAck", value: { offset: 18_446_744_073_709_551_615n } },
    { publish_ack: { offset: "18446744073709551615" } },
  ],
  ["an empty member of the oneof is written", { case: "pong", value: {} }, { pong: {} }],
  [
    "names are those of the schema",
    { case: "connected", value: { sessionId: "s", subscriptions: [{ channel: "c" }] } },
    { connected: { session_id: "s", subscriptions: [{ channel: "c" }] } },
  ],
  [
    "names below the envelope as well",
    {
      case: "surveyRequest",
      value: {
        requestId: "r",
        payload: { specVersion: "1.0", data: { case: "binaryData", value: new Uint8Array() } },
      },
    },
    { survey_request: { request_id: "r", payload: { spec_version: "1.0", binary_data: "" } } },
  ],
  [
    "bytes are standard base64 with padding",
    {
      case: "rpcReply",
      value: { data: { case: "binaryData", value: new Uint8Array([251, 255, 1, 2]) } },
    },
    { rpc_reply: { binary_data: "+/8BAg==" } },
  ],
  [
    "a struct is a plain object",
    {
      case: "error",
      value: errorMessage({
        code: "C",
        type: "t",
        message: "m",
        metadata: { a: [1, null, { b: true }] },
      }),
    },
    { error: { code: "C", type: "t", message: "m", metadata: { a: [1, null, { b: true }] } } },
  ],
  [
    "a timestamp is RFC 3339 with Z",
    {
      case: "rpcReply",
      value: {
        attributes: {
          time: { attr: { case: "ceTimestamp", value: { seconds: 0n, nanos: 500_000_000 } } },
        },
      },
    },
    { rpc_reply: { attributes: { time: { ce_timestamp: "1970-01-01T00:00:00.500Z" } } } },
  ],
];

for (const [name, envelope, expected] of OUT) {
  Deno.test(`JSON out: ${name}`, () => {
    assertEquals(written(envelope), { ...HEAD, ...expected as object });
  });
}

Deno.test("JSON out: metadata is an object, and left out when there is none", () => {
  const message = outbound({ id: "1", metadata: { "a b": "ü" } }, { case: "pong", value: {} }, NOW);
  const json = JSON.parse(new TextDecoder().decode(jsonCodec.encode(message)));
  assertEquals(json, { ...HEAD, metadata: { "a b": "ü" }, pong: {} });
});

function read(json: string): client.InboundMessage {
  return jsonCodec.decode(json);
}

const SAME: readonly (readonly [string, string, string])[] = [
  ["rpcRequest is rpc_request", `{"rpcRequest":{"id":"a"}}`, `{"rpc_request":{"id":"a"}}`],
  [
    "subRefresh is sub_refresh",
    `{"subRefresh":{"channels":["a"]}}`,
    `{"sub_refresh":{"channels":["a"]}}`,
  ],
  [
    "surveyRequest is survey_request",
    `{"surveyRequest":{"requestId":"r"}}`,
    `{"survey_request":{"request_id":"r"}}`,
  ],
  [
    "surveyResponse is survey_response",
    `{"surveyResponse":{"requestId":"r"}}`,
    `{"survey_response":{"request_id":"r"}}`,
  ],
  [
    "clientId and clientType are client_id and client_type",
    `{"connect":{"clientId":"c","clientType":"t"}}`,
    `{"connect":{"client_id":"c","client_type":"t"}}`,
  ],
  [
    "camel case of an event is its snake case",
    `{"publish":{"specVersion":"1.0","binaryData":"aGk=","attributes":{"a":{"ceString":"x"}}}}`,
    `{"publish":{"spec_version":"1.0","binary_data":"aGk=","attributes":{"a":{"ce_string":"x"}}}}`,
  ],
  ["a uint64 may be a number", `{"time":5,"ping":{}}`, `{"time":"5","ping":{}}`],
  [
    "base64 may have no padding",
    `{"publish":{"binary_data":"aGk"}}`,
    `{"publish":{"binary_data":"aGk="}}`,
  ],
  [
    "base64 may be URL-safe",
    `{"publish":{"binary_data":"-_8"}}`,
    `{"publish":{"binary_data":"+/8="}}`,
  ],
  ["null is unset", `{"id":null,"connect":null,"metadata":null,"ping":{}}`, `{"ping":{}}`],
  ["unknown keys are ignored", `{"x":[{"y":1}],"ping":{"z":2}}`, `{"ping":{}}`],
  [
    "null is unset in an event as well",
    `{"publish":{"text_data":null,"binary_data":"YQ==","attributes":{"a":{"ce_string":null,"ce_boolean":true}}}}`,
    `{"publish":{"binary_data":"YQ==","attributes":{"a":{"ce_boolean":true}}}}`,
  ],
  [
    "a null alias beside the name is nothing",
    `{"rpcRequest":null,"rpc_request":{"id":"a"}}`,
    `{"rpc_request":{"id":"a"}}`,
  ],
];

for (const [name, given, plain] of SAME) {
  Deno.test(`JSON in: ${name}`, () => assertEquals(read(given), read(plain)));
}

const REFUSED: readonly (readonly [string, string | Uint8Array])[] = [
  ["two members of the oneof", `{"ping":{},"connect":{}}`],
  ["two members of the data", `{"publish":{"text_data":"a","binary_data":"YQ=="}}`],
  ["an alias and the name", `{"rpcRequest":{},"rpc_request":{}}`],
  ["a number for a text", `{"id":1,"ping":{}}`],
  ["a text for a boolean", `{"subscribe":{"subscriptions":[{"ephemeral":"yes"}]}}`],
  ["an object for a list", `{"subscribe":{"subscriptions":{}}}`],
  ["a fraction for a uint64", `{"time":1.5,"ping":{}}`],
  ["a negative uint64", `{"time":"-1","ping":{}}`],
  ["bytes that are no base64", `{"publish":{"binary_data":"*"}}`],
  ["a time that is none", `{"publish":{"attributes":{"time":{"ce_timestamp":"soon"}}}}`],
  ["an integer of more than 32 bits", `{"publish":{"attributes":{"a":{"ce_integer":4294967296}}}}`],
  ["half a character in an escape", `{"id":"\\ud800","ping":{}}`],
  ["half a character in a key", `{"metadata":{"\\udfff":"a"},"ping":{}}`],
  ["bytes that are no UTF-8", new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d])],
  ["no JSON", `{"ping"`],
  ["an array", `[{"ping":{}}]`],
  ["a text", `"ping"`],
  ["null", `null`],
  ["nothing", ``],
  ["very deep nesting", `{"publish":{"proto_data":${"[".repeat(20_000)}`],
];

for (const [name, given] of REFUSED) {
  Deno.test(`JSON in: ${name} is refused`, () => {
    const error = assertThrows(() => jsonCodec.decode(given), DecodeError);
    assertEquals(error.code, "gateway_frame_undecodable");
    assert(error.message.length < 300, error.message);
  });
}

Deno.test("a whole character in two escapes is taken", () => {
  assertEquals(read(`{"id":"\\ud83d\\ude00","ping":{}}`).id, "😀");
});

Deno.test("the codecs have their names, and JSON alone is text", () => {
  assertEquals([jsonCodec.name, jsonCodec.isText], ["json", true]);
  assertEquals([protoCodec.name, protoCodec.isText], ["proto", false]);
});

Deno.test("neither codec encodes what is no message", () => {
  for (const codec of [jsonCodec, protoCodec]) {
    const error = assertThrows(() => codec.encode({} as never), NotAMessageError);
    assertEquals(error.message, "message is not a proto.Message");
  }
});

Deno.test("protobuf in: unknown fields are ignored, and what is no protobuf is refused", () => {
  const ping = toBinary(
    client.InboundMessageSchema,
    create(client.InboundMessageSchema, { id: "a", envelope: { case: "ping", value: {} } }),
  );
  const unknown = new Uint8Array([...ping, 0xfa, 0x3f, 1, 65]);
  assertEquals(protoCodec.decode(unknown), protoCodec.decode(ping));
  for (const bytes of [[0x0a], [0x0a, 5, 65], [0xff, 0xff, 0xff], [0x0a, 1, 0xff]]) {
    assertThrows(() => protoCodec.decode(new Uint8Array(bytes)), DecodeError);
  }
});

Deno.test("protobuf in: an empty frame is a message without an envelope", () => {
  assertEquals(protoCodec.decode(new Uint8Array()).envelope.case, undefined);
});
