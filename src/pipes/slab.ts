const SLAB_BYTES = 64 * 1024;

/**
 * Memory for messages that are written one after the other: large pieces, from which each takes what
 * it needs. A piece is freed once none of its messages is held any more.
 */
export class Slab {
  #piece = new Uint8Array(0);
  #used = 0;

  /**
   * Room for a message whose length is not known yet. Valid until the next call.
   *
   * @param bytesMax Most bytes that it can take.
   */
  room(bytesMax: number): Uint8Array<ArrayBuffer> {
    if (this.#piece.length - this.#used < bytesMax) {
      this.#piece = new Uint8Array(Math.max(SLAB_BYTES, bytesMax));
      this.#used = 0;
    }
    return this.#piece.subarray(this.#used, this.#used + bytesMax);
  }

  /** Keeps the first bytes of what `room` gave. */
  keep(room: Uint8Array<ArrayBuffer>, bytes: number): Uint8Array<ArrayBuffer> {
    this.#used += bytes;
    return room.subarray(0, bytes);
  }
}
