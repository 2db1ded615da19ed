import { Buffer } from "node:buffer";

const SLAB_BYTES = 64 * 1024;

/**
 * Memory for messages that are written one after the other: large pieces, from which each takes what
 * it needs. A piece is freed once none of its messages is held any more.
 */
export class Slab {
  #piece = Buffer.allocUnsafeSlow(0);
  #used = 0;

  /**
   * Makes room for a message whose length is not known yet.
   *
   * @param bytesMax Most bytes that it can take.
   * @returns Where in `piece` it begins.
   */
  reserve(bytesMax: number): number {
    if (this.#piece.length - this.#used < bytesMax) {
      this.#piece = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, bytesMax));
      this.#used = 0;
    }
    return this.#used;
  }

  /** What to write into, after `reserve`. */
  get piece(): Uint8Array<ArrayBuffer> {
    return this.#piece;
  }

  /** Takes the first bytes of what was reserved. They are a `Buffer`, which sockets take as it is. */
  take(bytes: number): Uint8Array<ArrayBuffer> {
    const begin = this.#used;
    this.#used += bytes;
    return this.#piece.subarray(begin, this.#used);
  }
}
