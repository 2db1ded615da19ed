import { type Clock, type Logger, MessengerClosedError } from "../base/mod.ts";
import type { Messenger } from "../messenger/mod.ts";
import { BusClosedError } from "./errors.ts";
import { MessengerHub } from "./messenger_hub.ts";
import { requestsChannel, streamChannel } from "./messenger_names.ts";
import {
  CANCEL_TYPE,
  envelopeOptions,
  frameOf,
  isCallRecord,
  MESSAGE_TYPE,
  messageRecord,
  REQUEST_TYPE,
} from "./messenger_records.ts";
import type {
  BusTransport,
  Frame,
  IncomingRequest,
  OutgoingRequest,
  ReplyFrame,
  SentRequest,
  TransportSubscription,
} from "./transport.ts";

/** A record takes 10 MiB, and bytes a third more as base64. */
const MAX_PAYLOAD_BYTES = 7 * 1024 * 1024;

/** Carries a bus over the channels of a messenger. */
export class MessengerTransport implements BusTransport {
  readonly name = "messenger";
  readonly maxPayloadBytes = MAX_PAYLOAD_BYTES;
  readonly #messenger: Messenger;
  readonly #hub: MessengerHub;
  readonly #clock: Clock;
  readonly #ownsMessenger: boolean;
  readonly #idStart = crypto.randomUUID();
  #lastId = 0;

  /**
   * @param messenger Whose channels.
   * @param options Logging, time, and whether closing the bus closes the messenger.
   */
  constructor(
    messenger: Messenger,
    options: { readonly logger: Logger; readonly clock: Clock; readonly ownsMessenger: boolean },
  ) {
    this.#messenger = messenger;
    this.#clock = options.clock;
    this.#ownsMessenger = options.ownsMessenger;
    this.#hub = MessengerHub.of(messenger, options.logger, options.clock);
    this.#hub.enter();
  }

  publish(subject: string, frame: Frame): Promise<void> {
    return this.#publish(streamChannel(subject), MESSAGE_TYPE, frame, messageRecord(frame));
  }

  async subscribe(
    subject: string,
    deliver: (frame: Frame) => void | Promise<void>,
    ended: (error?: Error) => void,
  ): Promise<TransportSubscription> {
    const channel = streamChannel(subject);
    const from = (await this.#messenger.channelInfo(channel))?.end ?? 0;
    const stop = new AbortController();
    const read = async () => {
      const { signal } = stop;
      for await (const message of this.#messenger.read(channel, { from, follow: true, signal })) {
        if (isCallRecord(message.payloadType)) continue;
        const full = deliver(frameOf(message));
        // The channel keeps what the reader is too slow for.
        if (full !== undefined) await Promise.race([full, aborted(signal)]);
      }
      if (!signal.aborted) throw new MessengerClosedError("stream");
    };
    const reading = read().catch((error) => {
      if (!stop.signal.aborted) ended(error);
    });
    return {
      dropped: 0,
      close: async () => {
        stop.abort();
        await reading;
      },
    };
  }

  async request(
    subject: string,
    request: OutgoingRequest,
    onReply: (frame: ReplyFrame) => void | Promise<void>,
    failed: (error: Error) => void,
  ): Promise<SentRequest> {
    const replies = this.#hub.replies(subject);
    const id = `${this.#idStart}-${(++this.#lastId).toString(36)}`;
    replies.expect(id, { onReply, failed });
    const { deadline: until } = request;
    const channel = requestsChannel(subject);
    try {
      await replies.start();
      await this.#publish(channel, REQUEST_TYPE, request, { id, until, ...messageRecord(request) });
    } catch (error) {
      replies.forget(id);
      throw error;
    }
    return {
      cancel: () => {
        if (!replies.forget(id) || this.#clock.now() >= until) return;
        this.#messenger.publish(channel, CANCEL_TYPE, { id }, envelopeOptions(request.headers))
          .catch(() => {});
      },
    };
  }

  async serve(
    subject: string,
    take: (request: IncomingRequest) => void | Promise<void>,
    ended: (error?: Error) => void,
  ): Promise<TransportSubscription> {
    const leave = await this.#hub.requests(subject).join({ take, ended });
    return { dropped: 0, close: leave };
  }

  async close(): Promise<void> {
    await this.#hub.leave();
    if (this.#ownsMessenger) await this.#messenger.close();
  }

  async #publish(channel: string, type: string, frame: Frame, record: unknown): Promise<void> {
    try {
      await this.#messenger.publish(channel, type, record, envelopeOptions(frame.headers));
    } catch (error) {
      if (!(error instanceof MessengerClosedError)) throw error;
      throw new BusClosedError("publish: its messenger is closed");
    }
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
