/**
 * Refuses MessagePack that claims more values than it has bytes. The decoder makes room for what an
 * array claims before it has seen any of it, so that a short message of nested claims would fill the
 * memory.
 *
 * @param bytes One encoded value.
 * @throws {RangeError} When it claims too much, or is cut short.
 */
export function checkMsgpackClaims(bytes: Uint8Array): void {
  const { length } = bytes;
  // Every value takes a byte at least, and they stand in line: no stack is needed to count them.
  let claimed = 1;
  let at = 0;
  while (at < length) {
    const head = bytes[at++]!;
    if (head < 0x80 || head >= 0xe0) continue; // small integers
    if (head < 0x90) claimed += 2 * (head & 0x0f); // small maps
    else if (head < 0xa0) claimed += head & 0x0f; // small arrays
    else if (head < 0xc0) at += head & 0x1f; // short text
    else {
      const size = HEADS[head - 0xc0]!;
      const lengthBytes = size & 0x07;
      const claim = lengthBytes === 0 ? 0 : readLength(bytes, at, lengthBytes);
      at += lengthBytes;
      if ((size & CLAIMS_VALUES) !== 0) claimed += claim;
      else if ((size & CLAIMS_PAIRS) !== 0) claimed += 2 * claim;
      else at += (size >> FIXED_SHIFT) + claim;
    }
    if (claimed > length) {
      throw new RangeError(`MessagePack of ${length} bytes claims ${claimed} values`);
    }
  }
  if (at > length) throw new RangeError("MessagePack is cut short");
}

const CLAIMS_VALUES = 0x08;
const CLAIMS_PAIRS = 0x10;
const FIXED_SHIFT = 5;

/** A head that is followed by so many bytes, whatever they are. */
const fixed = (bytes: number) => bytes << FIXED_SHIFT;

/** What stands behind the heads from 0xc0 on: bytes of a length, what that counts, further bytes. */
const HEADS = Uint16Array.from([
  ...[0, 0, 0, 0], // nil, never used, false, true
  ...[1, 2, 4], // bin
  ...[1 | fixed(1), 2 | fixed(1), 4 | fixed(1)], // ext
  ...[fixed(4), fixed(8)], // float
  ...[fixed(1), fixed(2), fixed(4), fixed(8)], // uint
  ...[fixed(1), fixed(2), fixed(4), fixed(8)], // int
  ...[fixed(2), fixed(3), fixed(5), fixed(9), fixed(17)], // fixext
  ...[1, 2, 4], // str
  ...[2 | CLAIMS_VALUES, 4 | CLAIMS_VALUES], // array
  ...[2 | CLAIMS_PAIRS, 4 | CLAIMS_PAIRS], // map
]);

function readLength(bytes: Uint8Array, at: number, lengthBytes: number): number {
  let value = 0;
  // What lies beyond the end reads as 0; that the value is cut short is found then.
  for (let i = 0; i < lengthBytes; i++) value = value * 256 + (bytes[at + i] ?? 0);
  return value;
}
