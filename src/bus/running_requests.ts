import { Room } from "./room.ts";

const SWEEP_EVERY_MS = 10_000;
/**
 * After so many replies the caller is asked to say when it has room for more, and awaited. It says so at once
 * unless half of its buffer is full: the other half takes more than these.
 */
const ASK_EVERY_REPLIES = 256;

interface Running {
  readonly cancelled: AbortController;
  readonly deadline: number;
  readonly room: Room;
  replies: number;
  isAsked: boolean;
}

/** The requests that a server has taken and not answered to the end, by whatever names them. */
export class RunningRequests {
  readonly #running = new Map<string, Running>();
  #sweptAt = Date.now();

  /**
   * A request is taken.
   *
   * @param key Names it.
   * @param deadline Wall-clock milliseconds after which nobody waits, and it is forgotten.
   * @returns Is aborted when the caller gives up.
   */
  start(key: string, deadline: number): AbortSignal {
    this.#sweep();
    const cancelled = new AbortController();
    const room = new Room();
    this.#running.set(key, { cancelled, deadline, room, replies: 0, isAsked: false });
    return cancelled.signal;
  }

  /** Counts a reply that others follow. @returns Whether to ask the caller for its {@linkcode answer}. */
  asks(key: string): boolean {
    const running = this.#running.get(key);
    if (running === undefined || ++running.replies % ASK_EVERY_REPLIES !== 0) return false;
    return running.isAsked = true;
  }

  /** Settles when the caller has room for more replies, or nobody waits for them. */
  async untilRoom(key: string): Promise<void> {
    const running = this.#running.get(key);
    if (running?.isAsked) await running.room.wait();
  }

  /** The caller has room for more. */
  answer(key: string): void {
    const running = this.#running.get(key);
    if (running === undefined) return;
    running.isAsked = false;
    running.room.open();
  }

  /** A request is answered to the end. */
  finish(key: string): void {
    const running = this.#running.get(key);
    this.#running.delete(key);
    running?.room.open();
  }

  /** The caller has given up. */
  cancel(key: string): void {
    const running = this.#running.get(key);
    this.finish(key);
    running?.cancelled.abort(new DOMException("The caller gave up", "AbortError"));
  }

  /** Forgets handlers that never answered. */
  #sweep(): void {
    const now = Date.now();
    if (now - this.#sweptAt < SWEEP_EVERY_MS) return;
    this.#sweptAt = now;
    for (const [key, { deadline }] of this.#running) {
      if (deadline < now) this.finish(key);
    }
  }
}
