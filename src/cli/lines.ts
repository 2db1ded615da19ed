const NEWLINE = 0x0a;
const CARRIAGE_RETURN = "\r";

/** Whole lines that arrived together. */
export interface Lines {
  /** Number of the first one, from 1. */
  readonly first: number;
  /** The lines without their ends. */
  readonly texts: readonly string[];
}

/** Options of {@linkcode readLines}. */
export interface ReadLinesOptions {
  /** The longest line that is taken, in bytes. */
  readonly maxBytes: number;
  /** Ends the reading, as if the stream had ended before its unfinished line. */
  readonly signal: AbortSignal;
}

/**
 * Cuts a stream of UTF-8 into lines and gives them as they come. A last line without an end counts.
 *
 * @param stream The bytes.
 * @param options The bound of a line, and a signal to stop.
 * @throws {Error} When a line is too long or no UTF-8, once those before it were given.
 */
export async function* readLines(
  stream: ReadableStream<Uint8Array>,
  options: ReadLinesOptions,
): AsyncGenerator<Lines, void, void> {
  const { maxBytes, signal } = options;
  const reader = stream.getReader();
  const stop = () => void reader.cancel().catch(() => {});
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  let begun: Uint8Array[] = [];
  let begunBytes = 0;
  let first = 1;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (signal.aborted) return;
      const end = done ? 0 : value.lastIndexOf(NEWLINE) + 1;
      const whole = done || end > 0;
      if (whole) {
        if (!done) begun.push(value.subarray(0, end));
        for (const lines of cut(join(begun), first, maxBytes)) {
          yield lines;
          first = lines.first + lines.texts.length;
        }
        if (done) return;
        begun = [];
        begunBytes = 0;
      }
      begun.push(value.slice(end));
      begunBytes += value.length - end;
      if (begunBytes > maxBytes) throw tooLong(first, maxBytes);
    }
  } finally {
    signal.removeEventListener("abort", stop);
    stop();
  }
}

/** Lines of bytes of which all but the last line has its end. */
function* cut(bytes: Uint8Array, first: number, maxBytes: number): Generator<Lines, void, void> {
  if (bytes.length === 0) return;
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: first > 1 });
  try {
    const texts = decoder.decode(bytes).split("\n");
    if (texts.at(-1) === "") texts.pop();
    yield* within(texts.map(withoutReturn), first, maxBytes);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    yield* upToUndecodable(bytes, first);
  }
}

function* within(
  texts: readonly string[],
  first: number,
  maxBytes: number,
): Generator<Lines, void, void> {
  // A character takes at most three bytes.
  const index = texts.findIndex((text) =>
    text.length * 3 > maxBytes && new TextEncoder().encode(text).length > maxBytes
  );
  if (index !== 0) yield { first, texts: index < 0 ? texts : texts.slice(0, index) };
  if (index >= 0) throw tooLong(first + index, maxBytes);
}

function* upToUndecodable(bytes: Uint8Array, first: number): Generator<Lines, void, void> {
  const texts: string[] = [];
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: first > 1 });
  for (let at = 0; at < bytes.length;) {
    const found = bytes.indexOf(NEWLINE, at);
    const end = found < 0 ? bytes.length : found;
    try {
      texts.push(withoutReturn(decoder.decode(bytes.subarray(at, end))));
    } catch {
      break;
    }
    at = end + 1;
  }
  if (texts.length > 0) yield { first, texts };
  throw new Error(`line ${first + texts.length} is not UTF-8 text`);
}

function withoutReturn(text: string): string {
  return text.endsWith(CARRIAGE_RETURN) ? text.slice(0, -1) : text;
}

function join(parts: readonly Uint8Array[]): Uint8Array {
  if (parts.length === 1) return parts[0]!;
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

function tooLong(line: number, maxBytes: number): Error {
  return new Error(`line ${line} is longer than ${maxBytes} bytes`);
}
