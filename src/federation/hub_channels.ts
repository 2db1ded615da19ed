import { isDeadLetterChannel, messageOf } from "../base/mod.ts";
import type { FederationContext } from "./context.ts";
import { hubCursorName } from "./cursor_names.ts";
import { OutboundChannel } from "./outbound_channel.ts";

const RETRY_MS = 1_000;

/** Options of {@linkcode HubChannels}. */
export interface HubChannelsOptions {
  readonly context: FederationContext;
  /** `host:port` of the hub, which names the cursors. */
  readonly hubAddr: string;
  /** Channels to send; empty for every channel but dead-letter ones. */
  readonly publish: readonly string[];
  /** Called for each channel once it is open. */
  readonly onOpen: (channel: OutboundChannel) => void;
}

/**
 * The channels that go to one hub, and how far each has come, whether or not the hub is there. A
 * channel that exists when this starts begins at its end, one that comes later at its first record.
 */
export class HubChannels {
  readonly #options: HubChannelsOptions;
  readonly #open = new Map<string, OutboundChannel>();
  readonly #opening = new Set<Promise<void>>();
  readonly #closing = new AbortController();
  #unwatch: () => void = () => {};

  /** @param options Which channels, to which hub. */
  constructor(options: HubChannelsOptions) {
    this.#options = options;
  }

  /** Every channel that is open. */
  get all(): Iterable<OutboundChannel> {
    return this.#open.values();
  }

  /**
   * Opens the channels that exist; what is published after this has settled is sent.
   *
   * @throws {StorageError} When a cursor cannot be read or written.
   */
  async start(): Promise<void> {
    const { logs } = this.#options.context;
    this.#unwatch = logs.onCreate((channel) => this.#created(channel));
    for (const channel of logs.names()) {
      if (this.#isSent(channel)) await this.#openOne(channel, "end");
    }
  }

  /** Writes the cursors and frees them. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#unwatch();
    await Promise.all(this.#opening);
    await Promise.all(Array.from(this.#open.values(), (channel) => channel.close()));
    this.#open.clear();
  }

  #isSent(channel: string): boolean {
    const { publish } = this.#options;
    return publish.length === 0 ? !isDeadLetterChannel(channel) : publish.includes(channel);
  }

  #created(channel: string): void {
    if (!this.#isSent(channel)) return;
    const opening = this.#openSoon(channel);
    this.#opening.add(opening);
    opening.finally(() => this.#opening.delete(opening));
  }

  /** Opens a new channel, again and again until it works: its first records are to be sent as well. */
  async #openSoon(channel: string): Promise<void> {
    const { clock, logger } = this.#options.context;
    while (!this.#closing.signal.aborted) {
      try {
        return await this.#openOne(channel, "start");
      } catch (error) {
        logger.error("cannot open a channel to send it to the hub, trying again", {
          hub: this.#options.hubAddr,
          channel,
          error: messageOf(error),
        });
      }
      await new Promise<void>((resolve) => {
        const timer = clock.after(RETRY_MS, resolve, { unref: true });
        this.#closing.signal.addEventListener("abort", () => {
          timer.cancel();
          resolve();
        }, { once: true });
      });
    }
  }

  async #openOne(name: string, from: "start" | "end"): Promise<void> {
    if (this.#open.has(name)) return;
    const { logs, clock, logger, limits } = this.#options.context;
    const channel = await OutboundChannel.open(await logs.open(name), {
      cursorName: hubCursorName(this.#options.hubAddr),
      from,
      saveIntervalMs: limits.cursorSaveMs,
      clock,
      logger,
    });
    if (this.#closing.signal.aborted || this.#open.has(name)) return await channel.close();
    this.#open.set(name, channel);
    this.#options.onOpen(channel);
  }
}
