/**
 * Payload types: registered, checked, decoded. Needs no permission.
 *
 * @module
 */
export { parsePayload } from "./parse_payload.ts";
export { PayloadRegistry } from "./payload_registry.ts";
export type {
  ParseFunction,
  PayloadSchema,
  StandardIssue,
  StandardResult,
  StandardSchema,
} from "./standard_schema.ts";
