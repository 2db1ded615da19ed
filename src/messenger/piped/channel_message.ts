import {
  chainOfMessage,
  type PipeChain,
  PipeMessage,
  type PipeMessageChange,
} from "../../pipes/core.ts";
import type { OutgoingSource } from "./message_source.ts";

/** A message that is published, as the pipes around a messenger see it. */
export class ChannelMessage extends PipeMessage {
  /**
   * @param chain The chain that it travels along.
   * @param channel Where it goes.
   * @param type The payload type.
   * @param value The payload.
   * @param source What it was before pipes changed it.
   */
  constructor(
    chain: PipeChain,
    readonly channel: string,
    readonly type: string,
    readonly value: unknown,
    readonly source: OutgoingSource,
  ) {
    super(chain);
  }

  get headers(): Readonly<Record<string, string>> {
    return this.source.headers;
  }

  with(value: unknown, change: PipeMessageChange = {}): ChannelMessage {
    const { channel = this.channel, type = this.type, headers } = change;
    const source = headers === undefined ? this.source : this.source.with(headers);
    return new ChannelMessage(chainOfMessage(this), channel, type, value, source);
  }
}
