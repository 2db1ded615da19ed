import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import {
  type AttributeValue,
  BYTES_CONTENT_TYPE,
  type GatewayEvent,
  TEXT_CONTENT_TYPE,
} from "../event.ts";
import {
  type CloudEvent,
  type CloudEventAttributeValue,
  CloudEventAttributeValueSchema,
  CloudEventSchema,
} from "../proto/mod.ts";
import { parseRfc3339, textOfTimestamp } from "./timestamp.ts";
import { OWN_ATTRIBUTES, type WireEvent } from "./wire_event.ts";

const PROTOBUF_CONTENT_TYPE = "application/protobuf";
/** Attributes that have a field of their own; entries of these names say nothing. */
const CORE = new Set(["id", "source", "type", "specversion", "datacontenttype"]);
const WELL_FORMED = /^[A-Za-z0-9]+$/;

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const NOTHING = new Uint8Array();
const NO_ATTRIBUTES: ReadonlyMap<string, AttributeValue> = new Map();

/** Reads an event: data becomes bytes as they are, without quoting or converting. */
export function eventOf(message: CloudEvent): GatewayEvent {
  const { data, isText, contentType } = dataOf(message.data);
  return {
    id: message.id,
    source: message.source,
    type: message.type,
    contentType: named(message.attributes["datacontenttype"]) || contentType,
    data,
    isText,
    attributes: attributesOf(message.attributes),
  };
}

function dataOf(data: CloudEvent["data"]) {
  switch (data.case) {
    case "textData":
      return { data: encoder.encode(data.value), isText: true, contentType: TEXT_CONTENT_TYPE };
    case "binaryData":
      return { data: data.value, isText: false, contentType: BYTES_CONTENT_TYPE };
    case "protoData":
      return { data: data.value.value, isText: false, contentType: PROTOBUF_CONTENT_TYPE };
    default:
      return { data: NOTHING, isText: false, contentType: BYTES_CONTENT_TYPE };
  }
}

function named(value: CloudEventAttributeValue | undefined): string {
  return value?.attr.case === "ceString" ? value.attr.value : "";
}

function attributesOf(
  entries: Readonly<Record<string, CloudEventAttributeValue>>,
): ReadonlyMap<string, AttributeValue> {
  let attributes: Map<string, AttributeValue> | undefined;
  for (const [name, { attr }] of Object.entries(entries)) {
    if (CORE.has(name) || OWN_ATTRIBUTES.has(name) || !WELL_FORMED.test(name)) continue;
    const value = attributeOf(attr);
    if (value !== undefined) (attributes ??= new Map()).set(name, value);
  }
  return attributes ?? NO_ATTRIBUTES;
}

function attributeOf(attr: CloudEventAttributeValue["attr"]): AttributeValue | undefined {
  switch (attr.case) {
    case "ceBoolean":
      return { kind: "boolean", value: attr.value };
    case "ceInteger":
      return { kind: "integer", value: attr.value };
    case "ceString":
      return { kind: "string", value: attr.value };
    case "ceBytes":
      return { kind: "bytes", value: attr.value };
    case "ceUri":
      return { kind: "uri", value: attr.value };
    case "ceUriRef":
      return { kind: "uri_ref", value: attr.value };
    case "ceTimestamp": {
      const value = textOfTimestamp(attr.value);
      return value === undefined ? undefined : { kind: "timestamp", value };
    }
    default:
      return undefined;
  }
}

/** The protobuf message of an event that goes out. */
export function cloudEventOf(event: WireEvent): CloudEvent {
  const message = create(CloudEventSchema, {
    id: event.id,
    source: event.source,
    specVersion: "1.0",
    type: event.type,
    data: event.asText
      ? { case: "textData", value: decoder.decode(event.data) }
      : { case: "binaryData", value: event.data },
  });
  for (const [name, value] of event.attributes) {
    message.attributes[name] = create(CloudEventAttributeValueSchema, { attr: attrOf(value) });
  }
  return message;
}

function attrOf({ kind, value }: AttributeValue): CloudEventAttributeValue["attr"] {
  switch (kind) {
    case "boolean":
      return { case: "ceBoolean", value };
    case "integer":
      return { case: "ceInteger", value };
    case "string":
      return { case: "ceString", value };
    case "bytes":
      return { case: "ceBytes", value };
    case "uri":
      return { case: "ceUri", value };
    case "uri_ref":
      return { case: "ceUriRef", value };
    case "timestamp": {
      const at = parseRfc3339(value);
      // An event from a broker may have anything in it; a text is the same text still.
      if (at === undefined) return { case: "ceString", value };
      const timestamp = timestampFromMs(at.seconds * 1000);
      timestamp.nanos = at.nanos;
      return { case: "ceTimestamp", value: timestamp };
    }
  }
}
