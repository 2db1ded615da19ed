import {
  create,
  fromBinary,
  type JsonObject,
  type MessageInitShape,
  toBinary,
} from "@bufbuild/protobuf";
import { timestampDate } from "@bufbuild/protobuf/wkt";
import {
  client,
  type CloudEvent,
  type CloudEventAttributeValue,
  CloudEventSchema,
  type shared,
} from "../../gateway/proto/mod.ts";
import type {
  AttributeValue,
  ClientFrame,
  FrameCodec,
  ServerFrame,
  WireError,
  WireEvent,
  WireMessage,
} from "../frames.ts";

type Init<Schema extends Parameters<typeof create>[0]> = MessageInitShape<Schema>;
type Inbound = Init<typeof client.InboundMessageSchema>;

/**
 * Frames as protobuf: shorter than JSON, most of all with bytes in them, at the price of a larger
 * client. It goes over WebSockets alone: server-sent events carry only text.
 *
 * @example
 * ```ts
 * import { GatewayClient } from "@keyop/messenger/client";
 * import { protobufCodec } from "@keyop/messenger/client/protobuf";
 *
 * await using client = new GatewayClient("wss://example.com/ws", { codec: protobufCodec });
 * console.log(client.state);
 * ```
 */
export const protobufCodec: FrameCodec = {
  subprotocol: "messageloop+proto",
  binary: true,
  encode: (frame) =>
    toBinary(
      client.InboundMessageSchema,
      create(client.InboundMessageSchema, {
        id: frame.id,
        channel: frame.channel ?? "",
        method: frame.method ?? "",
        metadata: { ...frame.metadata },
        time: BigInt(Date.now()),
        envelope: encodeBody(frame),
      }),
    ),
  decode(data) {
    if (typeof data === "string") throw new TypeError("expected bytes");
    return decodeFrame(fromBinary(client.OutboundMessageSchema, data));
  },
};

function encodeBody(frame: ClientFrame): NonNullable<Inbound["envelope"]> {
  switch (frame.kind) {
    case "connect":
      return { case: "connect", value: create(client.ConnectSchema, frame.body) };
    case "subscribe":
      return {
        case: "subscribe",
        value: create(client.SubscribeSchema, subscriptions(frame.body)),
      };
    case "unsubscribe":
      return {
        case: "unsubscribe",
        value: create(client.UnsubscribeSchema, subscriptions(frame.body)),
      };
    case "publish":
      return { case: "publish", value: encodeEvent(frame.body) };
    case "rpc_request":
      return { case: "rpcRequest", value: encodeEvent(frame.body) };
    case "survey_response": {
      const { requestId, payload, error } = frame.body;
      return {
        case: "surveyResponse",
        value: create(client.SurveyResponseSchema, {
          requestId,
          ...(payload ? { payload: encodeEvent(payload) } : {}),
          ...(error ? { error: { ...error, metadata: error.metadata as JsonObject } } : {}),
        }),
      };
    }
    case "ping":
      return { case: "ping", value: create(client.PingSchema) };
  }
}

function subscriptions(
  body: readonly {
    readonly channel: string;
    readonly ephemeral?: boolean;
    readonly token?: string;
  }[],
) {
  return {
    subscriptions: body.map(({ channel, ephemeral = false, token = "" }) => (
      { channel, ephemeral, token }
    )),
  };
}

function encodeEvent({ id, source, type, attributes, data }: WireEvent): CloudEvent {
  return create(CloudEventSchema, {
    id,
    source,
    specVersion: "1.0",
    type,
    attributes: Object.fromEntries(
      Object.entries(attributes).map(([name, value]) => [name, { attr: encodeAttribute(value) }]),
    ),
    data: data === undefined
      ? { case: undefined }
      : typeof data === "string"
      ? { case: "textData", value: data }
      : { case: "binaryData", value: data },
  });
}

function encodeAttribute(value: AttributeValue): CloudEventAttributeValue["attr"] {
  if (typeof value === "boolean") return { case: "ceBoolean", value };
  if (typeof value === "number" && (value | 0) === value) return { case: "ceInteger", value };
  return value instanceof Uint8Array
    ? { case: "ceBytes", value }
    : { case: "ceString", value: String(value) };
}

function decodeFrame({ id, metadata, envelope }: client.OutboundMessage): ServerFrame {
  const head = { id, metadata };
  switch (envelope.case) {
    case "error":
      return { ...head, kind: "error", body: decodeError(envelope.value) };
    case "connected": {
      const { sessionId, subscriptions, publications } = envelope.value;
      const messages = publications.flatMap(decodeMessages);
      return { ...head, kind: "connected", body: { sessionId, subscriptions, messages } };
    }
    case "subscribeAck":
      return { ...head, kind: "subscribe_ack", body: envelope.value.subscriptions };
    case "rpcReply":
      return { ...head, kind: "rpc_reply", body: decodeEvent(envelope.value) };
    case "publishAck":
      return { ...head, kind: "publish_ack", body: { offset: integer(envelope.value.offset) } };
    case "publication":
      return { ...head, kind: "publication", body: decodeMessages(envelope.value) };
    case "surveyRequest": {
      const { requestId, payload } = envelope.value;
      return {
        ...head,
        kind: "survey_request",
        body: { requestId, payload: decodeEvent(payload) },
      };
    }
    default:
      return { ...head, kind: envelope.case === "pong" ? "pong" : "other", body: undefined };
  }
}

function decodeMessages({ messages }: client.Publication): WireMessage[] {
  return messages.map(({ id, channel, offset, payload }) => ({
    id,
    channel,
    offset: integer(offset),
    event: decodeEvent(payload),
  }));
}

function decodeError({ code, type, message, metadata }: shared.Error): WireError {
  return { code, type, message, metadata: metadata ?? {} };
}

function decodeEvent(event: CloudEvent = create(CloudEventSchema)): WireEvent {
  const { id, source, type, attributes, data } = event;
  const decoded: Record<string, AttributeValue> = {};
  for (const [name, { attr }] of Object.entries(attributes)) {
    if (attr.case === undefined || name === "__proto__") continue;
    decoded[name] = attr.case === "ceTimestamp"
      ? timestampDate(attr.value).toISOString()
      : attr.value;
  }
  return {
    id,
    source,
    type,
    attributes: decoded,
    data: data.case === "protoData" ? data.value.value : data.value,
  };
}

function integer(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new TypeError("expected a whole number up to 2^53 - 1");
  return number;
}
