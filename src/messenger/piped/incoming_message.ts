import {
  chainOfMessage,
  type PipeChain,
  PipeMessage,
  type PipeMessageChange,
} from "../../pipes/core.ts";
import type { ReceivedMessage } from "../../storage/mod.ts";
import { inContext, type RecordMaker } from "../record_maker.ts";
import { ChannelMessage } from "./channel_message.ts";
import { OutgoingSource } from "./message_source.ts";

/** A message that was delivered, as the pipes around a messenger see it. */
export class IncomingMessage extends PipeMessage {
  /**
   * @param chain The chain that it travels along.
   * @param received What was delivered.
   * @param value The payload.
   * @param changes What else a pipe has replaced; undefined when it was nothing else.
   */
  constructor(
    chain: PipeChain,
    readonly received: ReceivedMessage,
    readonly value: unknown,
    readonly changes: PipeMessageChange | undefined,
  ) {
    super(chain);
  }

  get type(): string {
    return this.changes?.type ?? this.received.payloadType;
  }

  get channel(): string {
    return this.changes?.channel ?? this.received.channel;
  }

  get headers(): Readonly<Record<string, string>> {
    const { id, origin, correlationId, serviceName } = this.received;
    return {
      id,
      origin,
      ...(correlationId !== "" && { correlationId }),
      ...(serviceName !== "" && { serviceName }),
      ...this.changes?.headers,
    };
  }

  with(value: unknown, change?: PipeMessageChange): IncomingMessage {
    const { changes } = this;
    const merged = change === undefined ? changes : {
      ...changes,
      ...change,
      headers: { ...changes?.headers, ...change.headers },
    };
    return new IncomingMessage(chainOfMessage(this), this.received, value, merged);
  }

  /**
   * The message that answers it: of the same correlation id, with an id of its own.
   *
   * @param maker Makes ids.
   * @param origin The instance's name.
   */
  outgoing(maker: RecordMaker, origin: string): ChannelMessage {
    const { correlationId } = this.received;
    const options = inContext({ correlationId, ...this.changes?.headers });
    const source = new OutgoingSource(maker, origin, options, undefined);
    return new ChannelMessage(chainOfMessage(this), this.channel, this.type, this.value, source);
  }
}
