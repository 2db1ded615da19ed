import { type Logger, messageOf, MessengerClosedError } from "../base/mod.ts";
import type { Messenger, StoredMessage } from "../messenger/mod.ts";
import type { Position } from "../storage/mod.ts";
import type { ChannelTrim } from "./channel_trim.ts";
import { REPLY_TYPE, replyFrameOf, type ReplyRecord } from "./messenger_records.ts";
import type { MessengerSweep } from "./messenger_sweep.ts";
import type { ReplyFrame } from "./transport.ts";

interface Expected {
  readonly onReply: (frame: ReplyFrame) => void | Promise<void>;
  readonly failed: (error: Error) => void;
  /** The number of the reply that comes next: an earlier one was sent by another run of the handler. */
  next: number;
  /** Ends the reading that this call has of its own, since it is slower than the others. */
  alone?: AbortController;
}

/** The replies to the callers on this instance, of one subject. */
export class ReplyChannel {
  readonly #messenger: Messenger;
  readonly #channel: string;
  readonly #logger: Logger;
  readonly #sweep: MessengerSweep;
  readonly #expected = new Map<string, Expected>();
  readonly #closing = new AbortController();
  readonly #readings = new Set<Promise<void>>();
  #started: Promise<void> | undefined;
  #trim: ChannelTrim | undefined;
  /** Calls that read on their own: what they have not read must stay. */
  #slowCalls = 0;

  constructor(messenger: Messenger, channel: string, sweep: MessengerSweep, logger: Logger) {
    this.#messenger = messenger;
    this.#channel = channel;
    this.#sweep = sweep;
    this.#logger = logger;
  }

  /** Calls that wait. */
  get size(): number {
    return this.#expected.size;
  }

  /** Settles when replies that are sent from now on will arrive. */
  start(): Promise<void> {
    return this.#started ??= this.#start();
  }

  /** Waits for the replies to a request. */
  expect(id: string, call: Pick<Expected, "onReply" | "failed">): void {
    this.#expected.set(id, { ...call, next: 0 });
  }

  /** Waits no more. @returns Whether it was waited for. */
  forget(id: string): boolean {
    const expected = this.#expected.get(id);
    expected?.alone?.abort();
    return this.#expected.delete(id);
  }

  /** Ends it. */
  async close(): Promise<void> {
    this.#closing.abort();
    for (const id of [...this.#expected.keys()]) this.forget(id);
    await this.#started?.catch(() => {});
    await Promise.all(this.#readings);
    if (this.#trim !== undefined) this.#trim.isFollowed = false;
  }

  async #start(): Promise<void> {
    const info = await this.#messenger.channelInfo(this.#channel);
    this.#trim = this.#sweep.trimOf(this.#channel, info?.start ?? 0);
    this.#trim.isFollowed = true;
    this.#track(this.#read(info?.end ?? 0));
  }

  async #read(from: Position): Promise<void> {
    const { signal } = this.#closing;
    try {
      for await (const m of this.#messenger.read(this.#channel, { from, follow: true, signal })) {
        this.#take(m);
        this.#note(m);
      }
    } catch (error) {
      this.#logger.error("cannot read replies", {
        channel: this.#channel,
        error: messageOf(error),
      });
      this.#fail(error as Error);
    }
    if (!signal.aborted) this.#fail(new MessengerClosedError("wait for an answer"));
  }

  #note({ payloadType, payload, next }: StoredMessage): void {
    const trim = this.#trim!;
    if (payloadType !== REPLY_TYPE) trim.isForeign = true;
    // Replies are of no use to anybody else, except to calls that read them later.
    else trim.note(next, this.#slowCalls > 0 ? (payload as ReplyRecord).until : 0);
  }

  #fail(error: Error): void {
    this.#started = undefined;
    const waiting = [...this.#expected.values()];
    this.#expected.clear();
    for (const { failed } of waiting) failed(error);
  }

  #take(message: StoredMessage): void {
    if (message.payloadType !== REPLY_TYPE) return;
    const record = message.payload as ReplyRecord;
    const expected = this.#expected.get(record.id);
    if (expected === undefined || expected.alone !== undefined) return;
    const full = this.#hand(record, expected);
    if (full === undefined || !this.#expected.has(record.id)) return;
    // One slow caller holds up no other: it reads on from here by itself.
    expected.alone = new AbortController();
    this.#track(this.#readAlone(record.id, expected, message.next, full));
  }

  #hand(record: ReplyRecord, expected: Expected): void | Promise<void> {
    if (record.number !== expected.next) return;
    expected.next++;
    const frame = replyFrameOf(record);
    if (frame.kind !== "data") this.#expected.delete(record.id);
    return expected.onReply(frame);
  }

  async #readAlone(
    id: string,
    expected: Expected,
    from: Position,
    full: Promise<void>,
  ): Promise<void> {
    const signal = AbortSignal.any([expected.alone!.signal, this.#closing.signal]);
    this.#slowCalls++;
    try {
      await full;
      for await (const m of this.#messenger.read(this.#channel, { from, follow: true, signal })) {
        const record = m.payload as ReplyRecord;
        if (m.payloadType !== REPLY_TYPE || record.id !== id) continue;
        await this.#hand(record, expected);
        if (!this.#expected.has(id)) return;
      }
    } catch (error) {
      if (this.#expected.delete(id)) expected.failed(error as Error);
    } finally {
      this.#slowCalls--;
    }
  }

  #track(reading: Promise<void>): void {
    this.#readings.add(reading);
    reading.finally(() => this.#readings.delete(reading));
  }
}
