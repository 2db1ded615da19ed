import type { Frame, LinkListener } from "./link.ts";

/**
 * Incoming frames of a link on their way to its listener. A transport goes on for a moment after it was
 * told to pause; what it brings until then waits here.
 */
export class Inbox {
  #listener: LinkListener | undefined;
  #waiting: Frame[] = [];
  #paused = false;
  #handing = false;
  #closed = false;

  /** Whether frames are held back. */
  get paused(): boolean {
    return this.#paused;
  }

  /** Whether a frame that comes now would have to wait. */
  get holds(): boolean {
    return this.#paused || this.#listener === undefined;
  }

  /** Who gets the frames. */
  get listener(): LinkListener | undefined {
    return this.#listener;
  }

  /** Gives frames to the listener from now on. */
  listen(listener: LinkListener): void {
    this.#listener = listener;
    this.#hand();
  }

  /** Takes a frame from the transport. */
  push(frame: Frame): void {
    if (this.#closed) return;
    if (this.#handing || this.#waiting.length > 0 || this.holds) this.#waiting.push(frame);
    else this.#listener!.frame(frame);
  }

  /** Holds frames back. */
  pause(): void {
    this.#paused = true;
  }

  /** Lets frames through. */
  resume(): void {
    this.#paused = false;
    this.#hand();
  }

  /** Drops what waits and whatever comes. */
  close(): void {
    this.#closed = true;
    this.#waiting = [];
  }

  #hand(): void {
    if (this.#handing) return;
    this.#handing = true;
    let next = 0;
    while (next < this.#waiting.length && !this.holds) {
      this.#listener!.frame(this.#waiting[next++]!);
    }
    this.#waiting.splice(0, next);
    this.#handing = false;
  }
}
