import { inContext, type RecordMaker } from "../record_maker.ts";
import { aborted } from "../signals.ts";
import type { BatchMessage, PublishOptions } from "../types.ts";
import { ChannelMessage } from "./channel_message.ts";
import type { ChannelPipes } from "./channel_pipes.ts";
import { GroupSending } from "./group_sending.ts";
import { OutgoingSource } from "./message_source.ts";
import type { GroupOutlet, Outlet } from "./outlet.ts";
import { type Sending, SingleSending } from "./sending.ts";

/** Takes what the program publishes through the pipes, and from there to the outlet. */
export class PipedPublisher<P, O extends Outlet<P> = Outlet<P>> {
  readonly #pipes: ChannelPipes;
  readonly #maker: RecordMaker;
  readonly #origin: string;
  readonly #outlet: O;

  /**
   * @param pipes The pipes.
   * @param maker Checks what is published.
   * @param origin The instance's name.
   * @param outlet Where records go.
   */
  constructor(pipes: ChannelPipes, maker: RecordMaker, origin: string, outlet: O) {
    this.#pipes = pipes;
    this.#maker = maker;
    this.#origin = origin;
    this.#outlet = outlet;
  }

  /** Publishes one message; see `Messenger.publish`. */
  publish(
    channel: string,
    payloadType: string,
    payload: unknown,
    options?: PublishOptions,
  ): Promise<P> {
    const signal = options?.signal;
    try {
      this.#outlet.mustBeOpen();
      this.#maker.checkChannel(channel);
      aborted(signal);
      const checking = this.#maker.check(payloadType, payload);
      const sending = new SingleSending(this.#outlet, channel, signal);
      const message = this.#message(channel, payloadType, payload, options, sending);
      if (checking === undefined) return sending.outcome(this.#pipes.send(message, signal));
      sending.holdTurn();
      return sending.outcome(checking.then(() => this.#pipes.send(message, signal)));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Publishes several messages in one group; see `Messenger.publishBatch`. */
  publishBatch(
    this: PipedPublisher<P, GroupOutlet<P>>,
    channel: string,
    messages: readonly BatchMessage[],
    signal: AbortSignal | undefined,
  ): Promise<P[]> {
    const checks: Promise<void>[] = [];
    try {
      this.#outlet.mustBeOpen();
      this.#maker.checkChannel(channel);
      aborted(signal);
      for (const { payloadType, payload } of messages) {
        const check = this.#maker.check(payloadType, payload);
        if (check !== undefined) checks.push(check);
      }
      if (messages.length === 0) return Promise.resolve([]);
      const group = new GroupSending(this.#outlet, channel, messages.length, signal);
      const made = messages.map((message, index) =>
        this.#message(channel, message.payloadType, message.payload, message, group.of(index))
      );
      if (checks.length === 0) {
        return group.outcome(made.map((message) => this.#pipes.send(message, signal)));
      }
      const checking = Promise.all(checks);
      return group.outcome(
        made.map((message) => checking.then(() => this.#pipes.send(message, signal))),
      );
    } catch (error) {
      for (const check of checks) check.catch(() => {});
      return Promise.reject(error);
    }
  }

  #message(
    channel: string,
    payloadType: string,
    payload: unknown,
    options: PublishOptions | BatchMessage | undefined,
    sending: Sending,
  ): ChannelMessage {
    const source = new OutgoingSource(this.#maker, this.#origin, inContext(options), sending);
    return new ChannelMessage(this.#pipes.chain, channel, payloadType, payload, source);
  }
}
