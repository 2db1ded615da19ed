/**
 * Payload types: registered, checked, decoded. Needs no permission.
 *
 * @module
 */
export { PayloadRegistry } from "./payload_registry.ts";
export type {
  ParseFunction,
  PayloadSchema,
  StandardIssue,
  StandardResult,
  StandardSchema,
} from "./standard_schema.ts";
