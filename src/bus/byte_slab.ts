const SLAB_BYTES = 16_384;
const MAX_SHARED_BYTES = 1_024;

/**
 * Copies bytes. An array buffer of its own for each small message would cost ten times as much as the
 * copy, so small ones share one.
 */
export class ByteSlab {
  #slab = new Uint8Array(0);
  #at = 0;

  /** A copy that nobody else writes to. */
  copy(bytes: Uint8Array): Uint8Array {
    const { length } = bytes;
    if (length > MAX_SHARED_BYTES) return bytes.slice();
    if (this.#at + length > this.#slab.length) {
      this.#slab = new Uint8Array(SLAB_BYTES);
      this.#at = 0;
    }
    this.#slab.set(bytes, this.#at);
    const copy = new Uint8Array(this.#slab.buffer, this.#at, length);
    this.#at += length;
    return copy;
  }
}
