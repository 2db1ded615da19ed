import { type Deferred, deferred } from "./deferred.ts";
import {
  type GatewayClientError,
  GatewayQueueFullError,
  GatewayReplyError,
  GatewayTimeoutError,
} from "./errors.ts";
import type { ServerFrame } from "./frames.ts";

const MAX_TIMER_MS = 2 ** 31 - 1;

type Encoded = string | Uint8Array<ArrayBuffer>;

/** What is asked of the gateway. */
export interface Request {
  /** The frame's id, which the answer has as well. */
  readonly id: string;
  readonly frame: Encoded;
  /** For people. */
  readonly what: string;
  /** Milliseconds for the answer. */
  readonly limitMs: number;
  /** Whether waiting for the connection counts as well. */
  readonly limitWaiting?: boolean;
  readonly signal?: AbortSignal | undefined;
}

interface Pending extends Request, Deferred<ServerFrame> {
  sent: boolean;
  timer: ReturnType<typeof setTimeout> | undefined;
  stopListening: () => void;
}

/** Requests that wait: for the connection, in order, or for their answers. Bounded. */
export class Requests {
  readonly #pending = new Map<string, Pending>();
  readonly #maxCount: number;
  readonly #maxBytes: number;
  #bytes = 0;

  /**
   * Makes it.
   *
   * @param maxCount How many may wait.
   * @param maxBytes How long their frames may be together.
   */
  constructor(maxCount: number, maxBytes: number) {
    this.#maxCount = maxCount;
    this.#maxBytes = maxBytes;
  }

  /** How many wait. */
  get size(): number {
    return this.#pending.size;
  }

  /**
   * Adds a request; {@linkcode flush} sends it.
   *
   * @throws {GatewayQueueFullError} When too many wait.
   */
  add(request: Request): Promise<ServerFrame> {
    const { id, frame, signal } = request;
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#pending.size >= this.#maxCount) {
      return Promise.reject(new GatewayQueueFullError(`${this.#maxCount} requests`));
    }
    // The first may be as long as it is: the gateway has its own limit.
    if (this.#bytes > 0 && this.#bytes + frame.length > this.#maxBytes) {
      return Promise.reject(new GatewayQueueFullError(`${this.#maxBytes} bytes`));
    }
    const abort = () => this.#fail(id, signal?.reason);
    signal?.addEventListener("abort", abort);
    const pending: Pending = {
      ...request,
      ...deferred<ServerFrame>(),
      sent: false,
      timer: undefined,
      stopListening: () => signal?.removeEventListener("abort", abort),
    };
    this.#pending.set(id, pending);
    this.#bytes += frame.length;
    if (request.limitWaiting) this.#startTimer(pending);
    return pending.promise;
  }

  /** Sends what was not sent yet, in order. */
  flush(send: (frame: Encoded) => void): void {
    for (const pending of this.#pending.values()) {
      if (pending.sent) continue;
      pending.sent = true;
      if (!pending.limitWaiting) this.#startTimer(pending);
      send(pending.frame);
    }
  }

  /** Takes an answer. Returns whether somebody waited for it. */
  settle(frame: ServerFrame): boolean {
    const pending = this.#pending.get(frame.id);
    if (!pending?.sent) return false;
    if (frame.kind === "error") {
      this.#fail(frame.id, new GatewayReplyError(frame.body));
    } else {
      this.#remove(pending).resolve(frame);
    }
    return true;
  }

  /** Settles once all that was sent is answered, but after this many milliseconds at the latest. */
  async drained(limitMs: number): Promise<void> {
    const sent = [...this.#pending.values()].filter((pending) => pending.sent);
    if (sent.length === 0) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    await Promise.race([
      Promise.allSettled(sent.map(({ promise }) => promise)),
      new Promise((resolve) => timer = setTimeout(resolve, limitMs)),
    ]);
    clearTimeout(timer);
  }

  /** Fails what was sent and not answered; what was not sent waits on. */
  connectionLost(error: GatewayClientError): void {
    for (const { id, sent } of [...this.#pending.values()]) if (sent) this.#fail(id, error);
  }

  /** Fails everything. */
  close(error: GatewayClientError): void {
    for (const id of [...this.#pending.keys()]) this.#fail(id, error);
  }

  #startTimer(pending: Pending): void {
    const { id, what, limitMs } = pending;
    // Longer than a timer can wait is for ever.
    if (limitMs > MAX_TIMER_MS) return;
    pending.timer = setTimeout(
      () => this.#fail(id, new GatewayTimeoutError(what, limitMs)),
      limitMs,
    );
  }

  #fail(id: string, error: unknown): void {
    const pending = this.#pending.get(id);
    if (pending !== undefined) this.#remove(pending).reject(error);
  }

  #remove(pending: Pending): Pending {
    this.#pending.delete(pending.id);
    this.#bytes -= pending.frame.length;
    clearTimeout(pending.timer);
    pending.stopListening();
    return pending;
  }
}
