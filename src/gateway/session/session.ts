import { messageOf } from "../../base/mod.ts";
import { BrokerUnavailableError, EventRefusedError } from "../broker/mod.ts";
import { type Codec, DecodeError } from "../codec/mod.ts";
import type { GatewayEvent } from "../event.ts";
import { ChannelRefusedError } from "../pattern/mod.ts";
import type { client } from "../proto/mod.ts";
import { Calls } from "./calls.ts";
import { ClientSurveys } from "./client_surveys.ts";
import { connect } from "./connect.ts";
import type { Delivery } from "./delivery.ts";
import { type Disconnect, disconnectOf, DISCONNECTS } from "./disconnect.ts";
import { ErrorBudget } from "./error_budget.ts";
import { errorEnvelope, outbound, type OutboundEnvelope, type RequestHead } from "./frames.ts";
import type { SessionHost } from "./host.ts";
import { Inbox } from "./inbox.ts";
import { Outbox } from "./outbox.ts";
import type { Caller, ClientTransport, Frame, User } from "./ports.ts";
import { Publishing } from "./publishing.ts";
import { Replays } from "./replay.ts";
import type { Scopes } from "./scope.ts";
import { type Prepared, Subscriptions } from "./subscriptions.ts";
import { SessionTimers } from "./timers.ts";
import { badRequest, RequestError, undecodable, type WireError, wireError } from "./wire_error.ts";

const NOBODY: User = { id: "", claims: {} };

/** Where a connection stands. */
export type SessionState = "open" | "connecting" | "connected" | "closed";

/**
 * One connection: takes the client's frames, answers them, and delivers publications. It has one
 * reader, the transport, and one writer, its outbox; whatever ends it ends it once.
 */
export class Session {
  /** A new UUID. */
  readonly id: string = crypto.randomUUID();
  readonly transport: ClientTransport;
  readonly codec: Codec;
  readonly scopes: Scopes;
  readonly subscriptions: Subscriptions;
  /** As the client named itself; empty before it connected. */
  clientId = "";
  /** Nobody before it connected. */
  user: User = NOBODY;
  /** Wall time in milliseconds since 1970; 0 before it connected. */
  connectedAtMs = 0;
  readonly #host: SessionHost;
  readonly #outbox: Outbox;
  readonly #inbox = new Inbox();
  readonly #timers: SessionTimers;
  #state: SessionState = "open";
  #calls: Calls | undefined;
  #replays: Replays | undefined;
  #abort: AbortController | undefined;
  #errors: ErrorBudget | undefined;
  #publishing: Publishing | undefined;
  #surveys: ClientSurveys | undefined;

  /**
   * Begins a session on a transport that has just opened.
   *
   * @param transport The way to the client.
   * @param codec What the client speaks.
   * @param scopes What the connection counts towards.
   * @param host The gateway.
   */
  constructor(transport: ClientTransport, codec: Codec, scopes: Scopes, host: SessionHost) {
    this.transport = transport;
    this.codec = codec;
    this.scopes = scopes;
    this.subscriptions = new Subscriptions(this, host);
    this.#host = host;
    this.#outbox = new Outbox({
      transport,
      clock: host.clock,
      framesMax: host.limits.outboundFrames,
      bytesMax: host.limits.outboundBytes,
      writeTimeoutMs: host.limits.writeTimeoutMs,
      onStuck: () => this.#slow(),
    });
    this.#timers = new SessionTimers(host.clock, (disconnect) => this.end(disconnect));
    this.#timers.awaitConnect(host.settings.authTimeoutMs);
  }

  /** Where it stands. */
  get state(): SessionState {
    return this.#state;
  }

  /** Aborted when the session ends. */
  get signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#state === "closed") this.#abort.abort();
    return this.#abort.signal;
  }

  /** Who backends are called for. */
  get caller(): Caller {
    return { sessionId: this.id, clientId: this.clientId, userId: this.user.id };
  }

  /** The user id or else the client id. */
  get username(): string {
    return this.user.id || this.clientId;
  }

  /** Frames and bytes that wait for the client. */
  get pending(): { readonly frames: number; readonly bytes: number } {
    return { frames: this.#outbox.size, bytes: this.#outbox.bytes };
  }

  /** The replays of this session. */
  get replays(): Replays {
    return this.#replays ??= new Replays({
      broker: this.#host.broker,
      codec: this.codec,
      form: this.#host.settings.dataForm,
      outbox: this.#outbox,
      heldMax: Math.max(1, this.#host.limits.outboundFrames >> 1),
      logger: this.#host.logger,
      now: () => this.#host.clock.now(),
      send: (frame) => this.send(frame),
      onFailed: () => this.#slow(),
    });
  }

  /**
   * Takes a frame of the client.
   *
   * @param frame As it arrived.
   * @returns Nothing when more can come; else what settles when the transport should read on.
   */
  receive(frame: Uint8Array | string): Promise<void> | undefined {
    try {
      return this.#take(frame);
    } catch (error) {
      // Whatever a client sends, it is the client that goes.
      this.#host.logger.error("frame failed", { session: this.id, error: messageOf(error) });
      return void this.end(DISCONNECTS.notAvailable);
    }
  }

  #take(frame: Uint8Array | string): Promise<void> | undefined {
    if (this.#state === "closed") return undefined;
    if (!this.scopes.take("bytes", frame.length)) {
      return this.#bad(undefined, wireError("RATE_LIMITED", "too many bytes a second"));
    }
    let message: client.InboundMessage;
    try {
      message = this.codec.decode(frame);
    } catch (error) {
      const text = error instanceof DecodeError ? error.message : "cannot decode the frame";
      return this.#bad(undefined, undecodable(text));
    }
    this.#timers.active();
    return this.#dispatch(message);
  }

  /** The transport is closed, or broken. */
  transportClosed(): void {
    this.#outbox.drop();
    this.end(DISCONNECTS.connectionClosed);
  }

  /** Delivers a publication. */
  deliver(delivery: Delivery): void {
    if (this.#state !== "connected") return;
    if (this.#replays?.takes(delivery)) return;
    if (!this.#outbox.push(delivery.frame(this.codec))) this.#slow();
  }

  /** Delivers an event that was published to no channel. */
  deliverDirectly(id: string, event: GatewayEvent): void {
    const head = { id: crypto.randomUUID(), timeMs: this.#host.clock.now() };
    const form = { data: this.#host.settings.dataForm, replay: false };
    const publication = { id, channel: "", offset: 0, event };
    this.send({ bytes: this.codec.encodePublications(head, [publication], form) });
  }

  /**
   * Subscribes the session without asking anybody.
   *
   * @param channel A channel or pattern.
   * @param notify Whether the client is told.
   * @throws {DisconnectError} When it has too many subscriptions; the session stays.
   */
  async subscribeDirectly(channel: string, notify: boolean): Promise<void> {
    const request = { channel, ephemeral: false, token: "" };
    const prepared = await this.subscriptions.prepare([request], {}, true);
    if (this.#state !== "connected") return this.subscriptions.abandon(prepared);
    if (notify) return this.acknowledge(undefined, prepared);
    this.subscriptions.commit(prepared);
    this.subscriptions.afterCommit(prepared);
  }

  /** The broker lost publications of a channel: a client that can recover has to. */
  missed(channel: string): void {
    if (this.#state !== "connected" || this.#replays === undefined) return;
    this.#host.logger.info("session has to recover", { session: this.id, channel });
    this.end(DISCONNECTS.connectionClosed);
  }

  /** Sends a frame, and ends the session when there is no room for it. */
  send(frame: Frame): void {
    if (this.#state !== "closed" && !this.#outbox.push(frame)) this.#slow();
  }

  /** Sends a message. */
  sendMessage(message: client.OutboundMessage): void {
    if (this.#state !== "closed") this.send({ bytes: this.#encode(message) });
  }

  /** What a backend says may be what a codec cannot: numbers that are none, for one. */
  #encode(message: client.OutboundMessage): Uint8Array {
    try {
      return this.codec.encode(message);
    } catch (error) {
      this.#host.logger.error("answer cannot be sent", {
        session: this.id,
        error: messageOf(error),
      });
      const envelope = errorEnvelope(wireError("INTERNAL_ERROR", "the answer cannot be encoded"));
      const head = { id: message.id, metadata: {} };
      return this.codec.encode(outbound(head, envelope, this.#host.clock.now()));
    }
  }

  /** Answers a request. */
  answer(
    request: RequestHead | undefined,
    envelope: OutboundEnvelope,
    metadata?: Readonly<Record<string, string>>,
  ): void {
    this.sendMessage(outbound(request, envelope, this.#host.clock.now(), metadata));
  }

  /** Answers a request with an error. */
  sendError(request: RequestHead | undefined, error: WireError): void {
    this.answer(request, errorEnvelope(error));
  }

  /** Answers a request with what became of it; ends the session when the error says so. */
  fail(request: RequestHead, error: unknown): void {
    if (this.#state === "closed") return;
    const disconnect = disconnectOf(error);
    if (disconnect !== undefined) {
      const cause = (error as Error).cause;
      if (cause instanceof RequestError) this.sendError(request, cause.wire);
      return this.end(disconnect);
    }
    this.sendError(request, this.#wireOf(error));
  }

  /** Acknowledges what was prepared and takes it up. */
  acknowledge(request: RequestHead | undefined, prepared: Prepared): void {
    this.subscriptions.commit(prepared);
    const subscriptions = prepared.requests.map(({ channel, ephemeral }) => ({
      channel,
      ephemeral,
    }));
    const envelope = { case: "subscribeAck" as const, value: { subscriptions } };
    this.answer(request, envelope, prepared.metadata);
    this.subscriptions.afterCommit(prepared);
  }

  /** Cancels the replays of channels that are not covered any more. */
  cancelReplays(covers: (channel: string) => boolean): void {
    this.#replays?.cancelUncovered(covers);
  }

  /** The client has logged in: from now on it is connected. */
  connected(): void {
    this.#state = "connected";
    this.#timers.watchSilence(this.#host.settings.idleTimeoutMs);
    if (this.#state === "connected") this.#timers.watchExpiry(this.user.expiresAtMs);
  }

  /** Ends the session; does nothing when it is over already. */
  end(disconnect: Disconnect): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#timers.stop();
    this.#abort?.abort();
    this.#inbox.clear();
    this.#replays?.close();
    this.subscriptions.clear();
    this.#publishing?.stop();
    this.#host.ended(this);
    this.#outbox.finish(disconnect);
  }

  /** The client does not keep up: what waits for it is given up, so that it hears why. */
  #slow(): void {
    if (this.#state === "closed") return;
    this.#outbox.abandon(DISCONNECTS.slowConsumer);
    this.end(DISCONNECTS.slowConsumer);
  }

  #dispatch(message: client.InboundMessage): Promise<void> | undefined {
    const { envelope } = message;
    if (envelope.case === undefined) {
      return this.#bad(message, undecodable("the frame has no envelope that is known"));
    }
    const wrong = this.#checkMetadata(message.metadata);
    if (wrong !== undefined) return void this.sendError(message, badRequest(wrong));
    if (envelope.case === "ping") return void this.answer(message, { case: "pong", value: {} });
    if (this.#state === "open") {
      if (envelope.case !== "connect") return void this.end(DISCONNECTS.stale);
      this.#state = "connecting";
      this.#timers.connecting();
      return this.#inbox.add(() => connect(this, this.#host, message, envelope.value));
    }
    if (this.#inbox.isFull) {
      return void this.sendError(message, wireError("RATE_LIMITED", "too many frames wait"));
    }
    return this.#inbox.add(() => this.#handle(message));
  }

  #handle(message: client.InboundMessage): Promise<void> | undefined {
    if (this.#state !== "connected") return undefined;
    try {
      const pending = this.#serve(message);
      if (pending !== undefined) return pending.catch((error) => this.fail(message, error));
    } catch (error) {
      this.fail(message, error);
    }
    // Who does not take the answers is not read any further.
    return this.#outbox.room();
  }

  #serve(message: client.InboundMessage): Promise<void> | undefined {
    const { envelope } = message;
    switch (envelope.case) {
      case "connect":
        return void this.end(DISCONNECTS.badRequest);
      case "publish":
        this.#publishing ??= new Publishing(this, this.#host);
        return this.#publishing.publish(message, envelope.value);
      case "subscribe":
        return this.#subscribe(message, envelope.value);
      case "unsubscribe":
        return void this.#unsubscribe(message, envelope.value);
      case "subRefresh":
        return this.#refresh(message, envelope.value);
      case "rpcRequest":
        this.#calls ??= new Calls(this, this.#host);
        return void this.#calls.start(message, envelope.value);
      case "surveyRequest":
        return void this.#clientSurveys.request(message, envelope.value);
      case "surveyResponse":
        return void this.#clientSurveys.answer(message, envelope.value);
    }
    return undefined;
  }

  async #subscribe(message: client.InboundMessage, asked: client.Subscribe): Promise<void> {
    const prepared = await this.subscriptions.prepare(asked.subscriptions, message.metadata);
    if (this.#state !== "connected") return this.subscriptions.abandon(prepared);
    this.acknowledge(message, prepared);
  }

  #unsubscribe(message: client.InboundMessage, asked: client.Unsubscribe): void {
    this.subscriptions.remove(asked.subscriptions.map(({ channel }) => channel));
    const subscriptions = asked.subscriptions.map(({ channel, ephemeral }) => ({
      channel,
      ephemeral,
    }));
    this.answer(message, { case: "unsubscribeAck", value: { subscriptions } });
  }

  async #refresh(message: client.InboundMessage, { channels }: client.SubRefresh): Promise<void> {
    const removed = await this.subscriptions.refresh(channels);
    for (const channel of removed) {
      const text = `the subscription of ${channel} is not allowed any more`;
      const error = { ...wireError("PERMISSION_DENIED", text), metadata: { channel } };
      this.sendError(message, error);
    }
    this.answer(message, { case: "subRefreshAck", value: {} });
  }

  get #clientSurveys(): ClientSurveys {
    return this.#surveys ??= new ClientSurveys(this, this.#host);
  }

  #bad(request: RequestHead | undefined, error: WireError): undefined {
    this.sendError(request, error);
    this.#errors ??= new ErrorBudget(this.#host.clock, this.#host.limits);
    if (this.#errors.isSpent()) this.end(DISCONNECTS.tooManyErrors);
  }

  #checkMetadata(metadata: Readonly<Record<string, string>>): string | undefined {
    const { metadataEntries, metadataBytes } = this.#host.limits;
    const entries = Object.entries(metadata);
    if (entries.length === 0) return undefined;
    if (entries.length > metadataEntries) return `metadata has at most ${metadataEntries} entries`;
    let bytes = 0;
    for (const [key, value] of entries) bytes += utf8Length(key) + utf8Length(value);
    return bytes > metadataBytes ? `metadata has at most ${metadataBytes} bytes` : undefined;
  }

  #wireOf(error: unknown): WireError {
    if (error instanceof RequestError) return error.wire;
    if (error instanceof ChannelRefusedError || error instanceof EventRefusedError) {
      return badRequest(error.message);
    }
    const { logger } = this.#host;
    logger.error("request failed", { session: this.id, error: messageOf(error) });
    if (error instanceof BrokerUnavailableError) {
      return wireError("INTERNAL_ERROR", "the broker cannot be reached");
    }
    return wireError("INTERNAL_ERROR", "internal error");
  }
}

function utf8Length(text: string): number {
  let bytes = text.length;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) bytes += code > 0x7ff ? 2 : 1;
    // Both halves of a pair together are four bytes.
    if (code >= 0xd800 && code <= 0xdfff) bytes -= 1;
  }
  return bytes;
}
