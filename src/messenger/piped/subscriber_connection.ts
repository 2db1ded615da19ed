import type { PipeConnection } from "../../pipes/core.ts";
import type { Handler, HandlerContext, ReceivedMessage } from "../../storage/mod.ts";

/** A subscriber, as pipes see it: what is delivered comes from it. */
export class SubscriberConnection implements PipeConnection {
  readonly id: string;
  readonly peer: string;
  /** Gets what has passed the pipes. */
  readonly handler: Handler;
  /** What is being delivered. One message at a time is. */
  current: ReceivedMessage | undefined;
  /** What the handler is told beside the message. */
  context: HandlerContext | undefined;

  /**
   * @param channel The channel that it follows.
   * @param subscriberId The subscriber's id.
   * @param handler Gets what has passed the pipes.
   */
  constructor(channel: string, subscriberId: string, handler: Handler) {
    this.id = `${channel}/${subscriberId}`;
    this.peer = subscriberId;
    this.handler = handler;
  }
}
