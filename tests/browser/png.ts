/** What a picture is. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** How many colours are in it. */
  readonly colours: number;
}

const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/**
 * Decodes a PNG of 8 bits a channel without interlacing, as browsers make them.
 *
 * @throws {Error} When it is none.
 */
export async function decodePng(bytes: Uint8Array): Promise<Picture> {
  if (SIGNATURE.some((byte, at) => bytes[at] !== byte)) throw new Error("not a PNG");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const packed: Uint8Array<ArrayBuffer>[] = [];
  let [width, height, channels] = [0, 0, 0];
  for (let at = 8; at < bytes.length;) {
    const length = view.getUint32(at);
    const type = new TextDecoder().decode(bytes.subarray(at + 4, at + 8));
    const start = at + 8;
    if (type === "IHDR") {
      width = view.getUint32(start);
      height = view.getUint32(start + 4);
      channels = bytes[start + 9] === 6 ? 4 : 3;
      if (bytes[start + 8] !== 8 || bytes[start + 12] !== 0) throw new Error("an unusual PNG");
    }
    if (type === "IDAT") packed.push(bytes.slice(start, start + length));
    at = start + length + 4;
  }
  const stream = new Blob(packed).stream().pipeThrough(new DecompressionStream("deflate"));
  const raw = new Uint8Array(await new Response(stream).arrayBuffer());
  return { width, height, colours: countColours(raw, width, height, channels) };
}

function countColours(raw: Uint8Array, width: number, height: number, channels: number): number {
  const stride = width * channels;
  if (raw.length !== height * (stride + 1)) throw new Error("a PNG of another length");
  const colours = new Set<number>();
  let above = new Uint8Array(stride);
  for (let y = 0; y < height; y++) {
    const filter = raw[y * (stride + 1)]!;
    const line = raw.slice(y * (stride + 1) + 1, (y + 1) * (stride + 1));
    for (let x = 0; x < stride; x++) {
      const left = x < channels ? 0 : line[x - channels]!;
      const corner = x < channels ? 0 : above[x - channels]!;
      line[x] = line[x]! + predict(filter, left, above[x]!, corner);
    }
    for (let x = 0; x < stride; x += channels) {
      colours.add(line[x]! << 16 | line[x + 1]! << 8 | line[x + 2]!);
    }
    above = line;
  }
  return colours.size;
}

function predict(filter: number, left: number, above: number, corner: number): number {
  if (filter === 1) return left;
  if (filter === 2) return above;
  if (filter === 3) return (left + above) >> 1;
  if (filter !== 4) return 0;
  const [a, b, c] = [left, above, corner].map((value) => Math.abs(left + above - corner - value));
  return a! <= b! && a! <= c! ? left : b! <= c! ? above : corner;
}
