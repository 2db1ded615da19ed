import {
  createInbox,
  type Msg,
  type MsgHdrs,
  type MsgHdrsImpl,
  type NatsConnectionImpl,
  type Subscription,
} from "@nats-io/transport-node";
import { type Logger, messageOf } from "../base/mod.ts";
import { BusConnectionError, NoResponderError, PayloadTooLargeError } from "./errors.ts";
import { NO_HEADERS } from "./headers.ts";
import { NatsSocket } from "./nats_socket.ts";
import {
  asksForMore,
  controlSubject,
  fromNats,
  fromNatsReply,
  isNoResponder,
  natsSubject,
  timeoutOf,
  toNatsHeaders,
  toNatsReply,
} from "./nats_wire.ts";
import { Room } from "./room.ts";
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

/** How much may wait to be sent before a publisher waits. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024;
/** How often that is looked at. */
const LOOK_EVERY_BYTES = 64 * 1024;
/** How long the caller waits who does not say, such as another NATS client. */
const TIMEOUT_DEFAULT_MS = 60_000;
/** Requests of which servers are told, after a connection was lost, that nobody waits for them. */
const GIVEN_UP_MAX = 1_024;
/** How long closing waits for a server that is silent. */
const CLOSE_MS = 2_000;
const SENT = Promise.resolve();

interface Pending {
  readonly subject: string;
  readonly onReply: (frame: ReplyFrame) => void | Promise<void>;
  readonly failed: (error: Error) => void;
}

/** Carries a bus over one connection to NATS. */
export class NatsTransport implements BusTransport {
  readonly name = "nats";
  readonly #url: string;
  readonly #logger: Logger;
  readonly #connection: NatsConnectionImpl;
  readonly #protocol: NatsConnectionImpl["protocol"];
  readonly #inbox = createInbox();
  readonly #pending = new Map<string, Pending>();
  readonly #reconnected = new Room();
  /** Requests that failed with the connection: their servers do not know yet. */
  readonly #givenUp: [subject: string, to: string][] = [];
  readonly #following: Promise<void>;
  #lastId = 0;
  #lastSubject = "";
  #lastHead = "";
  #unseenBytes = 0;
  #maxPayloadBytes = 0;
  #isClosing = false;

  /**
   * Takes over an open connection.
   *
   * @param connection The connection.
   * @param url What errors call the server.
   * @param logger Is told of what happens to the connection.
   */
  constructor(connection: NatsConnectionImpl, url: string, logger: Logger) {
    this.#connection = connection;
    this.#protocol = connection.protocol;
    this.#url = url;
    this.#logger = logger;
    this.#connection.subscribe(`${this.#inbox}.*`, {
      callback: (error, message) => {
        if (error === null) this.#takeReply(message);
      },
    });
    this.#following = this.#follow();
  }

  get maxPayloadBytes(): number {
    return this.#maxPayloadBytes = this.#protocol.info?.max_payload ?? this.#maxPayloadBytes;
  }

  publish(subject: string, { data, headers }: Frame): Promise<void> {
    try {
      if (headers === NO_HEADERS) this.#sendPlain(subject, data);
      else this.#send(subject, natsSubject(subject), data, { headers: toNatsHeaders(headers) });
    } catch (error) {
      return Promise.reject(error);
    }
    this.#unseenBytes += data.length;
    return this.#unseenBytes < LOOK_EVERY_BYTES ? SENT : this.#whenSent();
  }

  async subscribe(
    subject: string,
    deliver: (frame: Frame) => void | Promise<void>,
    ended: (error?: Error) => void,
  ): Promise<TransportSubscription> {
    const subscription = this.#listen(natsSubject(subject), {}, (message) => {
      // What waits for an answer is a request, and goes to servers alone.
      if (!message.reply) void deliver(fromNats(message));
    }, ended);
    await this.#flush();
    return { dropped: 0, close: () => this.#leave([subscription]) };
  }

  request(
    subject: string,
    request: OutgoingRequest,
    onReply: (frame: ReplyFrame) => void | Promise<void>,
    failed: (error: Error) => void,
  ): Promise<SentRequest> {
    const id = (++this.#lastId).toString(36);
    const reply = `${this.#inbox}.${id}`;
    this.#pending.set(id, { subject, onReply, failed });
    try {
      const headers = toNatsHeaders(request.headers, Math.max(0, request.deadline - Date.now()));
      this.#send(subject, natsSubject(subject), request.data, { headers, reply });
    } catch (error) {
      this.#pending.delete(id);
      return Promise.reject(error);
    }
    return Promise.resolve({
      cancel: () => {
        // What has been answered to the end is not here any more.
        if (this.#pending.delete(id)) this.#tell(subject, `cancel ${reply}`);
      },
    });
  }

  async serve(
    subject: string,
    take: (request: IncomingRequest) => void | Promise<void>,
    ended: (error?: Error) => void,
  ): Promise<TransportSubscription> {
    const running = new RunningRequests();
    const requests = this.#listen(natsSubject(subject), { queue: "bus" }, (message) => {
      if (message.reply) void take(this.#incoming(subject, message, running));
    }, ended);
    const controls = this.#listen(controlSubject(subject), {}, (message) => {
      const [what, to = ""] = message.string().split(" ", 2);
      if (what === "cancel") running.cancel(to);
      else if (what === "more") running.answer(to);
    }, () => {});
    await this.#flush();
    return { dropped: 0, close: () => this.#leave([requests, controls]) };
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#reconnected.open();
    if (this.#protocol.connected) await within(CLOSE_MS, this.#connection.flush());
    await within(CLOSE_MS, this.#connection.close());
    await within(CLOSE_MS, this.#following);
  }

  /** The quick way of a message that has neither headers nor a subject for replies. */
  #sendPlain(subject: string, data: Uint8Array): void {
    const protocol = this.#protocol;
    if (!protocol.connected) throw this.#lost();
    const { transport } = protocol;
    // What the client has not sent yet goes first. Another program's transport is none of ours.
    if (protocol.outbound.length() > 0 || !(transport instanceof NatsSocket)) {
      return this.#send(subject, natsSubject(subject), data, {});
    }
    if (subject !== this.#lastSubject) {
      this.#lastSubject = subject;
      this.#lastHead = `PUB ${natsSubject(subject)} `;
    }
    transport.publish(`${this.#lastHead}${data.length}\r\n`, data);
    protocol.outMsgs++;
    protocol.outBytes += data.length;
  }

  #send(
    name: string,
    subject: string,
    data: Uint8Array,
    { reply, headers }: { reply?: string; headers?: MsgHdrs | undefined },
  ): void {
    if (!this.#protocol.connected) throw this.#lost();
    try {
      this.#connection.publish(subject, data, {
        ...(reply !== undefined && { reply }),
        ...(headers !== undefined && { headers }),
      });
    } catch (error) {
      const max = this.maxPayloadBytes;
      const size = data.length + ((headers as MsgHdrsImpl | undefined)?.encode().length ?? 0);
      if (size > max) throw new PayloadTooLargeError(name, size, max, { cause: error });
      throw this.#error(messageOf(error), error);
    }
  }

  #incoming(subject: string, message: Msg, running: RunningRequests): IncomingRequest {
    const to = message.reply!;
    const timeoutMs = timeoutOf(message);
    const isBus = timeoutMs !== undefined;
    const deadline = Date.now() + (timeoutMs ?? TIMEOUT_DEFAULT_MS);
    return {
      ...fromNats(message),
      deadline,
      cancelled: running.start(to, deadline),
      reply: async (frame) => {
        if (frame.kind !== "data") running.finish(to);
        const asks = frame.kind === "data" && isBus && running.asks(to);
        await this.#reply(subject, to, frame, deadline, asks);
        if (asks) await running.untilRoom(to);
      },
    };
  }

  async #reply(
    name: string,
    to: string,
    frame: ReplyFrame,
    deadline: number,
    asks: boolean,
  ): Promise<void> {
    while (!this.#protocol.connected && !this.#isClosing && Date.now() < deadline) {
      await this.#reconnected.wait();
    }
    const { data, headers } = toNatsReply(frame, asks);
    this.#send(name, to, data, { headers });
    this.#unseenBytes += data.length;
    if (this.#unseenBytes >= LOOK_EVERY_BYTES) await this.#whenSent();
  }

  #whenSent(): Promise<void> {
    this.#unseenBytes = 0;
    const socket = this.#protocol.transport;
    if (!(socket instanceof NatsSocket) || socket.waitingBytes < WAITING_BYTES_MAX) return SENT;
    return socket.drained();
  }

  #takeReply(message: Msg): void {
    const id = message.subject.slice(this.#inbox.length + 1);
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    if (isNoResponder(message)) {
      this.#pending.delete(id);
      return pending.failed(new NoResponderError(pending.subject));
    }
    const frame = fromNatsReply(message);
    if (frame.kind !== "data") this.#pending.delete(id);
    const full = pending.onReply(frame);
    if (!asksForMore(message)) return;
    const tell = () => this.#tell(pending.subject, `more ${message.subject}`);
    if (full === undefined) tell();
    else full.then(tell);
  }

  /** Tells the servers of a subject about a request that one of them has taken. */
  #tell(subject: string, what: string): void {
    if (this.#protocol.connected) this.#connection.publish(controlSubject(subject), what);
  }

  #listen(
    subject: string,
    options: { readonly queue?: string },
    take: (message: Msg) => void,
    ended: (error?: Error) => void,
  ): Subscription {
    if (!this.#protocol.connected) throw this.#lost();
    const subscription = this.#connection.subscribe(subject, {
      ...options,
      callback: (error, message) => {
        if (error === null) take(message);
      },
    });
    subscription.closed.then((error) => {
      if (error instanceof Error) {
        ended(this.#error(`it ended a subscription: ${error.message}`, error));
      } else if (this.#connection.isClosed() && !this.#isClosing) ended(this.#lost());
    });
    return subscription;
  }

  async #leave(subscriptions: readonly Subscription[]): Promise<void> {
    if (!this.#protocol.connected) return subscriptions.forEach((one) => one.unsubscribe());
    // What the server had sent before it heard of the end still arrives.
    const open = subscriptions.filter((one) => !one.isClosed());
    await within(CLOSE_MS, Promise.all(open.map((one) => one.drain())));
    for (const one of open) if (!one.isClosed()) one.unsubscribe();
  }

  async #flush(): Promise<void> {
    try {
      await this.#connection.flush();
    } catch (error) {
      throw this.#lost(error);
    }
  }

  async #follow(): Promise<void> {
    for await (const status of this.#connection.status()) {
      if (this.#isClosing) continue;
      if (status.type === "disconnect") {
        this.#logger.warn("lost the connection to NATS", { url: this.#url });
        this.#failPending();
      } else if (status.type === "reconnect") {
        this.#logger.info("is connected to NATS again", { url: this.#url });
        this.#reconnected.open();
        for (const [subject, to] of this.#givenUp.splice(0)) this.#tell(subject, `cancel ${to}`);
      } else if (status.type === "error") {
        this.#logger.warn("NATS reports an error", {
          url: this.#url,
          error: messageOf(status.error),
        });
      }
    }
    this.#failPending();
    this.#reconnected.open();
  }

  #failPending(): void {
    const waiting = [...this.#pending];
    this.#pending.clear();
    for (const [id, { subject, failed }] of waiting) {
      if (this.#givenUp.length < GIVEN_UP_MAX) {
        this.#givenUp.push([subject, `${this.#inbox}.${id}`]);
      }
      failed(this.#lost());
    }
  }

  #lost(cause?: unknown): BusConnectionError {
    const why = this.#isClosing
      ? "it is closed"
      : "the server is down or cannot be reached; the bus keeps trying";
    return this.#error(why, cause);
  }

  #error(why: string, cause?: unknown): BusConnectionError {
    return new BusConnectionError(this.#url, why, cause === undefined ? undefined : { cause });
  }
}
