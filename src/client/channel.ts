import type { PayloadSchema } from "../registry/mod.ts";
import { parsePayload } from "../registry/mod.ts";
import { Delivery } from "./delivery.ts";
import {
  type GatewayClientError,
  GatewayConnectionLostError,
  GatewayOverflowError,
} from "./errors.ts";
import { type HistoryOptions, type HistoryPage, historyQuery, readHistory } from "./history.ts";
import { type EventOptions, type GatewayMessage, makeEvent, readData } from "./message.ts";
import { MessageBuffer } from "./message_buffer.ts";
import { checkMessage } from "./payload.ts";
import type { GapReason, StreamPosition } from "./positions.ts";
import {
  type PresenceEvent,
  type PresenceSnapshot,
  readPresenceEvent,
  readSnapshot,
} from "./presence.ts";
import type { ServerFrame, WireEvent } from "./frames.ts";
import type { Subscriptions } from "./subscriptions.ts";

/** The most messages that the gateway gives at a time. */
const PAGE_MESSAGES = 1_000;

/** Options of {@linkcode GatewayChannel.publish}. */
export interface GatewayPublishOptions extends EventOptions {
  /** Gives up waiting for the answer; what was sent stays sent. */
  readonly signal?: AbortSignal;
}

/** What was published. */
export interface GatewayPublished {
  /** The event's id. */
  readonly id: string;
  /** Its place in the channel; 0 when the channel keeps no history. */
  readonly offset: number;
}

/** Options of {@linkcode GatewayChannel.subscribe}. */
export interface GatewaySubscribeOptions {
  /** Begins with what came after this position. @default {with what comes next} */
  readonly since?: StreamPosition;
  /**
   * Begins with so many of the last messages, up to 1,000, none missing and none twice between them and
   * those that come next.
   *
   * @default {0}
   */
  readonly history?: number;
  /** Shown to the backend that decides whether this client may. */
  readonly token?: string;
  /** Leaves this client out of the channel's presence. @default {false} */
  readonly ephemeral?: boolean;
  /** Ends the subscription. */
  readonly signal?: AbortSignal;
  /** How many messages may wait to be read or checked. @default {1_024} */
  readonly bufferSize?: number;
  /** Called when messages may be missing after the connection broke. */
  readonly onGap?: (reason: GapReason) => void;
  /** Called when all that was missed will be repeated next. */
  readonly onRecovered?: () => void;
  /** Called when the gateway ends the subscription, such as after permissions have changed. */
  readonly onRefused?: (error: GatewayClientError) => void;
}

/** A subscription that holds until it is closed, over any number of connections. */
export interface GatewaySubscription extends Disposable {
  /** The channel or pattern. */
  readonly channel: string;
  /** Up to where messages have arrived; undefined when the gateway does not tell, and for patterns. */
  readonly position: StreamPosition | undefined;
  /** Ends it. */
  close(): void;
}

/** What a channel needs of its client. */
export interface ChannelHost {
  readonly source: string;
  readonly subscriptions: Subscriptions;
  request(
    kind: "publish" | "rpc_request",
    channel: string,
    event: WireEvent,
    options: {
      readonly method?: string;
      readonly timeoutMs?: number | undefined;
      readonly signal?: AbortSignal | undefined;
    },
  ): Promise<ServerFrame>;
  /** Throws when the client cannot be used. */
  check(): void;
  error(error: unknown): void;
}

/**
 * A channel of a gateway, with the type of its data. Get it from `client.channel()`.
 *
 * @typeParam T Type of the data.
 *
 * @example
 * ```ts
 * import { GatewayClient } from "@keyop/messenger/client";
 * import { Gateway } from "@keyop/messenger/gateway";
 * import { assertEquals } from "@std/assert";
 *
 * await using gateway = await Gateway.open({
 *   server: { allowAnonymous: true, http: { enabled: false } },
 *   transport: { websocket: { addr: "127.0.0.1:0" }, grpc: { enabled: false } },
 * });
 * await using client = new GatewayClient(`ws://${gateway.addresses.websocket}/ws`);
 * await client.connect();
 *
 * const room = client.channel<string>("room");
 * await room.publish("first");
 * const texts: string[] = [];
 * for await (const { data } of room.messages({ history: 10 })) {
 *   texts.push(data);
 *   if (texts.length === 2) break;
 *   const { members } = await room.presence();
 *   assertEquals(members[0]!.sessionId, client.sessionId);
 *   await room.publish("second");
 * }
 * assertEquals(texts, ["first", "second"]);
 * ```
 */
export class GatewayChannel<T = unknown> {
  /** The channel's name, or a pattern: a segment `*` stands for one segment of any text. */
  readonly name: string;
  readonly #host: ChannelHost;
  readonly #schema: PayloadSchema<T> | undefined;

  /**
   * Makes it; `client.channel()` does.
   *
   * @param host The client.
   * @param name The channel's name.
   * @param schema What its data has to be.
   */
  constructor(host: ChannelHost, name: string, schema: PayloadSchema<T> | undefined) {
    this.#host = host;
    this.name = name;
    this.#schema = schema;
  }

  /**
   * Publishes and waits until the gateway has taken it. While there is no connection it waits for one.
   *
   * @param data What to publish: JSON, or bytes; text with a content type of `text/…` stays text.
   * @param options What else is to be told.
   * @throws {PayloadInvalidError} When the channel's schema refuses the data.
   * @throws {GatewayReplyError} When the gateway refuses.
   * @throws {GatewayConnectionLostError} When the connection broke before the answer: it may have been
   *   published or not.
   * @throws {GatewayQueueFullError} When too many requests wait.
   */
  async publish(data: T, options: GatewayPublishOptions = {}): Promise<GatewayPublished> {
    const event = makeEvent(this.name, this.#host.source, data, options);
    if (this.#schema) await parsePayload(event.type, this.#schema, data);
    const reply = await this.#host.request("publish", this.name, event, options);
    return { id: event.id, offset: reply.kind === "publish_ack" ? reply.body.offset : 0 };
  }

  /**
   * Calls a handler for each message, until the subscription is closed. Settles once the gateway has
   * agreed. When the connection breaks, what was missed is repeated after the next one is made, where
   * the channel keeps history; otherwise `onGap` is called.
   *
   * @param handler Gets the messages, in order. What it throws becomes an `error` event of the client.
   * @param options Where to begin, and what else to be told.
   * @throws {GatewayReplyError} When the gateway refuses.
   */
  async subscribe(
    handler: (message: GatewayMessage<T>) => void,
    options: GatewaySubscribeOptions = {},
  ): Promise<GatewaySubscription> {
    const { name: channel } = this;
    const { subscriptions } = this.#host;
    const { history = 0, since, signal, bufferSize: limit = 1_024 } = options;
    this.#host.check();
    signal?.throwIfAborted();
    const stop = signal ? { signal } : {};
    // The gateway repeats nothing for a channel that this client is subscribed to already.
    const late = since !== undefined && subscriptions.has(channel);
    const delivery = new Delivery<T>({
      ...options,
      channel,
      schema: this.#schema,
      handler,
      limit,
      failed: (error) => this.#host.error(error),
    }, history > 0 || late);
    const close = () => {
      signal?.removeEventListener("abort", close);
      subscriptions.remove(channel, delivery);
      delivery.close();
    };
    signal?.addEventListener("abort", close);
    try {
      await aborted(subscriptions.add(channel, options, delivery), signal);
      if (history > 0) {
        const last = await this.#history({ limit: history, reverse: true, ...stop });
        for (const message of [...last.messages].reverse()) delivery.past(message);
        if (!delivery.release(last.position.offset)) {
          await this.#catchUp(last.position, delivery, stop);
        }
      } else if (late) {
        await this.#catchUp(since, delivery, stop);
      }
    } catch (error) {
      close();
      throw error;
    }
    return {
      channel,
      get position() {
        return subscriptions.position(channel);
      },
      close,
      [Symbol.dispose]: close,
    };
  }

  /**
   * The messages, for `for await`. Leaving the loop ends the subscription.
   *
   * @param options Where to begin, and what else to be told.
   * @throws {GatewayOverflowError} When more messages wait than `bufferSize`.
   * @throws {GatewayReplyError} When the gateway refuses.
   * @throws {GatewayClosedError} When the client is closed.
   */
  async *messages(
    options: GatewaySubscribeOptions = {},
  ): AsyncGenerator<GatewayMessage<T>, void, void> {
    const { bufferSize = 1_024, signal } = options;
    if (signal?.aborted) return;
    const buffer = new MessageBuffer<GatewayMessage<T>>();
    const end = () => buffer.end();
    signal?.addEventListener("abort", end);
    let subscription: GatewaySubscription | undefined;
    try {
      subscription = await this.subscribe((message) => {
        if (buffer.size < bufferSize) buffer.push(message);
        else buffer.end(new GatewayOverflowError(this.name, bufferSize));
      }, {
        ...options,
        onRefused: (error) => {
          buffer.end(error);
          options.onRefused?.(error);
        },
      });
      yield* buffer;
    } catch (error) {
      if (!signal?.aborted) throw error;
    } finally {
      signal?.removeEventListener("abort", end);
      subscription?.close();
    }
  }

  /** The messages that come next, for `for await`: the same as {@linkcode messages}. */
  [Symbol.asyncIterator](): AsyncGenerator<GatewayMessage<T>, void, void> {
    return this.messages();
  }

  /**
   * Who is subscribed now. This client has to be subscribed itself.
   *
   * @param options Ends the wait.
   * @throws {GatewayReplyError} When the gateway refuses.
   */
  async presence(options: { readonly signal?: AbortSignal } = {}): Promise<PresenceSnapshot> {
    return readSnapshot(await this.#ask("$presence", {}, options.signal));
  }

  /**
   * Calls a handler when somebody subscribes or leaves. Nothing is repeated after the connection broke:
   * read {@linkcode presence} again then.
   *
   * @param handler Gets the events.
   * @param options Ends it.
   * @throws {GatewayReplyError} When the gateway refuses.
   */
  onPresence(
    handler: (event: PresenceEvent) => void,
    options: { readonly signal?: AbortSignal } = {},
  ): Promise<GatewaySubscription> {
    const companion = new GatewayChannel(
      this.#host,
      `${this.name}/__presence`,
      readPresenceEvent,
    );
    return companion.subscribe(({ data }) => handler(data), options);
  }

  /**
   * Messages of the past. This client has to be subscribed. Those that do not fit the schema are left
   * out, with an `error` event.
   *
   * @param options Which part.
   * @throws {GatewayReplyError} When the gateway refuses.
   */
  async history(options: HistoryOptions = {}): Promise<HistoryPage<T>> {
    const page = await this.#history(options);
    const messages: GatewayMessage<T>[] = [];
    for (const message of page.messages) {
      try {
        messages.push(await checkMessage(message, this.#schema));
      } catch (error) {
        this.#host.error(error);
      }
    }
    return { ...page, messages };
  }

  /** Reads what came after a position, until what is held goes on from there. */
  async #catchUp(
    since: StreamPosition,
    delivery: Delivery<T>,
    stop: { readonly signal?: AbortSignal },
  ): Promise<void> {
    let from = since;
    for (;;) {
      const { messages, gap, position } = await this.#history({
        since: from,
        limit: PAGE_MESSAGES,
        ...stop,
      });
      if (gap) delivery.gap("trimmed");
      for (const message of messages) delivery.past(message);
      from = { epoch: position.epoch, offset: messages.at(-1)?.offset ?? position.offset };
      if (from.offset >= position.offset && delivery.release(from.offset)) return;
    }
  }

  async #history(options: HistoryOptions): Promise<HistoryPage<unknown>> {
    return readHistory(
      this.name,
      await this.#ask("$history", historyQuery(options), options.signal),
    );
  }

  /** Asks the gateway itself; again when the connection broke, because nothing was changed. */
  async #ask(method: string, query: unknown, signal: AbortSignal | undefined): Promise<unknown> {
    for (;;) {
      const event = makeEvent(this.name, this.#host.source, query, { type: method });
      try {
        const options = { method, signal };
        const reply = await this.#host.request("rpc_request", this.name, event, options);
        return readData(reply.body as WireEvent);
      } catch (error) {
        if (!(error instanceof GatewayConnectionLostError)) throw error;
      }
    }
  }
}

/** Settles as the promise, or rejects when the signal is aborted before. */
function aborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}
