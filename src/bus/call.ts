import type { Clock, Timer } from "../base/mod.ts";
import type { BusTransport, Frame, ReplyFrame, SentRequest } from "./transport.ts";

/** What a {@linkcode Call} asks, how, and for how long. */
export interface CallOptions {
  readonly transport: BusTransport;
  readonly clock: Clock;
  readonly subject: string;
  readonly frame: Frame;
  readonly timeoutMs: number;
  readonly signal: AbortSignal | undefined;
  /** Called once, when the call is over. */
  readonly over: (call: Call) => void;
}

/** Who made a call. Nothing is called any more once it is over. */
export interface Caller {
  /** Takes a reply; a promise says that there is no room for another one. */
  reply(frame: ReplyFrame, call: Call): void | Promise<void>;
  /** The call has failed and is over. */
  failed(error: unknown): void;
  /** The time is up and the call is over. */
  timedOut(): void;
}

/** A request from its sending until nobody waits for a reply any more. */
export class Call {
  readonly #options: CallOptions;
  readonly #caller: Caller;
  #timer: Timer | undefined;
  #sent: SentRequest | undefined;
  #isOver = false;

  /**
   * @param options What to ask.
   * @param caller Who asks.
   */
  constructor(options: CallOptions, caller: Caller) {
    this.#options = options;
    this.#caller = caller;
  }

  /** Sends the request. */
  start(): void {
    const { transport, clock, subject, frame, timeoutMs, signal } = this.#options;
    const deadline = clock.now() + timeoutMs;
    this.#timer = clock.after(timeoutMs, this.#expire);
    signal?.addEventListener("abort", this.#abort, { once: true });
    const outgoing = { data: frame.data, headers: frame.headers, deadline };
    transport.request(subject, outgoing, this.#reply, this.fail).then(this.#keep, this.fail);
  }

  /** Ends it, telling the server as far as that is possible. */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#timer?.cancel();
    this.#options.signal?.removeEventListener("abort", this.#abort);
    this.#sent?.cancel();
    this.#options.over(this);
  }

  /** Ends it with an error. */
  readonly fail = (error: unknown): void => {
    if (this.#isOver) return;
    this.end();
    this.#caller.failed(error);
  };

  readonly #keep = (sent: SentRequest): void => {
    this.#sent = sent;
    // A reply, the time or a signal may have been quicker.
    if (this.#isOver) sent.cancel();
  };

  readonly #reply = (frame: ReplyFrame): void | Promise<void> => {
    if (!this.#isOver) return this.#caller.reply(frame, this);
  };

  readonly #abort = (): void => this.fail(this.#options.signal!.reason);

  readonly #expire = (): void => {
    if (this.#isOver) return;
    this.end();
    this.#caller.timedOut();
  };
}
