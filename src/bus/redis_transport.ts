import type { Buffer } from "node:buffer";
import { type Logger, messageOf } from "../base/mod.ts";
import type { RedisConnections } from "./redis_connections.ts";
import { RedisReplies } from "./redis_replies.ts";
import { type ScriptedRedis, withScripts } from "./redis_scripts.ts";
import { RedisServing } from "./redis_serving.ts";
import { RedisStreams } from "./redis_streams.ts";
import {
  decodeMessage,
  encodeMessage,
  encodeReply,
  encodeRequest,
  type StoredRequest,
} from "./redis_wire.ts";
import { RunningRequests } from "./running_requests.ts";
import type {
  BusTransport,
  Frame,
  IncomingRequest,
  OutgoingRequest,
  ReplyFrame,
  SentRequest,
  TransportSubscription,
} from "./transport.ts";
import { within } from "./within.ts";

/** Requests of one subject that may wait for a server. */
const WAITING_REQUESTS_MAX = 10_000;
/** Replies that may wait for one caller. */
const WAITING_REPLIES_MAX = 10_000;
/** How long closing waits for a server that is silent. */
const CLOSE_MS = 2_000;
/** How long replies wait for a caller that is gone. */
const REPLIES_EXPIRE_MS = 60_000;

/** Carries a bus over Redis: pub/sub for streams, lists for requests and replies. */
export class RedisTransport implements BusTransport {
  readonly name = "redis";
  readonly maxPayloadBytes: number;
  readonly #connections: RedisConnections;
  readonly #commands: ScriptedRedis;
  readonly #logger: Logger;
  readonly #prefix: string;
  readonly #streams: RedisStreams;
  readonly #replies: RedisReplies;
  readonly #farewells = new Set<Promise<unknown>>();
  /** Milliseconds by which the clock here is ahead of the server's. */
  readonly #aheadMs: number;

  private constructor(
    connections: RedisConnections,
    commands: ScriptedRedis,
    aheadMs: number,
    options: { prefix: string; maxPayloadBytes: number; logger: Logger },
  ) {
    this.#connections = connections;
    this.#commands = commands;
    this.#aheadMs = aheadMs;
    this.#logger = options.logger;
    this.#prefix = options.prefix;
    this.maxPayloadBytes = options.maxPayloadBytes;
    this.#streams = new RedisStreams(connections, options.logger);
    const key = `${options.prefix}replies:${crypto.randomUUID()}`;
    this.#replies = new RedisReplies(connections, key, options.logger);
  }

  /** Connects. */
  static async open(
    connections: RedisConnections,
    options: { prefix: string; maxPayloadBytes: number; logger: Logger },
  ): Promise<RedisTransport> {
    const commands = withScripts(await connections.open("commands"));
    const [seconds, micros] = await commands.time();
    const aheadMs = Date.now() - (Number(seconds) * 1_000 + Math.floor(Number(micros) / 1_000));
    return new RedisTransport(connections, commands, aheadMs, options);
  }

  async publish(subject: string, frame: Frame): Promise<void> {
    try {
      await this.#commands.publish(this.#key("stream", subject), encodeMessage(frame));
    } catch (error) {
      throw this.#connections.failed(error);
    }
  }

  async subscribe(
    subject: string,
    deliver: (frame: Frame) => void | Promise<void>,
  ): Promise<TransportSubscription> {
    const listening = await this.#streams.listen(
      this.#key("stream", subject),
      (bytes) => void deliver(decodeMessage(bytes)),
    );
    return {
      get dropped() {
        return listening.gaps;
      },
      close: () => within(CLOSE_MS, listening.close()),
    };
  }

  async request(
    subject: string,
    request: OutgoingRequest,
    onReply: (frame: ReplyFrame) => void | Promise<void>,
  ): Promise<SentRequest> {
    await this.#replies.start();
    const more = (id: string) => this.#tell(subject, `more ${this.#replies.key} ${id}`);
    const id = this.#replies.expect({ onReply, more });
    const key = this.#key("requests", subject);
    const entry = encodeRequest(id, this.#replies.key, request);
    const timeoutMs = Math.max(1, Math.ceil(request.deadline - Date.now()));
    try {
      if (await this.#commands.busAsk(key, entry, timeoutMs, WAITING_REQUESTS_MAX) === 0) {
        throw this.#connections.error(
          `${WAITING_REQUESTS_MAX} requests on ${subject} wait already; start more servers`,
        );
      }
    } catch (error) {
      this.#replies.forget(id);
      throw this.#connections.failed(error);
    }
    return { cancel: () => this.#cancel(subject, key, id, entry) };
  }

  async serve(
    subject: string,
    take: (request: IncomingRequest) => void | Promise<void>,
  ): Promise<TransportSubscription> {
    const running = new RunningRequests();
    const controls = await this.#streams.listen(this.#key("control", subject), (bytes) => {
      const [what, ...key] = bytes.toString().split(" ");
      if (what === "cancel") running.cancel(key.join(" "));
      else if (what === "more") running.answer(key.join(" "));
    });
    const serving = await RedisServing.start({
      connections: this.#connections,
      commands: this.#commands,
      key: this.#key("requests", subject),
      logger: this.#logger,
      take: (request) => {
        const deadline = request.deadline + this.#aheadMs;
        if (deadline > Date.now()) return take(this.#incoming(request, deadline, running));
      },
    }).catch(async (error) => {
      await controls.close();
      throw error;
    });
    return {
      dropped: 0,
      close: async () => {
        await serving.close();
        await within(CLOSE_MS, controls.close());
      },
    };
  }

  async close(): Promise<void> {
    if (this.#commands.status === "ready") {
      await within(CLOSE_MS, Promise.allSettled(this.#farewells));
      await within(CLOSE_MS, this.#commands.del(this.#replies.key));
    }
    this.#connections.closeAll();
    await this.#replies.ended();
  }

  #key(kind: "stream" | "requests" | "control", subject: string): string {
    return `${this.#prefix}${kind}:${subject}`;
  }

  /** Tells the servers of a subject about a request that one of them has taken. */
  #tell(subject: string, what: string): void {
    this.#underWay(this.#commands.publish(this.#key("control", subject), what));
  }

  /** Something that nobody waits for, except for closing. What fails has no effect, as without it. */
  #underWay(command: Promise<unknown>): void {
    const done = () => void this.#farewells.delete(command);
    this.#farewells.add(command);
    command.then(done, done);
  }

  #cancel(subject: string, key: string, id: string, entry: Buffer): void {
    const { isForgotten, hasReplies } = this.#replies.forget(id);
    if (isForgotten || this.#commands.status !== "ready") return;
    if (!hasReplies) this.#underWay(this.#commands.busRetract(key, entry));
    this.#tell(subject, `cancel ${this.#replies.key} ${id}`);
  }

  #incoming(request: StoredRequest, deadline: number, running: RunningRequests): IncomingRequest {
    const { id, to, data, headers } = request;
    const key = `${to} ${id}`;
    return {
      data,
      headers,
      deadline,
      cancelled: running.start(key, deadline),
      reply: async (frame) => {
        if (frame.kind !== "data") running.finish(key);
        const asks = frame.kind === "data" && running.asks(key);
        if (await this.#answer(to, encodeReply({ id, asks, frame }), deadline)) {
          return asks ? await running.untilRoom(key) : undefined;
        }
        // Nobody fetches them: the caller is gone.
        running.cancel(key);
        throw this.#connections.error(`${WAITING_REPLIES_MAX} replies wait for the caller already`);
      },
    };
  }

  async #answer(to: string, entry: Buffer, deadline: number): Promise<boolean> {
    for (;;) {
      try {
        return await this.#commands.busAnswer(
          to,
          entry,
          REPLIES_EXPIRE_MS,
          WAITING_REPLIES_MAX,
        ) === 1;
      } catch (error) {
        const isOver = this.#connections.isClosed || Date.now() >= deadline;
        if (isOver || this.#commands.status === "ready") throw this.#connections.failed(error);
        this.#logger.debug("waits with a reply for Redis", { error: messageOf(error) });
        await this.#connections.whenReady(this.#commands);
      }
    }
  }
}
