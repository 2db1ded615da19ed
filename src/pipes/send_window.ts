import type { Clock, Timer } from "../base/mod.ts";

/** How long in milliseconds a peer that takes nothing is waited for before others go on. */
const STALL_MS = 1_000;

/** The part of a socket that the window looks at. */
export interface Pending {
  /** Messages that the network has not taken yet. */
  readonly pending: number;
}

/** Paces those who send: says when to wait for a connection, and when not to wait any longer. */
export class SendWindow {
  readonly #socket: Pending;
  readonly #sizeMax: number;
  readonly #low: number;
  readonly #clock: Clock;
  #room: PromiseWithResolvers<void> | undefined;
  #empty: PromiseWithResolvers<void> | undefined;
  #timer: Timer | undefined;
  /** Whether the peer took nothing for a while: nobody waits for it until it does. */
  #isStalled = false;
  #isOver = false;
  #flushes = 0;

  /**
   * @param socket What counts.
   * @param sizeMax Messages that may be pending.
   * @param clock What measures.
   */
  constructor(socket: Pending, sizeMax: number, clock: Clock) {
    this.#socket = socket;
    this.#sizeMax = sizeMax;
    this.#low = Math.max(1, sizeMax >> 1);
    this.#clock = clock;
  }

  /** Whether one message more would be too many. */
  get isFull(): boolean {
    return this.#socket.pending >= this.#sizeMax;
  }

  /** How often the network has taken something. */
  get flushes(): number {
    return this.#flushes;
  }

  /**
   * To be awaited after sending.
   *
   * @returns Undefined when there is room for more; else settles once there is, or once nobody should
   *   wait any longer. Never rejects.
   */
  room(): Promise<void> | undefined {
    if (this.#socket.pending < this.#low || this.#isStalled || this.#isOver) return undefined;
    if (this.#room === undefined) {
      this.#room = Promise.withResolvers();
      this.#watch();
    }
    return this.#room.promise;
  }

  /** @returns Undefined when nothing is pending; else settles once nothing is. Never rejects. */
  empty(): Promise<void> | undefined {
    if (this.#socket.pending === 0 || this.#isOver) return undefined;
    return (this.#empty ??= Promise.withResolvers()).promise;
  }

  /** The network has taken something. */
  flushed(): void {
    this.#flushes++;
    this.#isStalled = false;
    const { pending } = this.#socket;
    if (this.#room !== undefined && pending < this.#low) this.#letGo();
    if (this.#empty !== undefined && pending === 0) {
      this.#empty.resolve();
      this.#empty = undefined;
    }
  }

  /** Nothing will be taken any more. */
  end(): void {
    this.#isOver = true;
    this.#letGo();
    this.#empty?.resolve();
    this.#empty = undefined;
  }

  #letGo(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#room?.resolve();
    this.#room = undefined;
  }

  #watch(): void {
    const before = this.#flushes;
    this.#timer = this.#clock.after(STALL_MS, () => {
      // A program that was busy for so long has yet to hear of what the network took meanwhile.
      this.#clock.soon(() => {
        if (this.#room === undefined) return;
        if (this.#flushes !== before) return this.#watch();
        this.#isStalled = true;
        this.#letGo();
      });
    });
  }
}
