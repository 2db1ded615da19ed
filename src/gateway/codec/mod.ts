/**
 * Frames as JSON and as protobuf, and events in both. Needs no permission.
 *
 * @module
 */
export { cloudEventOf, eventOf } from "./cloud_event.ts";
export {
  type Codec,
  DecodeError,
  type FrameHead,
  NotAMessageError,
  type PublicationForm,
} from "./codec.ts";
export { ANY_TYPES, jsonCodec } from "./json_codec.ts";
export { protoCodec } from "./proto_codec.ts";
export { parseRfc3339, rfc3339 } from "./timestamp.ts";
export {
  type DataForm,
  type Deliverable,
  OWN_ATTRIBUTES,
  plainEvent,
  publicationEvent,
  replyEvent,
  uriReference,
  type WireEvent,
} from "./wire_event.ts";
