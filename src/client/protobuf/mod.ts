/**
 * Frames as protobuf, for the client. Needs no permission.
 *
 * @module
 */
export { protobufCodec } from "./protobuf_codec.ts";
