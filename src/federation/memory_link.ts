import { type Clock, systemClock } from "../base/mod.ts";
import { CloseCode } from "./close_codes.ts";
import { Inbox } from "./inbox.ts";
import type { Frame, Link, LinkEnd, LinkListener, LinkPeer } from "./link.ts";

/** Options of {@linkcode memoryLinkPair}. */
export interface MemoryLinkOptions {
  /** Who the first end sees: the second. @default `{ name: "second", address: "memory" }` */
  readonly second?: LinkPeer;
  /** Who the second end sees: the first. @default `{ name: "first", address: "memory" }` */
  readonly first?: LinkPeer;
  /** Frames on their way in one direction from which on `send` gives false. @default {16} */
  readonly capacity?: number;
  /** How long a frame takes, in milliseconds. @default {0} */
  readonly delayMs?: number;
  /** The connection breaks when it has carried so many frames, both directions together. */
  readonly cutAfter?: number;
  /** So many frames arrive, both directions together; the rest vanish and nobody is told. */
  readonly loseAfter?: number;
  /** Called when the connection breaks because of `cutAfter`. */
  readonly onCut?: () => void;
  /** What tells the time. @default {systemClock} */
  readonly clock?: Clock;
}

/** Two connected ends. */
export interface MemoryLinkPair {
  /** One end. */
  readonly first: Link;
  /** The other end. */
  readonly second: Link;
  /** Breaks the connection: both ends are closed with 1006, and what is on its way is lost. */
  cut(): void;
}

/** The model of a connection: two ends in one process, with faults to order. */
export function memoryLinkPair(options: MemoryLinkOptions = {}): MemoryLinkPair {
  return new MemoryWire(options);
}

/** What both ends share. */
class MemoryWire implements MemoryLinkPair {
  readonly options: MemoryLinkOptions;
  readonly capacity: number;
  readonly clock: Clock;
  readonly first: MemoryLink;
  readonly second: MemoryLink;
  #sent = 0;
  #arrived = 0;

  constructor(options: MemoryLinkOptions) {
    this.options = options;
    this.capacity = options.capacity ?? 16;
    this.clock = options.clock ?? systemClock;
    this.first = new MemoryLink(this, options.second ?? { name: "second", address: "memory" });
    this.second = new MemoryLink(this, options.first ?? { name: "first", address: "memory" });
    this.first.other = this.second;
    this.second.other = this.first;
    if (options.cutAfter === 0) this.clock.soon(() => this.cut());
  }

  /** Whether what is sent now gets through. */
  carries(isFrame: boolean): boolean {
    if (isFrame) this.#sent++;
    return this.#sent <= (this.options.loseAfter ?? Infinity);
  }

  /** A frame has come through; the connection may break behind it. */
  arrived(): void {
    if (++this.#arrived === this.options.cutAfter) this.cut();
  }

  cut(): void {
    if (this.first.ended && this.second.ended) return;
    this.options.onCut?.();
    const end = { code: CloseCode.abnormal, reason: "connection cut" };
    this.first.end(end);
    this.second.end(end);
  }
}

type Item = { readonly frame: Frame } | { readonly end: LinkEnd };

class MemoryLink implements Link {
  readonly peer: LinkPeer;
  readonly closed: Promise<LinkEnd>;
  other!: MemoryLink;
  ended = false;
  readonly #wire: MemoryWire;
  readonly #inbox = new Inbox();
  /** What is on its way to this end. */
  readonly #coming: Item[] = [];
  #delivering = false;
  #isFull = false;
  #closing: LinkEnd | undefined;
  #settle!: (end: LinkEnd) => void;

  constructor(wire: MemoryWire, peer: LinkPeer) {
    this.#wire = wire;
    this.peer = peer;
    this.closed = new Promise((resolve) => this.#settle = resolve);
  }

  get paused(): boolean {
    return this.#inbox.paused;
  }

  listen(listener: LinkListener): void {
    this.#inbox.listen(listener);
    this.#deliverSoon();
  }

  send(frame: Frame): boolean {
    if (this.ended || this.#closing !== undefined) return true;
    return this.other.#comes({ frame: typeof frame === "string" ? frame : frame.slice() });
  }

  pause(): void {
    this.#inbox.pause();
  }

  resume(): void {
    this.#inbox.resume();
    this.#deliverSoon();
  }

  close(code: number, reason: string): void {
    if (this.ended || this.#closing !== undefined) return;
    this.#closing = { code, reason };
    this.#inbox.close();
    this.other.#comes({ end: this.#closing });
    this.#wire.clock.soon(() => this.end(this.#closing!));
  }

  end(end: LinkEnd): void {
    if (this.ended) return;
    this.ended = true;
    this.#inbox.close();
    this.#coming.length = 0;
    this.#settle(this.#closing ?? end);
  }

  /** Something was sent to this end. @returns Whether more may come. */
  #comes(item: Item): boolean {
    if (this.ended) return true;
    if (!this.#wire.carries("frame" in item)) return true;
    this.#coming.push(item);
    if (this.#coming.length >= this.#wire.capacity) this.#isFull = true;
    this.#deliverSoon();
    return !this.#isFull;
  }

  #deliverSoon(): void {
    if (this.#delivering || this.#coming.length === 0) return;
    this.#delivering = true;
    const deliver = () => {
      this.#delivering = false;
      this.#deliver();
    };
    const { delayMs = 0 } = this.#wire.options;
    if (delayMs > 0) this.#wire.clock.after(delayMs, deliver);
    else this.#wire.clock.soon(deliver);
  }

  #deliver(): void {
    if (this.ended) return;
    const [item] = this.#coming;
    if (item === undefined) return;
    // An end that closes reads no more, so that what comes for it is dropped.
    const isReading = this.#closing === undefined;
    if ("end" in item) return this.end(item.end);
    if (isReading && this.#inbox.holds) return;
    this.#coming.shift();
    if (isReading) this.#inbox.push(item.frame);
    this.#wire.arrived();
    if (this.ended) return;
    if (this.#isFull && this.#coming.length <= this.#wire.capacity / 2) {
      this.#isFull = false;
      if (!this.other.ended) this.other.#inbox.listener?.writable();
    }
    this.#deliverSoon();
  }
}
