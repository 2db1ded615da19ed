import { messageOf } from "../base/mod.ts";
import type { Connection } from "./connection.ts";
import { defineMessage, type MessageDefinition, type MessageType } from "./define_message.ts";
import { ConnectionClosedError, InvalidConfigError, TopicRefusedError } from "./errors.ts";
import { Pipe, type PipeConnection, type PipeHost, type PipeSendOptions } from "./pipe.ts";
import type { PipeMessage } from "./pipe_message.ts";
import { patternLevels, topicLevels, TopicTree } from "./topics.ts";

/** Options of a {@linkcode TopicPipe}. */
export interface TopicPipeOptions {
  /**
   * The topic that a message names; undefined for one that names none and goes to all.
   *
   * @default `value.topic`, when that is a text
   */
  readonly topicOf?: (message: PipeMessage) => string | undefined;
  /** Whether a server passes what a client sends on to those that asked for it. @default {true} */
  readonly relay?: boolean;
  /** Whether a client may ask for a pattern of topics. @default any may */
  readonly maySubscribe?: (connection: PipeConnection, pattern: string) => boolean;
  /** Whether what a client sends to a topic is passed on. @default it is */
  readonly mayPublish?: (connection: PipeConnection, topic: string) => boolean;
  /** Patterns that one connection may ask for. @default {1000} */
  readonly maxTopics?: number;
  /** Code of the pipe's own messages, the same at both ends. @default {2} */
  readonly code?: number;
}

/** What the pipe says to the one at the other end. */
type Control =
  | { readonly subscribe: string }
  | { readonly unsubscribe: string }
  | { readonly subscribed: string }
  | { readonly refused: string; readonly reason: string };

/** A server's side of a connection, by pattern; a client's is in `#dialled`. */
type Patterns = Map<string, readonly string[]>;

const REASON_LENGTH_MAX = 500;
const TYPE_NAME = "keyop.Topic";

/**
 * Turns a broker into topic pub/sub: a message that names a topic reaches only the connections that
 * asked for it. Both ends have the pipe; the client's says which topics it wants.
 *
 * Topics have levels between dots. A pattern may have `*` for one level, and end in `>` for one or more:
 * `lab.*.temperature`, `lab.>`. What a client sends to a topic the server passes on to all that asked
 * for it, the sender too if it did, and hands to its own handler. The pipe's own messages never reach a
 * handler.
 *
 * @example
 * ```ts
 * import { defineMessage, MessageBroker, TopicPipe } from "@keyop/messenger/pipes";
 * import { assertEquals } from "@std/assert";
 *
 * const Reading = defineMessage<{ topic: string; celsius: number }>({ code: 10, name: "Reading" });
 * await using server = new MessageBroker({ messages: [Reading], pipes: [new TopicPipe()] });
 * const { url } = await server.serve({ port: 0 });
 *
 * const topics = new TopicPipe();
 * const received = Promise.withResolvers<unknown>();
 * await using client = new MessageBroker({
 *   messages: [Reading],
 *   pipes: [topics],
 *   onMessage: (_connection, message) => received.resolve(message.value),
 * });
 * await client.connect(url);
 * await topics.subscribe("lab.*.temperature");
 *
 * await server.send(Reading({ topic: "attic.temperature", celsius: 31 }));
 * await server.send(Reading({ topic: "lab.north.temperature", celsius: 21.5 }));
 * assertEquals(await received.promise, { topic: "lab.north.temperature", celsius: 21.5 });
 * ```
 */
export class TopicPipe extends Pipe {
  readonly #options: Required<TopicPipeOptions>;
  readonly #type: MessageType<Control>;
  readonly #tree = new TopicTree<PipeConnection>();
  /** What each accepted connection asked for. */
  readonly #asked = new Map<
    PipeConnection,
    { readonly host: PipeHost; readonly patterns: Patterns }
  >();
  readonly #dialled = new Map<PipeConnection, PipeHost>();
  /** What this end wants, whether it is connected or not. */
  readonly #wanted = new Set<string>();
  readonly #unanswered = new Map<string, PromiseWithResolvers<void>>();

  /**
   * Makes the pipe.
   *
   * @param options How to find a message's topic, who may do what, limits.
   * @throws {InvalidConfigError} When the code or the limit cannot be used.
   */
  constructor(options: TopicPipeOptions = {}) {
    super();
    const { code = 2, maxTopics = 1000 } = options;
    if (!Number.isInteger(maxTopics) || maxTopics < 1) {
      throw new InvalidConfigError(
        `Cannot use ${maxTopics} as maxTopics: give a whole number from 1`,
      );
    }
    this.#options = {
      topicOf: options.topicOf ?? topicOfValue,
      relay: options.relay ?? true,
      maySubscribe: options.maySubscribe ?? (() => true),
      mayPublish: options.mayPublish ?? (() => true),
      maxTopics,
      code,
    };
    this.#type = defineMessage<Control>({ code, name: TYPE_NAME });
  }

  /** The type of the pipe's own messages. */
  override get messages(): readonly MessageDefinition[] {
    return [this.#type];
  }

  /**
   * Asks the server for the topics of a pattern, now and after each time that the broker connects again.
   *
   * @param pattern A topic, or a pattern of topics.
   * @returns Settles once the server has agreed; at once while the broker is not connected.
   * @throws {InvalidTopicError} When it is none.
   * @throws {TopicRefusedError} When the server refuses, or the pattern is one more than `maxTopics`.
   * @throws {ConnectionClosedError} When the connection is closed before the server has answered; the
   *   pattern stays asked for.
   */
  async subscribe(pattern: string): Promise<void> {
    patternLevels(pattern);
    const { maxTopics } = this.#options;
    if (!this.#wanted.has(pattern) && this.#wanted.size >= maxTopics) {
      throw new TopicRefusedError(pattern, `there are ${maxTopics} patterns already`);
    }
    this.#wanted.add(pattern);
    if (this.#dialled.size === 0) return;
    let answer = this.#unanswered.get(pattern);
    if (answer === undefined) {
      this.#unanswered.set(pattern, answer = Promise.withResolvers());
      // Whoever asked first may have gone; the answer is for those who wait.
      answer.promise.catch(() => {});
      await this.#tell({ subscribe: pattern });
    }
    await answer.promise;
  }

  /**
   * Asks for them no more. What is on its way still comes.
   *
   * @param pattern The same text that was asked for.
   */
  async unsubscribe(pattern: string): Promise<void> {
    if (this.#wanted.delete(pattern)) await this.#tell({ unsubscribe: pattern });
  }

  /** What a connection asked for: the patterns of a client, on the server's side. */
  topicsOf(connection: PipeConnection): readonly string[] {
    return [...this.#asked.get(connection)?.patterns.keys() ?? []];
  }

  /** Needs a broker: a messenger has channels. */
  override attached({ kind }: PipeHost): void {
    if (kind === "broker") return;
    throw new InvalidConfigError("Cannot use a TopicPipe around a messenger: publish to channels");
  }

  /** Asks a server for what is wanted. */
  override opened(connection: PipeConnection, host: PipeHost): void {
    if ((connection as Connection).direction === "accepted") {
      this.#asked.set(connection, { host, patterns: new Map() });
      return;
    }
    this.#dialled.set(connection, host);
    for (const pattern of this.#wanted) {
      // A connection that is lost again is told of elsewhere, and asked anew once it is back.
      this.#tellOne(connection, host, { subscribe: pattern }).catch(() => {});
    }
  }

  /** Forgets what the other end asked for. */
  override closed(connection: PipeConnection): void {
    const asked = this.#asked.get(connection);
    this.#asked.delete(connection);
    for (const levels of asked?.patterns.values() ?? []) this.#tree.delete(levels, connection);
    // What waits for an answer was asked anew on a connection that is there already.
    if (!this.#dialled.delete(connection) || this.#dialled.size > 0) return;
    const error = new ConnectionClosedError(
      connection.peer,
      1006,
      "before the server had answered",
    );
    for (const { reject } of this.#unanswered.values()) reject(error);
    this.#unanswered.clear();
  }

  /** Takes the pipe's own messages, and passes on what a client sends to a topic. */
  override async handle(connection: PipeConnection, message: PipeMessage): Promise<void> {
    if (message.type === TYPE_NAME) return await this.#control(connection, message);
    const asked = this.#asked.get(connection);
    const topic = asked === undefined || !this.#options.relay
      ? undefined
      : this.#options.topicOf(message);
    if (topic !== undefined) {
      const levels = topicLevels(topic);
      if (!this.#options.mayPublish(connection, topic)) {
        throw new TopicRefusedError(topic, `${connection.peer} may not publish to it`);
      }
      await this.#relay(message, asked!.host, levels);
    }
    await super.handle(connection, message);
  }

  /** Leaves those that asked for the message's topic. */
  override async send(
    message: PipeMessage,
    connections: readonly PipeConnection[],
    options?: PipeSendOptions,
  ): Promise<void> {
    const topic = message.type === TYPE_NAME ? undefined : this.#options.topicOf(message);
    if (topic === undefined) return await super.send(message, connections, options);
    const wanting = this.#tree.match(topicLevels(topic));
    // A client sends to its server, which knows who asked.
    const left = connections.filter((each) => wanting.has(each) || this.#dialled.has(each));
    if (left.length > 0) await super.send(message, left, options);
  }

  async #relay(message: PipeMessage, host: PipeHost, levels: readonly string[]): Promise<void> {
    const wanting = this.#tree.match(levels);
    const left = host.connections.filter((each) => wanting.has(each));
    if (left.length === 0) return;
    try {
      await super.send(message, left);
    } catch (error) {
      // Those that left meanwhile miss it; the sender has no part in that.
      if (!(error instanceof ConnectionClosedError)) throw error;
    }
  }

  async #control(connection: PipeConnection, message: PipeMessage): Promise<void> {
    const { subscribe, unsubscribe, subscribed, refused, reason } = fieldsOf(message.value);
    if (!this.#asked.has(connection)) {
      if (subscribed !== undefined) this.#answered(subscribed, undefined);
      if (refused !== undefined) {
        this.#answered(refused, new TopicRefusedError(refused, reason ?? "no reason given"));
      }
      return;
    }
    const { host, patterns } = this.#asked.get(connection)!;
    if (unsubscribe !== undefined && patterns.has(unsubscribe)) {
      this.#tree.delete(patterns.get(unsubscribe)!, connection);
      patterns.delete(unsubscribe);
    }
    if (subscribe !== undefined) {
      const refusal = this.#ask(connection, patterns, subscribe);
      await this.#tellOne(
        connection,
        host,
        refusal === undefined
          ? { subscribed: subscribe }
          : { refused: subscribe, reason: refusal.slice(0, REASON_LENGTH_MAX) },
      );
    }
  }

  /** @returns Why it is refused; undefined when it is not. */
  #ask(connection: PipeConnection, patterns: Patterns, pattern: string): string | undefined {
    if (patterns.has(pattern)) return undefined;
    const { maySubscribe, maxTopics } = this.#options;
    if (patterns.size >= maxTopics) return `there are ${maxTopics} patterns already`;
    try {
      const levels = patternLevels(pattern);
      if (!maySubscribe(connection, pattern)) return "it is not for this client";
      patterns.set(pattern, levels);
      this.#tree.add(levels, connection);
      return undefined;
    } catch (error) {
      return messageOf(error);
    }
  }

  #answered(pattern: string, error: TopicRefusedError | undefined): void {
    if (error !== undefined) this.#wanted.delete(pattern);
    const answer = this.#unanswered.get(pattern);
    this.#unanswered.delete(pattern);
    if (error === undefined) answer?.resolve();
    else answer?.reject(error);
  }

  async #tell(control: Control): Promise<void> {
    await Promise.all(
      [...this.#dialled].map(([connection, host]) => this.#tellOne(connection, host, control)),
    );
  }

  #tellOne(connection: PipeConnection, host: PipeHost, control: Control): Promise<void> {
    return super.send(host.message(TYPE_NAME, control), [connection]);
  }
}

function topicOfValue({ value }: PipeMessage): string | undefined {
  const topic = (value as { readonly topic?: unknown } | null | undefined)?.topic;
  return typeof topic === "string" ? topic : undefined;
}

/** The texts of a control message, whoever sent it. */
function fieldsOf(value: unknown): Partial<Record<string, string>> {
  if (typeof value !== "object" || value === null) return {};
  return Object.fromEntries(Object.entries(value).filter(([, text]) => typeof text === "string"));
}
