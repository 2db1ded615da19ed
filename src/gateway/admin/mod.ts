/**
 * The admin API over gRPC. Needs net permission for its address.
 *
 * @module
 */
export { AdminError } from "./admin_error.ts";
export { adminService, type AdminServiceOptions } from "./service.ts";
