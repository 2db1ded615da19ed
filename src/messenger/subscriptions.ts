import {
  AlreadySubscribedError,
  MessengerClosedError,
  SubscriberNotFoundError,
  validateChannelName,
  validateSubscriberId,
  withoutContext,
} from "../base/mod.ts";
import type {
  ChannelLog,
  ChannelLogs,
  Handler,
  Subscriber,
  SubscriberStats,
} from "../storage/mod.ts";
import { aborted } from "./signals.ts";
import { checkSubscribeOptions } from "./subscribe_options.ts";
import type { SubscribeOptions, Subscription } from "./types.ts";

/** Begins to deliver a channel's messages. */
export type StartSubscriber = (
  log: ChannelLog,
  subscriberId: string,
  handler: Handler,
  options: SubscribeOptions,
) => Promise<Subscriber>;

/** A subscription, and a way to hear of its end whoever brings it about. */
export interface WatchedSubscription {
  readonly subscription: Subscription;
  /** Aborted when it ends. */
  readonly ended: AbortSignal;
}

interface Running {
  readonly subscriber: Subscriber;
  readonly ended: AbortController;
}

/** The subscribers that run, each once. */
export class Subscriptions {
  readonly #logs: ChannelLogs;
  readonly #start: StartSubscriber;
  readonly #running = new Map<string, Running>();
  /** What is being done about a subscriber: its starting, its being forgotten. One at a time. */
  readonly #turns = new Map<string, Promise<unknown>>();
  #isClosed = false;

  /**
   * @param logs The channels.
   * @param start Begins to deliver.
   */
  constructor(logs: ChannelLogs, start: StartSubscriber) {
    this.#logs = logs;
    this.#start = start;
  }

  /** What is known of those that run. */
  stats(): SubscriberStats[] {
    return Array.from(this.#running.values(), ({ subscriber }) => subscriber.stats());
  }

  /** Starts a subscriber; see `Messenger.subscribe`. */
  async subscribe(
    channel: string,
    subscriberId: string,
    handler: Handler,
    options: SubscribeOptions,
  ): Promise<WatchedSubscription> {
    const key = this.#check("subscribe", channel, subscriberId);
    if (typeof handler !== "function") {
      throw new TypeError(`Cannot subscribe "${subscriberId}": its handler is no function`);
    }
    checkSubscribeOptions(options);
    aborted(options.signal);
    return await this.#inTurn(key, async () => {
      if (this.#running.has(key)) throw new AlreadySubscribedError(channel, subscriberId);
      const log = await this.#logs.open(channel);
      this.#mustBeWanted(options.signal);
      const subscriber = await withoutContext(() =>
        this.#start(log, subscriberId, handler, options)
      );
      try {
        this.#mustBeWanted(options.signal);
      } catch (error) {
        await subscriber.close();
        throw error;
      }
      const running = { subscriber, ended: new AbortController() };
      this.#running.set(key, running);
      return {
        subscription: this.#subscription(key, running, channel, subscriberId, options.signal),
        ended: running.ended.signal,
      };
    });
  }

  /** Ends a subscriber and removes its cursor; see `Messenger.unsubscribe`. */
  async unsubscribe(channel: string, subscriberId: string): Promise<void> {
    const key = this.#check("unsubscribe", channel, subscriberId);
    await this.#inTurn(key, async () => {
      const running = this.#running.get(key);
      if (running !== undefined) await this.#end(key, running);
      const log = this.#logs.names().includes(channel) ? await this.#logs.open(channel) : undefined;
      if (await log?.removeCursor(subscriberId)) return;
      throw new SubscriberNotFoundError(channel, subscriberId);
    });
  }

  /** Ends all of them; no more are started. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all([
      ...Array.from(this.#running, ([key, running]) => this.#end(key, running)),
      ...this.#turns.values(),
    ]);
  }

  /** Does one thing after the other about each subscriber. */
  async #inTurn<T>(key: string, act: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(key);
    const acting = (async () => {
      await before;
      return await act();
    })();
    const turn = acting.then(() => {}, () => {});
    this.#turns.set(key, turn);
    try {
      return await acting;
    } finally {
      if (this.#turns.get(key) === turn) this.#turns.delete(key);
    }
  }

  async #end(key: string, running: Running): Promise<void> {
    running.ended.abort();
    await running.subscriber.close();
    if (this.#running.get(key) === running) this.#running.delete(key);
  }

  #subscription(
    key: string,
    running: Running,
    channel: string,
    subscriberId: string,
    signal: AbortSignal | undefined,
  ): Subscription {
    const { subscriber, ended } = running;
    const close = (): Promise<void> => this.#end(key, running);
    signal?.addEventListener("abort", close, { once: true, signal: ended.signal });
    return {
      channel,
      subscriberId,
      get position() {
        return subscriber.position;
      },
      get lagBytes() {
        return subscriber.stats().lagBytes;
      },
      close,
      [Symbol.asyncDispose]: close,
    };
  }

  /** @returns What tells the subscriber from others: no name has a slash in it. */
  #check(what: string, channel: string, subscriberId: string): string {
    if (this.#isClosed) throw new MessengerClosedError(what);
    validateChannelName(channel);
    validateSubscriberId(subscriberId);
    return `${channel}/${subscriberId}`;
  }

  #mustBeWanted(signal: AbortSignal | undefined): void {
    if (this.#isClosed) throw new MessengerClosedError("subscribe");
    aborted(signal);
  }
}
