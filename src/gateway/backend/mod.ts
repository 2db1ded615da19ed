/**
 * Programs that answer for the gateway, over HTTP and gRPC. Needs net permission for their addresses.
 *
 * @module
 */
export { type BackendsOptions, ConfiguredBackends } from "./backends.ts";
export { Glob, GlobSyntaxError } from "./glob.ts";
