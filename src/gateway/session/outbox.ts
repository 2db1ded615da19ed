import type { Clock, Timer } from "../../base/mod.ts";
import type { Disconnect } from "./disconnect.ts";
import type { ClientTransport, Frame } from "./ports.ts";

/** Options of an {@linkcode Outbox}. */
export interface OutboxOptions {
  readonly transport: ClientTransport;
  readonly clock: Clock;
  /** Frames that may wait. */
  readonly framesMax: number;
  /** Bytes that may wait. */
  readonly bytesMax: number;
  /** Milliseconds that the transport may have no room; 0 is any time. */
  readonly writeTimeoutMs: number;
  /** Told once, when the transport had no room for that long. */
  readonly onStuck: () => void;
}

/** Longest wait in milliseconds for what was queued before a close. */
const FINISH_TIMEOUT_MS = 5_000;

/** The one writer of a connection, with a bounded queue. */
export class Outbox {
  readonly #options: OutboxOptions;
  #queue: Frame[] = [];
  #head = 0;
  #bytes = 0;
  /** Whether the transport has no room. */
  #isBlocked = false;
  #isClosed = false;
  #last: Disconnect | undefined;
  #timer: Timer | undefined;
  #room: PromiseWithResolvers<void> | undefined;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  /** Frames that wait. */
  get size(): number {
    return this.#queue.length - this.#head;
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Sends a frame after those before it.
   *
   * @returns Whether there was room.
   */
  push(frame: Frame): boolean {
    if (this.#isClosed || this.#last !== undefined) return true;
    if (!this.#isBlocked) {
      this.#send(frame);
      return true;
    }
    const { framesMax, bytesMax } = this.#options;
    if (this.size >= framesMax || this.#bytes + frame.bytes.length > bytesMax) return false;
    this.#queue.push(frame);
    this.#bytes += frame.bytes.length;
    return true;
  }

  /** Settles when at most a quarter of the queue is taken, or when there is no more queue. */
  room(): Promise<void> | undefined {
    if (this.#hasRoom()) return undefined;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  /** Closes the transport once everything is sent, or after a while. */
  finish(disconnect: Disconnect): void {
    if (this.#isClosed || this.#last !== undefined) return;
    if (this.size === 0) return this.#close(disconnect);
    this.#last = disconnect;
    this.#timer?.cancel();
    this.#timer = this.#options.clock.after(FINISH_TIMEOUT_MS, () => this.#close(disconnect));
    this.#makeRoom();
  }

  /** Closes the transport without what waits. */
  abandon(disconnect: Disconnect): void {
    if (!this.#isClosed) this.#close(disconnect);
  }

  /** Forgets everything: the transport is closed. */
  drop(): void {
    this.#isClosed = true;
    this.#queue = [];
    this.#head = 0;
    this.#bytes = 0;
    this.#timer?.cancel();
    this.#makeRoom();
  }

  #send(frame: Frame): void {
    const pending = this.#options.transport.send(frame);
    if (pending === undefined) return;
    this.#isBlocked = true;
    const { clock, writeTimeoutMs, onStuck } = this.#options;
    if (writeTimeoutMs > 0 && this.#last === undefined) {
      this.#timer = clock.after(writeTimeoutMs, onStuck, { unref: true });
    }
    pending.then(() => this.#unblock());
  }

  #unblock(): void {
    this.#isBlocked = false;
    if (this.#isClosed) return;
    if (this.#last === undefined) this.#timer?.cancel();
    while (!this.#isBlocked && this.#head < this.#queue.length) {
      const frame = this.#queue[this.#head++]!;
      this.#bytes -= frame.bytes.length;
      this.#send(frame);
    }
    if (this.#head === this.#queue.length) {
      this.#queue = [];
      this.#head = 0;
      if (this.#last !== undefined) return this.#close(this.#last);
    } else if (this.#head > 512) {
      this.#queue = this.#queue.slice(this.#head);
      this.#head = 0;
    }
    if (this.#hasRoom()) this.#makeRoom();
  }

  #close(disconnect: Disconnect): void {
    this.drop();
    this.#options.transport.close(disconnect);
  }

  #hasRoom(): boolean {
    if (this.#isClosed || this.#last !== undefined) return true;
    const { framesMax, bytesMax } = this.#options;
    return !this.#isBlocked || this.size <= framesMax / 4 && this.#bytes <= bytesMax / 4;
  }

  #makeRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}
