import { MessengerError } from "../../base/mod.ts";

/** Why the gateway ends a connection: a value, equal to another one of the same code and reason. */
export class Disconnect {
  /** Close code, 1000 to 4999. */
  readonly code: number;
  /** For people; at most 123 bytes of it are sent. */
  readonly reason: string;

  /**
   * Makes the value.
   *
   * @param code Close code, 1000 to 4999.
   * @param reason For people.
   */
  constructor(code: number, reason: string) {
    this.code = code;
    this.reason = reason;
  }

  /** Whether both say the same. */
  equals(other: Disconnect): boolean {
    return this.code === other.code && this.reason === other.reason;
  }

  /** `code: 3501, reason: bad request`. */
  toString(): string {
    return `code: ${this.code}, reason: ${this.reason}`;
  }
}

/** Every disconnect that there is, by its name. There is no 3510. */
export const DISCONNECTS = {
  connectionClosed: new Disconnect(3000, "connection closed"),
  invalidToken: new Disconnect(3500, "invalid token"),
  badRequest: new Disconnect(3501, "bad request"),
  stale: new Disconnect(3502, "stale"),
  forceNoReconnect: new Disconnect(3503, "force disconnect"),
  connectionLimit: new Disconnect(3504, "connection limit"),
  channelLimit: new Disconnect(3505, "channel limit"),
  inappropriateProtocol: new Disconnect(3506, "inappropriate protocol"),
  permissionDenied: new Disconnect(3507, "permission denied"),
  notAvailable: new Disconnect(3508, "not available"),
  tooManyErrors: new Disconnect(3509, "too many errors"),
  idleTimeout: new Disconnect(3511, "idle timeout"),
  slowConsumer: new Disconnect(3512, "slow consumer"),
} as const;

/** A disconnect as something to throw. */
export class DisconnectError extends MessengerError {
  /** The name of the class. */
  override readonly name = "DisconnectError";
  /** Why the connection ends. */
  readonly disconnect: Disconnect;
  /**
   * Makes the error.
   *
   * @param disconnect Why the connection ends.
   * @param options The error that caused this one.
   */
  constructor(disconnect: Disconnect, options?: ErrorOptions) {
    super("gateway_disconnect", disconnect.toString(), options);
    this.disconnect = disconnect;
  }
}

const CAUSES_MAX = 32;

/** The disconnect that an error is or was caused by. */
export function disconnectOf(error: unknown): Disconnect | undefined {
  let at: unknown = error;
  for (let depth = 0; depth < CAUSES_MAX && at instanceof Error; depth++) {
    if (at instanceof DisconnectError) return at.disconnect;
    at = at.cause;
  }
  return undefined;
}
