/** One frame of the other end. */
export interface RawFrame {
  readonly opcode: number;
  readonly payload: Uint8Array;
}

/** A WebSocket client that may send whatever it likes, and need not read. */
export class RawSocket implements Disposable {
  readonly #connection: Deno.TcpConn;
  #rest: Uint8Array<ArrayBufferLike> = new Uint8Array();
  /** The head of the answer to the upgrade. */
  head = "";

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  /** Connects and asks for an upgrade. */
  static async open(port: number, headers: Record<string, string> = {}): Promise<RawSocket> {
    const socket = new RawSocket(await Deno.connect({ hostname: "127.0.0.1", port }));
    const extra = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`).join("");
    await socket.write(
      `GET /ws HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\n` +
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
        `Sec-WebSocket-Version: 13\r\n${extra}\r\n`,
    );
    while (!socket.head.includes("\r\n\r\n")) {
      const bytes = await socket.#read();
      if (bytes === null) break;
      socket.head += new TextDecoder("latin1").decode(bytes);
    }
    const end = socket.head.indexOf("\r\n\r\n") + 4;
    socket.#rest = Uint8Array.from(socket.head.slice(end), (char) => char.charCodeAt(0));
    socket.head = socket.head.slice(0, end);
    return socket;
  }

  /** Sends bytes as they are. */
  async write(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
  }

  /** Sends a frame. */
  frame(opcode: number, payload: string | Uint8Array, fin = true): Promise<void> {
    const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
    return this.write(frameBytes(opcode, bytes, fin));
  }

  /** The next frame; undefined when the connection is over. */
  async next(): Promise<RawFrame | undefined> {
    for (;;) {
      const frame = this.#take();
      if (frame !== undefined) return frame;
      const bytes = await this.#read().catch(() => null);
      if (bytes === null) return undefined;
      const rest = new Uint8Array(this.#rest.length + bytes.length);
      rest.set(this.#rest);
      rest.set(bytes, this.#rest.length);
      this.#rest = rest;
    }
  }

  /** The code of the close frame, whatever comes before; undefined when none comes. */
  async closeCode(): Promise<number | undefined> {
    for (;;) {
      const frame = await this.next();
      if (frame === undefined) return undefined;
      if (frame.opcode === 8) return (frame.payload[0]! << 8) | frame.payload[1]!;
    }
  }

  [Symbol.dispose](): void {
    try {
      this.#connection.close();
    } catch {
      // It is closed.
    }
  }

  async #read(): Promise<Uint8Array | null> {
    const buffer = new Uint8Array(65_536);
    const length = await this.#connection.read(buffer);
    return length === null ? null : buffer.subarray(0, length);
  }

  #take(): RawFrame | undefined {
    const bytes = this.#rest;
    if (bytes.length < 2) return undefined;
    let length = bytes[1]! & 0x7f;
    let head = 2;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    if (length === 126) {
      if (bytes.length < 4) return undefined;
      [length, head] = [view.getUint16(2), 4];
    } else if (length === 127) {
      if (bytes.length < 10) return undefined;
      [length, head] = [Number(view.getBigUint64(2)), 10];
    }
    if (bytes.length < head + length) return undefined;
    this.#rest = bytes.subarray(head + length);
    return { opcode: bytes[0]! & 0x0f, payload: bytes.slice(head, head + length) };
  }
}

/** A masked frame. */
export function frameBytes(opcode: number, payload: Uint8Array, fin = true): Uint8Array {
  const extended = payload.length > 65_535 ? 8 : payload.length > 125 ? 2 : 0;
  const frame = new Uint8Array(2 + extended + 4 + payload.length);
  frame[0] = (fin ? 0x80 : 0) | opcode;
  frame[1] = 0x80 | (extended === 8 ? 127 : extended === 2 ? 126 : payload.length);
  const view = new DataView(frame.buffer);
  if (extended === 2) view.setUint16(2, payload.length);
  if (extended === 8) view.setBigUint64(2, BigInt(payload.length));
  // A mask of zeros.
  frame.set(payload, 6 + extended);
  return frame;
}
