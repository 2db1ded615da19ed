import { status } from "@grpc/grpc-js";
import { MessengerError } from "../../base/mod.ts";

/** A call to the admin API that fails with a status of gRPC; its message goes to the caller. */
export class AdminError extends MessengerError {
  /** The name of the class. */
  override readonly name = "AdminError";
  /**
   * Makes the error.
   *
   * @param status The status of gRPC.
   * @param message What is wrong, for the caller.
   */
  constructor(readonly status: number, message: string) {
    super("gateway_admin_failed", message);
  }
}

/** The error of a request that cannot be served as it is. */
export function invalid(message: string): AdminError {
  return new AdminError(status.INVALID_ARGUMENT, message);
}
