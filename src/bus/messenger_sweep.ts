import { type Clock, type Logger, messageOf, type Timer } from "../base/mod.ts";
import type { Messenger } from "../messenger/mod.ts";
import { ChannelTrim } from "./channel_trim.ts";
import { isCallChannel } from "./messenger_names.ts";
import {
  isCallRecord,
  REPLY_TYPE,
  type ReplyRecord,
  REQUEST_TYPE,
  type RequestRecord,
} from "./messenger_records.ts";

const SWEEP_EVERY_MS = 5_000;

/**
 * Keeps channels of requests and replies from growing: on every instance with a bus, also on one that only
 * passes them on, what nobody waits for any more is given up.
 */
export class MessengerSweep {
  readonly #messenger: Messenger;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #channels = new Map<string, ChannelTrim>();
  readonly #also: () => void;
  #timer: Timer | undefined;
  #sweeping: Promise<void> | undefined;
  #isStopped = false;

  /** @param also What else is done each time. */
  constructor(messenger: Messenger, logger: Logger, clock: Clock, also: () => void) {
    this.#messenger = messenger;
    this.#logger = logger;
    this.#clock = clock;
    this.#also = also;
  }

  /** Begins. */
  start(): void {
    this.#isStopped = false;
    this.#plan();
  }

  /** Ends; settles when nothing is under way. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#timer?.cancel();
    await this.#sweeping;
  }

  /** What is known of a channel. Whoever follows it notes what it reads. */
  trimOf(channel: string, start: number): ChannelTrim {
    let trim = this.#channels.get(channel);
    if (trim === undefined) this.#channels.set(channel, trim = new ChannelTrim(start));
    return trim;
  }

  /** Gives up what nobody waits for now. */
  sweep(): Promise<void> {
    return this.#sweeping ??= this.#sweep().finally(() => this.#sweeping = undefined);
  }

  #plan(): void {
    this.#timer = this.#clock.after(SWEEP_EVERY_MS, () => {
      this.#also();
      this.sweep().finally(() => {
        if (!this.#isStopped) this.#plan();
      });
    }, { unref: true });
  }

  async #sweep(): Promise<void> {
    for (const channel of this.#messenger.channels()) {
      if (this.#isStopped) return;
      if (!isCallChannel(channel)) continue;
      try {
        await this.#sweepChannel(channel);
      } catch (error) {
        if (this.#isStopped) return;
        this.#logger.warn("cannot trim a channel", { channel, error: messageOf(error) });
      }
    }
  }

  async #sweepChannel(channel: string): Promise<void> {
    let trim = this.#channels.get(channel);
    if (trim === undefined) {
      const info = await this.#messenger.channelInfo(channel);
      trim = this.trimOf(channel, info?.start ?? 0);
    }
    if (!trim.isFollowed && !trim.isForeign) await this.#look(channel, trim);
    const position = trim.isForeign ? undefined : trim.trimmable(this.#clock.now());
    if (position === undefined) return;
    await this.#messenger.trim(channel, position);
    trim.trimmed = position;
  }

  /** Notes what is in a channel that nobody here follows. */
  async #look(channel: string, trim: ChannelTrim): Promise<void> {
    for await (const message of this.#messenger.read(channel, { from: trim.position })) {
      const { payloadType, payload, next } = message;
      if (!isCallRecord(payloadType)) {
        trim.isForeign = true;
        return;
      }
      const isTimed = payloadType === REQUEST_TYPE || payloadType === REPLY_TYPE;
      trim.note(next, isTimed ? (payload as RequestRecord | ReplyRecord).until : 0);
      if (trim.isFollowed || this.#isStopped) return;
    }
  }
}
