import { MessengerError } from "../../base/mod.ts";
import type { client } from "../proto/mod.ts";
import type { DataForm, Deliverable } from "./wire_event.ts";

/** A frame that cannot be decoded; its message may be shown to the peer. */
export class DecodeError extends MessengerError {
  /** The name of the class. */
  override readonly name = "DecodeError";
  /**
   * Makes the error.
   *
   * @param message What is wrong with the frame.
   * @param options The error that caused this one.
   */
  constructor(message: string, options?: ErrorOptions) {
    super("gateway_frame_undecodable", message, options);
  }
}

/** Something that is no protobuf message was to be encoded as one. */
export class NotAMessageError extends MessengerError {
  /** The name of the class. */
  override readonly name = "NotAMessageError";
  /** Makes the error. */
  constructor() {
    super("gateway_not_a_message", "message is not a proto.Message");
  }
}

/** What stands before the publications of a frame. */
export interface FrameHead {
  /** Id of the frame. */
  readonly id: string;
  /** Wall time in milliseconds since 1970. */
  readonly timeMs: number;
}

/** How publications go out. */
export interface PublicationForm {
  /** Form of the data. */
  readonly data: DataForm;
  /** Whether they are marked as replayed. */
  readonly replay: boolean;
}

/** How frames are written and read. Holds no state. */
export interface Codec {
  readonly name: "json" | "proto";
  /** Whether its frames are text. */
  readonly isText: boolean;
  /** The WebSocket subprotocol that stands for it alone. */
  readonly subprotocol: string;
  /**
   * Reads a frame of a client.
   *
   * @throws {DecodeError} When it is none.
   */
  decode(frame: Uint8Array | string): client.InboundMessage;
  /**
   * Writes a frame of the gateway.
   *
   * @throws {NotAMessageError} When it is no protobuf message.
   */
  encode(message: client.OutboundMessage): Uint8Array;
  /** Writes a frame of publications: the quick way of the one frame that there are many of. */
  encodePublications(
    head: FrameHead,
    publications: readonly Deliverable[],
    form: PublicationForm,
  ): Uint8Array;
}
