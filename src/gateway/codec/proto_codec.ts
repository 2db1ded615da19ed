import { fromBinary, isMessage, toBinary } from "@bufbuild/protobuf";
import { client } from "../proto/mod.ts";
import { type Codec, DecodeError, NotAMessageError } from "./codec.ts";
import { publicationsToProto } from "./publication_proto.ts";

const encoder = new TextEncoder();

/** Frames as protobuf. */
export const protoCodec: Codec = {
  name: "proto",
  isText: false,
  subprotocol: "messageloop+proto",

  decode(frame) {
    const bytes = typeof frame === "string" ? encoder.encode(frame) : frame;
    try {
      return fromBinary(client.InboundMessageSchema, bytes, { readUnknownFields: false });
    } catch (error) {
      throw new DecodeError("cannot decode the frame as protobuf", { cause: error });
    }
  },

  encode(message) {
    if (!isMessage(message)) throw new NotAMessageError();
    return toBinary(client.OutboundMessageSchema, message);
  },

  encodePublications: publicationsToProto,
};
