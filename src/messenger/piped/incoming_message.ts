import {
  chainOfMessage,
  type PipeChain,
  PipeMessage,
  type PipeMessageChange,
} from "../../pipes/core.ts";
import type { ReceivedMessage } from "../../storage/mod.ts";
import { inContext, type RecordMaker } from "../record_maker.ts";
import { ChannelMessage } from "./channel_message.ts";
import { type Headers, OutgoingSource } from "./message_source.ts";

/** A message that was delivered, as the pipes around a messenger see it. */
export class IncomingMessage extends PipeMessage {
  /**
   * @param chain The chain that it travels along.
   * @param received What was delivered.
   * @param channel Where it comes from.
   * @param type The payload type.
   * @param value The payload.
   * @param changes Headers that a pipe has replaced; undefined when none has.
   */
  constructor(
    chain: PipeChain,
    readonly received: ReceivedMessage,
    readonly channel: string,
    readonly type: string,
    readonly value: unknown,
    readonly changes: Headers | undefined,
  ) {
    super(chain);
  }

  get headers(): Headers {
    const { id, origin, correlationId, serviceName } = this.received;
    return {
      id,
      origin,
      ...(correlationId !== "" && { correlationId }),
      ...(serviceName !== "" && { serviceName }),
      ...this.changes,
    };
  }

  with(value: unknown, change: PipeMessageChange = {}): IncomingMessage {
    const { channel = this.channel, type = this.type, headers } = change;
    const changes = headers === undefined ? this.changes : { ...this.changes, ...headers };
    return new IncomingMessage(chainOfMessage(this), this.received, channel, type, value, changes);
  }

  /**
   * The message that answers it: of the same correlation id, with an id of its own.
   *
   * @param maker Makes ids.
   * @param origin The instance's name.
   */
  outgoing(maker: RecordMaker, origin: string): ChannelMessage {
    const { correlationId } = this.received;
    const options = inContext({ correlationId, ...this.changes });
    const source = new OutgoingSource(maker, origin, options, undefined);
    return new ChannelMessage(chainOfMessage(this), this.channel, this.type, this.value, source);
  }
}
