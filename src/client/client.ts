import type { PayloadSchema } from "../registry/mod.ts";
import { parsePayload } from "../registry/mod.ts";
import { type ChannelHost, GatewayChannel } from "./channel.ts";
import { Emitter } from "./emitter.ts";
import type { GatewayClientEvents, GatewayClientState, GatewayRpcOptions } from "./client_types.ts";
import { deferred } from "./deferred.ts";
import {
  type GatewayClientError,
  GatewayConnectionLostError,
  GatewayNotConnectedError,
  GatewayReplyError,
  GatewayUnreachableError,
} from "./errors.ts";
import type { ClientFrame, ServerFrame, WireEvent } from "./frames.ts";
import { jsonCodec } from "./json_codec.ts";
import { Keeper } from "./keeper.ts";
import { makeEvent, readData } from "./message.ts";
import { type GatewayClientOptions, type ResolvedOptions, resolveOptions } from "./options.ts";
import { Requests } from "./requests.ts";
import { Subscriptions } from "./subscriptions.ts";
import { answerSurvey, surveyChannel, type SurveyHandler } from "./surveys.ts";
import type { TransportKind } from "./transport.ts";

/**
 * A client of the gateway, for browsers, Deno and Node. It keeps a connection, makes it again when it
 * breaks, and has what was missed meanwhile repeated.
 *
 * Browsers need no permission, Deno needs `--allow-net` for the gateway.
 *
 * @example
 * ```ts
 * import { GatewayClient } from "@keyop/messenger/client";
 * import { Gateway } from "@keyop/messenger/gateway";
 *
 * await using gateway = await Gateway.open({
 *   server: { allowAnonymous: true, http: { enabled: false } },
 *   transport: { websocket: { addr: "127.0.0.1:0" }, grpc: { enabled: false } },
 * });
 * await using client = new GatewayClient(`ws://${gateway.addresses.websocket}/ws`);
 * await client.connect();
 * client.on("gap", ({ channel, reason }) => console.warn(`${channel} has a hole: ${reason}`));
 *
 * const readings = client.channel<{ celsius: number }>("readings");
 * await readings.subscribe(({ data, offset }) => console.log(offset, data.celsius));
 * await readings.publish({ celsius: 21.5 });
 * ```
 */
export class GatewayClient implements AsyncDisposable {
  readonly #url: URL;
  readonly #options: ResolvedOptions;
  readonly #emitter: Emitter<GatewayClientEvents>;
  readonly #keeper: Keeper;
  readonly #requests: Requests;
  readonly #subscriptions: Subscriptions;
  readonly #surveys = new Map<string, SurveyHandler>();
  readonly #host: ChannelHost;
  #state: GatewayClientState = "idle";
  #sessionId: string | undefined;
  #closed: GatewayClientError | undefined;
  #lastFailure: unknown;
  #frames = 0;

  /**
   * Makes it; {@linkcode connect} connects.
   *
   * @param url Where the gateway listens, such as `wss://example.com/ws`; browsers take `/ws` for their
   *   own site.
   * @param options The token, times and bounds.
   * @throws {TypeError} When the address is none.
   * @throws {RangeError} When an option makes no sense.
   */
  constructor(url: string | URL, options: GatewayClientOptions = {}) {
    this.#url = webSocketUrl(url);
    this.#options = resolveOptions(options, jsonCodec);
    const { maxPending, maxPendingBytes, requestTimeoutMs, clientId, codec } = this.#options;
    this.#requests = new Requests(maxPending, maxPendingBytes);
    this.#emitter = new Emitter((error) => this.#report(error));
    this.#subscriptions = new Subscriptions({
      requestTimeoutMs,
      send: (kind, body, metadata) => {
        if (!this.#keeper.connected) return undefined;
        const id = this.#nextId();
        this.#keeper.send(codec.encode({ id, kind, body, metadata }));
        return id;
      },
      recovered: (channel, position) => this.#emitter.emit("recovered", { channel, position }),
      gap: (channel, reason) => this.#emitter.emit("gap", { channel, reason }),
      direct: (message) => this.#emitter.emit("direct", message),
      error: (error) => this.#report(error),
    });
    this.#keeper = new Keeper(this.#url, this.#options, () => this.#nextId(), {
      connecting: () => this.#setState("connecting"),
      connected: (frame, transport) => this.#connected(frame, transport),
      frame: (frame) => this.#received(frame),
      lost: ({ code, reason }) => {
        this.#subscriptions.lost();
        this.#requests.connectionLost(new GatewayConnectionLostError(code, reason));
      },
      drained: () => this.#requests.drained(2_000),
      disconnected: ({ code, reason, cause }, retryInMs) => {
        this.#lastFailure = cause ?? new GatewayConnectionLostError(code, reason);
        this.#setState("waiting");
        this.#emitter.emit("disconnected", { code, reason, retryInMs, cause });
      },
      error: (error) => this.#report(error),
      closed: (error) => this.#ended(error),
    });
    this.#host = {
      source: encodeURI(clientId),
      subscriptions: this.#subscriptions,
      request: (kind, channel, event, given) => this.#request(kind, channel, event, given),
      check: () => this.#check(),
      error: (error) => this.#report(error),
    };
  }

  /** What it is doing. */
  get state(): GatewayClientState {
    return this.#state;
  }

  /** Names the connection; undefined while there is none. */
  get sessionId(): string | undefined {
    return this.#state === "connected" ? this.#sessionId : undefined;
  }

  /** How many requests wait for the connection or for their answers. */
  get pending(): number {
    return this.#requests.size;
  }

  /**
   * Calls a listener whenever something happens.
   *
   * @param name What.
   * @param listener Gets told.
   * @returns Takes the listener off again.
   */
  on<Name extends keyof GatewayClientEvents>(
    name: Name,
    listener: (event: GatewayClientEvents[Name]) => void,
  ): () => void {
    return this.#emitter.on(name, listener);
  }

  /**
   * Connects, and settles once there is a connection. It tries until it is told to stop.
   *
   * @param options `signal` ends the attempts and closes the client, such as `AbortSignal.timeout(10_000)`.
   * @throws {GatewayRejectedError} When the gateway refuses this client.
   * @throws {GatewayUnreachableError} When the signal was aborted first.
   */
  connect(options: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const { signal } = options;
    if (this.#closed) return Promise.reject(this.#closed);
    if (this.#state === "connected") return Promise.resolve();
    const { promise, resolve, reject } = deferred<void>();
    const abort = () =>
      this.#keeper.close(
        new GatewayUnreachableError(this.#url.href, { cause: this.#lastFailure ?? signal?.reason }),
      );
    const off = [this.on("connected", () => resolve()), this.on("closed", reject)];
    signal?.addEventListener("abort", abort);
    const begins = this.#state === "idle";
    if (signal?.aborted) abort();
    else if (begins) this.#keeper.start();
    return promise.finally(() => {
      signal?.removeEventListener("abort", abort);
      for (const each of off) each();
    });
  }

  /**
   * A channel. Nothing is sent until it is used.
   *
   * @typeParam T Type of its data.
   * @param name Its name, or a pattern to subscribe to: a segment `*` stands for one segment of any text.
   * @param schema What its data has to be: any Standard Schema (zod, valibot, arktype and others), or a
   *   function that returns the value or throws.
   *
   * @example
   * ```ts
   * import { GatewayClient } from "@keyop/messenger/client";
   * import { z } from "zod";
   *
   * await using client = new GatewayClient("ws://127.0.0.1:9080/ws");
   * const readings = client.channel("readings", z.object({ celsius: z.number() }));
   * const publish = () => readings.publish({ celsius: 21.5 });
   * console.log(typeof publish);
   * ```
   */
  channel<T = unknown>(name: string, schema?: PayloadSchema<T>): GatewayChannel<T> {
    if (name === "") throw new TypeError("Cannot use an empty channel name");
    return new GatewayChannel(this.#host, name, schema);
  }

  /**
   * Calls a method of a backend behind the gateway.
   *
   * @typeParam T Type of the answer.
   * @param channel The channel, by which the gateway finds the backend.
   * @param method The method.
   * @param data What to give it: JSON or bytes.
   * @param options Time limit and schema of the answer.
   * @returns The data of the answer.
   * @throws {GatewayReplyError} When the backend answers with an error, or the gateway has none.
   * @throws {GatewayTimeoutError} When no answer comes in time.
   * @throws {GatewayConnectionLostError} When the connection broke before the answer.
   * @throws {PayloadInvalidError} When the answer does not fit its schema.
   */
  async rpc<T = unknown>(
    channel: string,
    method: string,
    data?: unknown,
    options: GatewayRpcOptions<T> = {},
  ): Promise<T> {
    const event = makeEvent(channel, this.#host.source, data, { type: method, ...options });
    const timeoutMs = options.timeoutMs ?? 30_000;
    const reply = await this.#request("rpc_request", channel, event, {
      ...options,
      method,
      timeoutMs,
    });
    return await parsePayload(method, options.schema, readData(reply.body as WireEvent)) as T;
  }

  /**
   * Answers the surveys of a channel that this client is subscribed to.
   *
   * @param channel The channel.
   * @param handler Returns the answer, or throws; its message is the answer then.
   * @returns Takes the handler off again. Without one, surveys stay unanswered.
   */
  onSurvey(channel: string, handler: SurveyHandler): () => void {
    this.#surveys.set(channel, handler);
    return () => {
      if (this.#surveys.get(channel) === handler) this.#surveys.delete(channel);
    };
  }

  /** Closes the connection and ends all that waits. It cannot be used again. */
  close(): void {
    this.#keeper.close();
  }

  /** The same as {@linkcode close}. */
  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }

  #connected(frame: ServerFrame & { readonly kind: "connected" }, transport: TransportKind): void {
    const reconnected = this.#sessionId !== undefined;
    this.#sessionId = frame.body.sessionId;
    this.#lastFailure = undefined;
    this.#setState("connected");
    this.#emitter.emit("connected", { sessionId: this.#sessionId, transport, reconnected });
    for (const message of frame.body.messages) this.#subscriptions.deliver(message);
    this.#subscriptions.connected();
    this.#flush();
  }

  #received(frame: ServerFrame): void {
    switch (frame.kind) {
      case "publication":
        for (const message of frame.body) this.#subscriptions.deliver(message);
        break;
      case "subscribe_ack":
        this.#subscriptions.acknowledged(frame);
        break;
      case "publish_ack":
      case "rpc_reply":
        this.#requests.settle(frame);
        break;
      case "error":
        if (!this.#requests.settle(frame) && !this.#subscriptions.refused(frame.id, frame.body)) {
          this.#report(new GatewayReplyError(frame.body));
        }
        break;
      case "survey_request":
        this.#answer(frame.body.requestId, frame.body.payload);
        break;
    }
  }

  #answer(requestId: string, question: WireEvent): void {
    const handler = this.#surveys.get(surveyChannel(question));
    if (handler === undefined) return;
    const send = (frame: ClientFrame) => this.#keeper.send(this.#options.codec.encode(frame));
    answerSurvey(handler, this.#host.source, requestId, question)
      .then((body) => send({ id: this.#nextId(), kind: "survey_response", body }))
      .catch((error) => this.#report(error));
  }

  #request(
    kind: "publish" | "rpc_request",
    channel: string,
    event: WireEvent,
    options: Parameters<ChannelHost["request"]>[3],
  ): Promise<ServerFrame> {
    this.#check();
    if (this.#options.offline === "refuse" && !this.#keeper.connected) {
      throw new GatewayNotConnectedError();
    }
    const { method, timeoutMs, signal } = options;
    const id = this.#nextId();
    const reply = this.#requests.add({
      id,
      frame: this.#options.codec.encode({
        id,
        kind,
        channel,
        ...(method === undefined ? {} : { method }),
        body: event,
      }),
      what: `${method ?? kind} on ${channel}`,
      limitMs: timeoutMs ?? this.#options.requestTimeoutMs,
      limitWaiting: timeoutMs !== undefined,
      signal,
    });
    this.#flush();
    return reply;
  }

  #flush(): void {
    if (this.#keeper.connected) this.#requests.flush((frame) => this.#keeper.send(frame));
  }

  #check(): void {
    if (this.#closed !== undefined) throw this.#closed;
    if (this.#state === "idle") throw new GatewayNotConnectedError();
  }

  #ended(error: GatewayClientError): void {
    this.#closed = error;
    this.#requests.close(this.#closed);
    this.#subscriptions.close(this.#closed);
    this.#setState("closed");
    this.#emitter.emit("closed", this.#closed);
  }

  #setState(state: GatewayClientState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.#emitter.emit("state", state);
  }

  #report(error: unknown): void {
    try {
      this.#emitter?.emit("error", error);
    } catch {
      // A listener of errors that throws has nobody left to tell.
    }
  }

  #nextId(): string {
    return String(++this.#frames);
  }
}

function webSocketUrl(url: string | URL): URL {
  const base = (globalThis as { location?: { href?: string } }).location?.href;
  const parsed = new URL(url, base);
  parsed.protocol = parsed.protocol.replace("http", "ws");
  if (!/^wss?:$/.test(parsed.protocol)) {
    throw new TypeError(`Cannot connect to ${url}: give an address of ws:, wss:, http: or https:`);
  }
  parsed.hash = "";
  return parsed;
}
