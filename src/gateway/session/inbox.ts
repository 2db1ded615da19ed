/** Frames that may wait before the transport is asked to read no further. */
const PAUSE_AT = 32;
/** Frames that may wait although the transport was asked: one read may bring many small ones. */
const WAITING_MAX = 4_096;

/** Handles the frames of one connection one after the other. */
export class Inbox {
  #waiting: (() => Promise<void> | undefined)[] = [];
  #isBusy = false;
  #room: PromiseWithResolvers<void> | undefined;

  /** Whether no further frame can be taken. */
  get isFull(): boolean {
    return this.#waiting.length >= WAITING_MAX;
  }

  /**
   * Handles a frame after those before it.
   *
   * @param handle Never throws and never rejects. Its promise holds up the frames behind it.
   * @returns Nothing when more can come; else what settles when it can.
   */
  add(handle: () => Promise<void> | undefined): Promise<void> | undefined {
    if (this.#isBusy) this.#waiting.push(handle);
    else this.#run(handle);
    if (this.#waiting.length < PAUSE_AT) return undefined;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  /** Forgets what waits. */
  clear(): void {
    this.#waiting = [];
    this.#makeRoom();
  }

  #run(handle: () => Promise<void> | undefined): void {
    const pending = handle();
    if (pending === undefined) return;
    this.#isBusy = true;
    pending.then(() => {
      this.#isBusy = false;
      this.#goOn();
    });
  }

  #goOn(): void {
    let done = 0;
    while (!this.#isBusy && done < this.#waiting.length) this.#run(this.#waiting[done++]!);
    this.#waiting.splice(0, done);
    if (this.#waiting.length < PAUSE_AT) this.#makeRoom();
  }

  #makeRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}
