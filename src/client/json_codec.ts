import { fromBase64, toBase64 } from "./base64.ts";
import type {
  AttributeValue,
  ClientFrame,
  FrameCodec,
  Metadata,
  ServerFrame,
  WireError,
  WireEvent,
  WireMessage,
  WireSubscription,
} from "./frames.ts";

type Json = Readonly<Record<string, unknown>>;

/** Frames as protobuf JSON. The default; needs nothing else. */
export const jsonCodec: FrameCodec = {
  subprotocol: "messageloop+json",
  binary: false,
  encode: (frame) =>
    JSON.stringify({
      id: frame.id,
      channel: frame.channel,
      method: frame.method,
      metadata: frame.metadata,
      time: String(Date.now()),
      [frame.kind]: encodeBody(frame),
    }),
  decode: (data) =>
    decodeFrame(
      object(JSON.parse(typeof data === "string" ? data : new TextDecoder().decode(data))),
    ),
};

function encodeBody(frame: ClientFrame): unknown {
  switch (frame.kind) {
    case "connect": {
      const { clientId, clientType, token, version } = frame.body;
      return { client_id: clientId, client_type: clientType, token, version };
    }
    case "subscribe":
    case "unsubscribe":
      return { subscriptions: frame.body };
    case "publish":
    case "rpc_request":
      return encodeEvent(frame.body);
    case "survey_response": {
      const { requestId, payload, error } = frame.body;
      return { request_id: requestId, payload: payload && encodeEvent(payload), error };
    }
    case "ping":
      return {};
  }
}

function encodeEvent({ id, source, type, attributes, data }: WireEvent): Json {
  return {
    id,
    source,
    spec_version: "1.0",
    type,
    attributes: Object.fromEntries(
      Object.entries(attributes).map(([name, value]) => [name, encodeAttribute(value)]),
    ),
    text_data: typeof data === "string" ? data : undefined,
    binary_data: data instanceof Uint8Array ? toBase64(data) : undefined,
  };
}

function encodeAttribute(value: AttributeValue): Json {
  if (typeof value === "boolean") return { ce_boolean: value };
  if (typeof value === "number" && (value | 0) === value) return { ce_integer: value };
  return value instanceof Uint8Array ? { ce_bytes: toBase64(value) } : { ce_string: String(value) };
}

function decodeFrame(frame: Json): ServerFrame {
  const head = { id: text(frame.id), metadata: object(frame.metadata) as Metadata };
  if (frame.subscribe_ack) {
    const body = subscriptions(object(frame.subscribe_ack));
    return { ...head, kind: "subscribe_ack", body };
  }
  if (frame.error) return { ...head, kind: "error", body: decodeError(object(frame.error)) };
  if (frame.connected) {
    const body = object(frame.connected);
    return {
      ...head,
      kind: "connected",
      body: {
        sessionId: text(body.session_id),
        subscriptions: subscriptions(body),
        messages: list(body.publications).flatMap(messages),
      },
    };
  }
  if (frame.publication) {
    return { ...head, kind: "publication", body: messages(object(frame.publication)) };
  }
  if (frame.rpc_reply) {
    return { ...head, kind: "rpc_reply", body: decodeEvent(object(frame.rpc_reply)) };
  }
  if (frame.publish_ack) {
    const offset = integer(object(frame.publish_ack).offset);
    return { ...head, kind: "publish_ack", body: { offset } };
  }
  if (frame.survey_request) {
    const body = object(frame.survey_request);
    return {
      ...head,
      kind: "survey_request",
      body: {
        requestId: text(body.request_id ?? body.requestId),
        payload: decodeEvent(object(body.payload)),
      },
    };
  }
  return { ...head, kind: frame.pong ? "pong" : "other", body: undefined };
}

function subscriptions(body: Json): WireSubscription[] {
  return list(body.subscriptions).map(({ channel, ephemeral }) => ({
    channel: text(channel),
    ephemeral: ephemeral === true,
  }));
}

function messages(publication: Json): WireMessage[] {
  return list(publication.messages).map(({ id, channel, offset, payload }) => ({
    id: text(id),
    channel: text(channel),
    offset: integer(offset),
    event: decodeEvent(object(payload)),
  }));
}

function decodeError({ code, type, message, metadata }: Json): WireError {
  return {
    code: text(code),
    type: text(type),
    message: text(message),
    metadata: object(metadata),
  };
}

function decodeEvent(event: Json): WireEvent {
  const { id, source, type } = event;
  const binary = event.binary_data ?? event.binaryData;
  const attributes: Record<string, AttributeValue> = {};
  for (const [name, value] of Object.entries(object(event.attributes))) {
    const decoded = decodeAttribute(object(value));
    if (decoded !== undefined && name !== "__proto__") attributes[name] = decoded;
  }
  const words = event.text_data ?? event.textData ?? undefined;
  return {
    id: text(id),
    source: text(source),
    type: text(type),
    attributes,
    data: typeof binary === "string"
      ? fromBase64(binary)
      : words === undefined
      ? undefined
      : text(words),
  };
}

function decodeAttribute(value: Json): AttributeValue | undefined {
  for (const name in value) {
    const content = value[name];
    if (name === "ce_bytes" || name === "ceBytes") return fromBase64(text(content));
    return typeof content === "boolean" || typeof content === "number" ? content : text(content);
  }
  return undefined;
}

function object(value: unknown): Json {
  if (value === undefined || value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) throw new TypeError("expected an object");
  return value as Json;
}

function list(value: unknown): Json[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new TypeError("expected a list");
  return value.map(object);
}

function text(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") throw new TypeError("expected a text");
  return value;
}

function integer(value: unknown): number {
  const number = Number(value ?? 0);
  if (!Number.isSafeInteger(number)) throw new TypeError("expected a whole number up to 2^53 - 1");
  return number;
}
