/**
 * The record: made, encoded, decoded, forwarded, dead-lettered. Needs no permission.
 *
 * @module
 */
export {
  effectiveRoute,
  type Envelope,
  ENVELOPE_VERSION,
  EnvelopeError,
  type EnvelopeFault,
  MAX_RECORD_BYTES,
} from "./envelope.ts";
export { IdGenerator, isUuid } from "./ids.ts";
export { type EncodeOptions, EnvelopeEncoder } from "./encode.ts";
export {
  type DecodedRecord,
  decodeEnvelope,
  decodeEnvelopeText,
  decodeForeignEnvelope,
  decodeText,
} from "./decode.ts";
export { withRoute } from "./route.ts";
export {
  DEAD_LETTER_TYPE,
  type DeadLetterPayload,
  encodeDeadLetter,
  fittingDeadLetter,
} from "./dead_letter.ts";
