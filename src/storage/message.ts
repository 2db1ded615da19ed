import { messageOf, RetryLater } from "../base/mod.ts";
import type { DecodedRecord } from "../envelope/mod.ts";
import type { Position } from "./log.ts";

export { RetryLater };

/** A message as a handler gets it. */
export interface Message<T = unknown> {
  /** UUID of the message, the same on every instance. */
  readonly id: string;
  /** The channel that it was published to. */
  readonly channel: string;
  /** Name of the instance that published it. */
  readonly origin: string;
  /** What the payload is. */
  readonly payloadType: string;
  /** Groups messages that belong together; empty when none was given. */
  readonly correlationId: string;
  /** The service that published it; empty when none was given. */
  readonly serviceName: string;
  /** The payload, as its registered schema returned it. */
  readonly payload: T;
  /** When it was published. */
  readonly timestamp: Date;
  /** Where it stands in the channel's log. */
  readonly position: Position;
  /** 1 the first time that the handler gets it, 2 at the first retry, and so on. */
  readonly attempt: number;
}

/** What a handler is told beside the message. */
export interface HandlerContext {
  /** Aborted when the subscription closes: finish soon, or the message comes again. */
  readonly signal: AbortSignal;
  /** The subscriber's id. */
  readonly subscriberId: string;
}

/** Handles one message. What it throws, or its promise rejects with, makes the message come again. */
export type Handler<T = unknown> = (
  message: Message<T>,
  context: HandlerContext,
) => void | Promise<void>;

/** A record with its decoded payload. Dates are made only for those who ask. */
export class ReceivedMessage implements Message {
  /** @param record The record, @param payload its payload, @param position its place. */
  constructor(
    readonly record: DecodedRecord,
    readonly payload: unknown,
    readonly position: Position,
    readonly attempt: number,
  ) {}

  get id(): string {
    return this.record.id;
  }
  get channel(): string {
    return this.record.channel;
  }
  get origin(): string {
    return this.record.origin;
  }
  get payloadType(): string {
    return this.record.payloadType;
  }
  get correlationId(): string {
    return this.record.correlationId;
  }
  get serviceName(): string {
    return this.record.serviceName;
  }
  get timestamp(): Date {
    return new Date(this.record.ts);
  }

  /** The message as a plain object, for logs and `JSON.stringify`. */
  toJSON(): Record<string, unknown> {
    const { id, channel, origin, payloadType, correlationId, serviceName, payload } = this;
    return {
      id,
      channel,
      origin,
      payloadType,
      correlationId,
      serviceName,
      payload,
      timestamp: this.record.ts,
      position: this.position,
      attempt: this.attempt,
    };
  }
}

/**
 * Thrown by what stands before a handler when a payload is none: it will not get better by being
 * delivered again. `cause` is what the schema said.
 */
export class PayloadRefusal extends Error {
  /** The name of the class. */
  override readonly name = "PayloadRefusal";

  /** @param cause What the schema said. */
  constructor(cause: unknown) {
    super(messageOf(cause), { cause });
  }
}
