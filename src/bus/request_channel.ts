import {
  type Clock,
  type Logger,
  messageOf,
  MessengerClosedError,
  type Timer,
} from "../base/mod.ts";
import type { Messenger, StoredMessage } from "../messenger/mod.ts";
import type { Position } from "../storage/mod.ts";
import type { ChannelSlice, ChannelTrim } from "./channel_trim.ts";
import { repliesChannel, repliesPrefix, requestsChannel } from "./messenger_names.ts";
import {
  CANCEL_TYPE,
  CLAIM_TYPE,
  envelopeOptions,
  frameOf,
  isCallRecord,
  REPLY_TYPE,
  type ReplyRecord,
  replyRecord,
  REQUEST_TYPE,
  type RequestNote,
  type RequestRecord,
  SERVER_TYPE,
  type ServerRecord,
} from "./messenger_records.ts";
import type { MessengerSweep } from "./messenger_sweep.ts";
import { RequestSharing } from "./request_sharing.ts";
import { Room } from "./room.ts";
import { RunningRequests } from "./running_requests.ts";
import type { IncomingRequest } from "./transport.ts";

/** Requests that wait in memory for a server; beyond them the channel is read no further. */
const WAITING_REQUESTS_MAX = 10_000;
const WAITING_BYTES_MAX = 64 * 1024 * 1024;
/** How long another instance has to take its share, at most: then this one does. */
const STAND_BY_MS = 1_000;
const STAND_BY_SHARE = 0.25;
const STAND_BY_MIN_MS = 20;

/** Takes requests of one subject. */
export interface RequestTaker {
  /** Takes one; a promise says that there is no room for another. */
  readonly take: (request: IncomingRequest) => void | Promise<void>;
  /** Called when no more requests can come. */
  readonly ended: (error?: Error) => void;
}

interface Taker extends RequestTaker {
  isFull: boolean;
}

interface Waiting {
  readonly message: StoredMessage;
  readonly record: RequestRecord;
  readonly slice: ChannelSlice | undefined;
  readonly bytes: number;
}

/** What a {@linkcode RequestChannel} works with. */
export interface RequestChannelOptions {
  readonly messenger: Messenger;
  readonly subject: string;
  readonly sweep: MessengerSweep;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** The requests of one subject, as one instance takes its share of them and hands them to its servers. */
export class RequestChannel {
  readonly #options: RequestChannelOptions;
  readonly #channel: string;
  readonly #sharing: RequestSharing;
  readonly #takers: Taker[] = [];
  readonly #running = new RunningRequests();
  /** Requests that a handler of this instance is at work on. */
  readonly #taken = new Set<string>();
  /** Requests for which a server here has to have room. */
  readonly #waiting = new Map<string, Waiting>();
  /** Requests that other instances have not taken yet. */
  readonly #standBy = new Map<string, { readonly waiting: Waiting; readonly timer: Timer }>();
  readonly #room = new Room();
  #waitingBytes = 0;
  /** The requests that were there as the reading began, as long as some of them have not been read. */
  #backlog: { readonly end: Position; readonly answered: ReadonlySet<string> } | undefined;
  #nextTaker = 0;
  #reading: { readonly stop: AbortController; readonly done: Promise<void> } | undefined;
  #starting: Promise<void> | undefined;
  #trim: ChannelTrim | undefined;

  constructor(options: RequestChannelOptions) {
    this.#options = options;
    this.#channel = requestsChannel(options.subject);
    this.#sharing = new RequestSharing(options.messenger.instanceName);
  }

  /** Whether nothing of it is in use. */
  get isIdle(): boolean {
    return this.#takers.length === 0 && this.#taken.size === 0 && this.#starting === undefined;
  }

  /**
   * Adds a server.
   *
   * @returns Removes it; settles when it is given nothing more.
   */
  async join(server: RequestTaker): Promise<() => Promise<void>> {
    const taker: Taker = { ...server, isFull: false };
    this.#takers.push(taker);
    try {
      await (this.#starting ??= this.#start());
    } catch (error) {
      await this.#leave(taker);
      throw error;
    }
    this.#handOut();
    return () => this.#leave(taker);
  }

  async #leave(taker: Taker): Promise<void> {
    const index = this.#takers.indexOf(taker);
    if (index < 0) return;
    this.#takers.splice(index, 1);
    if (this.#takers.length > 0) return this.#handOut();
    const reading = this.#reading;
    this.#reading = undefined;
    this.#starting = undefined;
    if (reading === undefined) return;
    reading.stop.abort();
    this.#room.open();
    await reading.done;
    if (this.#takers.length === 0) this.#forgetWaiting();
    await this.#tell({ serves: false, asks: false });
  }

  async #start(): Promise<void> {
    const { messenger, sweep } = this.#options;
    const info = await messenger.channelInfo(this.#channel);
    this.#trim = sweep.trimOf(this.#channel, info?.start ?? 0);
    this.#trim.isFollowed = true;
    let from: Position;
    try {
      from = await this.#takeUp(info?.end ?? 0);
    } catch (error) {
      this.#trim.isFollowed = false;
      throw error;
    }
    const stop = new AbortController();
    this.#reading = { stop, done: this.#read(from, stop.signal) };
    await this.#tell({ serves: true, asks: true });
  }

  /** Takes up the requests that came while nobody served here. @returns Where to read on. */
  async #takeUp(end: Position): Promise<Position> {
    const { messenger, clock } = this.#options;
    const open = new Map<string, StoredMessage>();
    let next = 0;
    let bytes = 0;
    for await (const message of messenger.read(this.#channel)) {
      if (message.position >= end) break;
      // What is more than that is read later, as there is room.
      if (open.size >= WAITING_REQUESTS_MAX || bytes >= WAITING_BYTES_MAX) break;
      next = message.next;
      const id = (message.payload as Partial<RequestRecord>).id ?? "";
      if (message.payloadType === REQUEST_TYPE) {
        const { until } = message.payload as RequestRecord;
        if (until > clock.now() && !this.#taken.has(id)) open.set(id, message);
        bytes += message.next - message.position;
        this.#note(message);
      } else if (message.payloadType === CANCEL_TYPE || this.#isClaimOfAnother(message)) {
        open.delete(id);
        this.#note(message);
      } else {
        this.#take(message);
      }
    }
    const answered = open.size > 0 ? await this.#answered() : new Set<string>();
    this.#backlog = next < end ? { end, answered } : undefined;
    for (const id of answered) open.delete(id);
    for (const message of open.values()) this.#consider(message, undefined);
    return next;
  }

  /** Requests of the subject that have been answered to the end, as far as this instance knows. */
  async #answered(): Promise<Set<string>> {
    const { messenger, subject } = this.#options;
    const prefix = repliesPrefix(subject);
    const answered = new Set<string>();
    for (const channel of messenger.channels()) {
      if (!channel.startsWith(prefix)) continue;
      for await (const { payloadType, payload } of messenger.read(channel)) {
        if (payloadType !== REPLY_TYPE) continue;
        const { id, kind } = payload as ReplyRecord;
        if (kind !== "data") answered.add(id);
      }
    }
    return answered;
  }

  async #read(from: Position, signal: AbortSignal): Promise<void> {
    const { messenger, logger } = this.#options;
    let failure: Error | undefined;
    try {
      for await (const message of messenger.read(this.#channel, { from, follow: true, signal })) {
        this.#take(message);
        while (this.#isFull && !signal.aborted) await this.#room.wait();
      }
    } catch (error) {
      failure = error as Error;
      logger.error("cannot read requests", { channel: this.#channel, error: messageOf(error) });
    }
    this.#trim!.isFollowed = false;
    if (signal.aborted) return;
    this.#reading = undefined;
    this.#starting = undefined;
    this.#forgetWaiting();
    failure ??= new MessengerClosedError("serve");
    for (const { ended } of this.#takers.splice(0)) ended(failure);
  }

  get #isFull(): boolean {
    return this.#waiting.size >= WAITING_REQUESTS_MAX || this.#waitingBytes >= WAITING_BYTES_MAX;
  }

  #take(message: StoredMessage): void {
    const { payloadType, payload, origin } = message;
    if (payloadType === REQUEST_TYPE) return this.#consider(message, this.#note(message));
    this.#note(message);
    if (payloadType === CANCEL_TYPE) return this.#cancel((payload as RequestNote).id);
    if (payloadType === SERVER_TYPE) return this.#hear(origin, payload as ServerRecord);
    if (!this.#isClaimOfAnother(message)) return;
    this.#sharing.add(origin);
    this.#drop((payload as RequestNote).id);
  }

  #isClaimOfAnother({ payloadType, origin }: StoredMessage): boolean {
    return payloadType === CLAIM_TYPE && origin !== this.#options.messenger.instanceName;
  }

  #note(message: StoredMessage): ChannelSlice | undefined {
    const { payloadType, payload, next } = message;
    if (!isCallRecord(payloadType)) this.#trim!.isForeign = true;
    const until = payloadType === REQUEST_TYPE ? (payload as RequestRecord).until : 0;
    return this.#trim!.note(next, until);
  }

  /** Decides who takes a request. */
  #consider(message: StoredMessage, slice: ChannelSlice | undefined): void {
    const record = message.payload as RequestRecord;
    const remainingMs = record.until - this.#options.clock.now();
    if (remainingMs <= 0 || this.#taken.has(record.id) || this.#isAnswered(message)) return;
    const bytes = (record.text ?? record.base64 ?? "").length;
    this.#decide({ message, record, slice, bytes }, remainingMs);
  }

  /** Whether a request that came before the reading began has been answered by then. */
  #isAnswered({ position, payload }: StoredMessage): boolean {
    if (this.#backlog === undefined) return false;
    if (position < this.#backlog.end) {
      return this.#backlog.answered.has((payload as RequestNote).id);
    }
    this.#backlog = undefined;
    return false;
  }

  #decide(waiting: Waiting, remainingMs: number): void {
    const { clock, messenger, logger } = this.#options;
    const { id } = waiting.record;
    const owner = this.#sharing.ownerOf(id);
    if (owner === messenger.instanceName) {
      this.#waiting.set(id, waiting);
      this.#waitingBytes += waiting.bytes;
      return this.#handOut();
    }
    const waitMs = Math.max(STAND_BY_MIN_MS, Math.min(STAND_BY_MS, remainingMs * STAND_BY_SHARE));
    const timer = clock.after(waitMs, () => {
      this.#standBy.delete(id);
      // It has gone without a word, or is out of reach; whatever comes from it brings it back.
      logger.info("another instance does not take its requests", { channel: this.#channel, owner });
      this.#sharing.remove(owner);
      const leftMs = waiting.record.until - clock.now();
      if (leftMs > 0) this.#decide(waiting, leftMs);
    }, { unref: true });
    this.#standBy.set(id, { waiting, timer });
  }

  #handOut(): void {
    for (const [id, waiting] of this.#waiting) {
      const taker = this.#freeTaker();
      if (taker === undefined) return;
      this.#waiting.delete(id);
      this.#waitingBytes -= waiting.bytes;
      if (!this.#isFull) this.#room.open();
      if (waiting.record.until <= this.#options.clock.now()) continue;
      if (this.#sharing.hasOthers) this.#publish(CLAIM_TYPE, { id });
      const full = taker.take(this.#incoming(waiting));
      if (full === undefined) continue;
      taker.isFull = true;
      full.then(() => {
        taker.isFull = false;
        this.#handOut();
      });
    }
  }

  #freeTaker(): Taker | undefined {
    for (let i = 0; i < this.#takers.length; i++) {
      const taker = this.#takers[this.#nextTaker++ % this.#takers.length]!;
      if (!taker.isFull) return taker;
    }
  }

  #incoming({ message, record, slice }: Waiting): IncomingRequest {
    const { messenger, subject } = this.#options;
    const { id, until } = record;
    const frame = frameOf(message);
    const to = repliesChannel(subject, message.origin);
    const envelope = envelopeOptions(frame.headers);
    let number = 0;
    this.#taken.add(id);
    const over = () => {
      this.#running.finish(id);
      this.#taken.delete(id);
    };
    const cancelled = this.#running.start(id, until);
    cancelled.addEventListener("abort", over, { once: true });
    return {
      ...frame,
      deadline: until,
      cancelled,
      reply: async (reply) => {
        const answer = replyRecord(id, number++, until, reply);
        try {
          await messenger.publish(to, REPLY_TYPE, answer, envelope);
        } finally {
          if (reply.kind !== "data") {
            over();
            this.#trim!.settle(slice);
          }
        }
      },
    };
  }

  #cancel(id: string): void {
    this.#drop(id);
    this.#running.cancel(id);
  }

  /** A request needs no answer from here. */
  #drop(id: string): void {
    this.#standBy.get(id)?.timer.cancel();
    this.#standBy.delete(id);
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    this.#waiting.delete(id);
    this.#waitingBytes -= waiting.bytes;
    if (!this.#isFull) this.#room.open();
  }

  /** Another instance begins to serve, or ends it. */
  #hear(origin: string, { serves, asks }: ServerRecord): void {
    const { messenger, clock } = this.#options;
    if (origin === messenger.instanceName) return;
    if (serves) {
      this.#sharing.add(origin);
      if (asks && this.#reading !== undefined) void this.#tell({ serves: true, asks: false });
      return;
    }
    this.#sharing.remove(origin);
    for (const [id, { waiting, timer }] of [...this.#standBy]) {
      timer.cancel();
      this.#standBy.delete(id);
      const leftMs = waiting.record.until - clock.now();
      if (leftMs > 0) this.#decide(waiting, leftMs);
    }
  }

  #tell(record: ServerRecord): Promise<void> {
    return this.#publish(SERVER_TYPE, record);
  }

  async #publish(payloadType: string, payload: RequestNote | ServerRecord): Promise<void> {
    const { messenger, logger } = this.#options;
    try {
      await messenger.publish(this.#channel, payloadType, payload, envelopeOptions({}));
    } catch (error) {
      // Without it others may answer as well; the caller takes the first answer.
      logger.debug("cannot tell other instances", { error: messageOf(error) });
    }
  }

  #forgetWaiting(): void {
    for (const { timer } of this.#standBy.values()) timer.cancel();
    this.#standBy.clear();
    this.#waiting.clear();
    this.#waitingBytes = 0;
  }
}
