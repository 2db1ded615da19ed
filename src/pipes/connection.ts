import type { EncodingName } from "./encoding.ts";
import type { TypedMessage } from "./define_message.ts";
import type { ConnectionClosedError } from "./errors.ts";
import type { PipeConnection, PipeSendOptions } from "./pipe.ts";

/** One connection of a broker. */
export interface Connection extends PipeConnection {
  /** Whether the other end dialled (`accepted`) or this one (`dialled`). */
  readonly direction: "accepted" | "dialled";
  /** The encoding that both ends agreed on. */
  readonly encoding: EncodingName;
  /** Whether it is open. */
  readonly isOpen: boolean;
  /** Settles, never rejects, with why it was closed. */
  readonly closed: Promise<ConnectionClosedError>;
  /**
   * Sends to this connection, past pipes and pattern.
   *
   * @param message The message.
   * @param options A signal that ends the waiting.
   * @returns Settles once there is room for another message: await it before you send the next.
   * @throws {InvalidMessageCodeError} When its type is not registered.
   * @throws {PayloadInvalidError} When its schema refuses the value, its encoding cannot carry it, or it
   *   is longer than `maxMessageSize`.
   * @throws {ConnectionClosedError} When the connection is closed, or is cut off because its peer does
   *   not read.
   */
  send(message: TypedMessage, options?: PipeSendOptions): Promise<void>;
  /**
   * Ends the connection. What was sent before still goes out.
   *
   * @param code 1000, or 3000 to 4999 for a meaning of your own. @default {1000}
   * @param reason What to tell the peer, up to 123 bytes.
   * @returns Settles once it is closed; a peer that does not answer is cut off after two seconds.
   * @throws {RangeError} When the code is none of those.
   */
  close(code?: number, reason?: string): Promise<void>;
}
