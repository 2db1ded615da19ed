// Stands in for jsr:@std/crypto so that a checkout builds from the npm registry alone.
import { timingSafeEqual as untyped } from "deno-std/crypto/timing_safe_equal.js";

/** Compares two byte sequences in a time that depends only on their length. */
export const timingSafeEqual: (
  a: ArrayBufferView | ArrayBufferLike,
  b: ArrayBufferView | ArrayBufferLike,
) => boolean = untyped;
