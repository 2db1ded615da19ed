import { MessengerError } from "../../base/mod.ts";

/** The `type` of an error frame, by its `code`. */
export const ERROR_TYPES = {
  INTERNAL_ERROR: "server_error",
  AUTH_ERROR: "auth_error",
  AUTH_REQUIRED: "auth_error",
  ACL_ERROR: "acl_error",
  PERMISSION_DENIED: "acl_error",
  RPC_TIMEOUT: "timeout",
  PROXY_ERROR: "proxy_error",
  NO_PROXY: "request_error",
  RATE_LIMITED: "rate_limit",
  DISCONNECT_ERROR: "transport_error",
} as const;

/** What an error frame says. */
export interface WireError {
  readonly code: string;
  readonly type: string;
  /** For people; never the text of an internal error. */
  readonly message: string;
  /** A plain JSON object. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** An error frame of a code that has one type. */
export function wireError(code: keyof typeof ERROR_TYPES, message: string): WireError {
  return { code, type: ERROR_TYPES[code], message };
}

/** The answer to a frame that cannot be decoded or carries nothing. */
export function undecodable(message: string): WireError {
  return { code: "BAD_REQUEST", type: "client_error", message };
}

/** The answer to a frame that is well formed and asks for something that cannot be. */
export function badRequest(message: string): WireError {
  return { code: "BAD_REQUEST", type: "request_error", message };
}

/** An error frame as something to throw: the request that led to it is answered with it. */
export class RequestError extends MessengerError {
  /** The name of the class. */
  override readonly name = "RequestError";
  /** What the client is told. */
  readonly wire: WireError;
  /**
   * Makes the error.
   *
   * @param wire What the client is told.
   * @param options The error that caused this one.
   */
  constructor(wire: WireError, options?: ErrorOptions) {
    super("gateway_request_failed", `${wire.code}: ${wire.message}`, options);
    this.wire = wire;
  }
}
