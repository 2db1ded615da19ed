import { Pipe, type PipeConnection, type PipeSendOptions } from "../pipe.ts";
import type { PipeMessage } from "../pipe_message.ts";

/** What {@linkcode AroundPipe} knows of one passing of a message. */
export interface Passing {
  /** Which way it goes. */
  readonly way: "send" | "handle";
  /** Where it came from; undefined on its way out. */
  readonly connection: PipeConnection | undefined;
  /** Ends the sending; undefined on its way in. */
  readonly signal: AbortSignal | undefined;
  /**
   * Passes a message on.
   *
   * @param message The message, or another one.
   * @param signal Ends the sending, instead of the one that there is.
   */
  pass(message: PipeMessage, signal?: AbortSignal): Promise<void>;
}

/** A pipe that does the same on both ways, around what comes after it. */
export abstract class AroundPipe extends Pipe {
  /**
   * A message on its way. Calls `pass` to pass it on.
   *
   * @param message The message.
   * @param passing Which way it goes, and how to pass it on.
   */
  protected abstract around(message: PipeMessage, passing: Passing): Promise<void>;

  /** A message on its way in. */
  override handle(connection: PipeConnection, message: PipeMessage): Promise<void> {
    return this.around(message, {
      way: "handle",
      connection,
      signal: undefined,
      pass: (passed) => super.handle(connection, passed),
    });
  }

  /** A message on its way out. */
  override send(
    message: PipeMessage,
    connections: readonly PipeConnection[],
    options?: PipeSendOptions,
  ): Promise<void> {
    return this.around(message, {
      way: "send",
      connection: undefined,
      signal: options?.signal,
      pass: (passed, signal = options?.signal) =>
        super.send(passed, connections, signal === undefined ? undefined : { signal }),
    });
  }
}
