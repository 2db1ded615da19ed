import type { Clock, Logger } from "../base/mod.ts";
import type { ChannelLogs, FileSystem, Position } from "../storage/mod.ts";
import type { EncodeOptions } from "../envelope/mod.ts";
import type { Published } from "./types.ts";

/** A message that is stored, with its whole place. */
export interface RawPublished extends Published {
  /** Where the next message begins. */
  readonly next: Position;
}

/** A messenger's channels for a room that has a form of messages of its own: records as they stand. */
export interface RawChannels {
  /** The instance's name. */
  readonly instanceName: string;
  /** The data directory. */
  readonly dataDir: string;
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly logs: ChannelLogs;
  /** The messenger's own logger. */
  readonly logger: Logger;
  /** Whether the messenger is closed or closing. */
  readonly closed: AbortSignal;
  /** Whether the messenger has pipes, which records that are read and written here do not pass. */
  readonly hasPipes: boolean;
  /**
   * Publishes as `Messenger.publish` does, with the payload's JSON text as it is.
   *
   * @param payload Its text, which has no line feed in it, and the value that the text has, for schemas.
   */
  publishJson(
    channel: string,
    payloadType: string,
    payload: { readonly json: string; readonly value: unknown },
    options?: EncodeOptions,
  ): Promise<RawPublished>;
}
