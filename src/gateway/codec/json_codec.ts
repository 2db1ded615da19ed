import {
  createRegistry,
  fromJson,
  isMessage,
  type JsonValue,
  type Registry,
  toJson,
} from "@bufbuild/protobuf";
import * as wkt from "@bufbuild/protobuf/wkt";
import { messageOf } from "../../base/mod.ts";
import { client, CloudEventSchema } from "../proto/mod.ts";
import { type Codec, DecodeError, NotAMessageError } from "./codec.ts";
import { hasHalfCharacter, normalizeNames } from "./json_input.ts";
import { publicationsToJson } from "./publication_json.ts";

const decoder = new TextDecoder("utf-8", { fatal: true });
const encoder = new TextEncoder();

/** The types that a `proto_data` of JSON may have: without its schema it could not become bytes. */
export const ANY_TYPES: Registry = createRegistry(
  wkt.AnySchema,
  wkt.BoolValueSchema,
  wkt.BytesValueSchema,
  wkt.DoubleValueSchema,
  wkt.DurationSchema,
  wkt.EmptySchema,
  wkt.FieldMaskSchema,
  wkt.FloatValueSchema,
  wkt.Int32ValueSchema,
  wkt.Int64ValueSchema,
  wkt.ListValueSchema,
  wkt.StringValueSchema,
  wkt.StructSchema,
  wkt.TimestampSchema,
  wkt.UInt32ValueSchema,
  wkt.UInt64ValueSchema,
  wkt.ValueSchema,
  CloudEventSchema,
  client.file_messageloop_v1_messageloop,
);

/** Frames as protobuf JSON with the names of the schema. */
export const jsonCodec: Codec = {
  name: "json",
  isText: true,
  subprotocol: "messageloop+json",

  decode(frame) {
    try {
      const text = typeof frame === "string" ? frame : decoder.decode(frame);
      const json = JSON.parse(text) as JsonValue;
      if (typeof frame === "string" && !frame.isWellFormed() || hasHalfCharacter(text, json)) {
        throw new DecodeError("a text in it is no valid UTF-8");
      }
      const wrong = normalizeNames(json);
      if (wrong !== undefined) throw new DecodeError(wrong);
      return fromJson(client.InboundMessageSchema, json, {
        ignoreUnknownFields: true,
        registry: ANY_TYPES,
      });
    } catch (error) {
      throw new DecodeError(`cannot decode the frame as JSON: ${shortMessage(error)}`, {
        cause: error,
      });
    }
  },

  encode(message) {
    if (!isMessage(message)) throw new NotAMessageError();
    const json = toJson(client.OutboundMessageSchema, message, {
      useProtoFieldName: true,
      registry: ANY_TYPES,
    });
    return encoder.encode(JSON.stringify(json));
  },

  encodePublications(head, publications, form) {
    return encoder.encode(publicationsToJson(head, publications, form));
  },
};

const MESSAGE_LENGTH_MAX = 200;

function shortMessage(error: unknown): string {
  const message = messageOf(error);
  return message.length > MESSAGE_LENGTH_MAX ? `${message.slice(0, MESSAGE_LENGTH_MAX)}…` : message;
}
