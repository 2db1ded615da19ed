import { type Clock, guardedLogger, type Logger } from "../base/mod.ts";
import type { Messenger } from "../messenger/mod.ts";
import { repliesChannel } from "./messenger_names.ts";
import { registerRecords } from "./messenger_records.ts";
import { MessengerSweep } from "./messenger_sweep.ts";
import { ReplyChannel } from "./reply_channel.ts";
import { RequestChannel } from "./request_channel.ts";

const hubs = new WeakMap<Messenger, MessengerHub>();

/** What the buses over one messenger share: each channel is read once, each request handled once. */
export class MessengerHub {
  readonly messenger: Messenger;
  readonly #logger: Logger;
  readonly #clock: Clock;
  readonly #requests = new Map<string, RequestChannel>();
  readonly #replies = new Map<string, ReplyChannel>();
  readonly #unused = new Set<ReplyChannel>();
  readonly #sweep: MessengerSweep;
  #users = 0;

  private constructor(messenger: Messenger, logger: Logger, clock: Clock) {
    this.messenger = messenger;
    this.#logger = logger;
    this.#clock = clock;
    this.#sweep = new MessengerSweep(messenger, logger, clock, () => this.#tidy());
    registerRecords(messenger);
  }

  /** The one of a messenger. */
  static of(messenger: Messenger, logger: Logger, clock: Clock): MessengerHub {
    let hub = hubs.get(messenger);
    if (hub === undefined) {
      hubs.set(messenger, hub = new MessengerHub(messenger, guardedLogger(logger), clock));
    }
    return hub;
  }

  /** A bus begins. */
  enter(): void {
    if (this.#users++ === 0) this.#sweep.start();
  }

  /** A bus ends; the last one ends all reading. */
  async leave(): Promise<void> {
    if (--this.#users > 0) return;
    const replies = [...this.#replies.values()];
    this.#replies.clear();
    await Promise.all([this.#sweep.stop(), ...replies.map((channel) => channel.close())]);
  }

  /** Gives up what nobody waits for any more, which also happens every few seconds. */
  sweep(): Promise<void> {
    return this.#sweep.sweep();
  }

  /** The requests of a subject, for its servers. */
  requests(subject: string): RequestChannel {
    let channel = this.#requests.get(subject);
    if (channel === undefined) {
      channel = new RequestChannel({
        messenger: this.messenger,
        subject,
        sweep: this.#sweep,
        clock: this.#clock,
        logger: this.#logger,
      });
      this.#requests.set(subject, channel);
    }
    return channel;
  }

  /** The replies to the callers of a subject here. */
  replies(subject: string): ReplyChannel {
    let channel = this.#replies.get(subject);
    if (channel === undefined) {
      const name = repliesChannel(subject, this.messenger.instanceName);
      channel = new ReplyChannel(this.messenger, name, this.#sweep, this.#logger);
      this.#replies.set(subject, channel);
    }
    return channel;
  }

  /** Lets go of subjects that nobody has asked or served since the last time. */
  #tidy(): void {
    for (const [subject, channel] of this.#requests) {
      if (channel.isIdle) this.#requests.delete(subject);
    }
    for (const [subject, channel] of this.#replies) {
      if (channel.size > 0) {
        this.#unused.delete(channel);
      } else if (this.#unused.delete(channel)) {
        this.#replies.delete(subject);
        void channel.close();
      } else {
        this.#unused.add(channel);
      }
    }
  }
}
