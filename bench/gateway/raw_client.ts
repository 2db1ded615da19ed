const encoder = new TextEncoder();

/**
 * A WebSocket client that costs next to nothing: it counts the gateway's frames by their heads and
 * looks into none, so that a process can be thousands of clients and still wait for the server.
 */
export class RawClient {
  readonly #connection: Deno.TcpConn;
  readonly #onFrame: (length: number, payload: Uint8Array) => void;
  #rest: Uint8Array = new Uint8Array();

  private constructor(
    connection: Deno.TcpConn,
    onFrame: (length: number, payload: Uint8Array) => void,
  ) {
    this.#connection = connection;
    this.#onFrame = onFrame;
  }

  /**
   * Opens one.
   *
   * @param port On the loopback interface.
   * @param subprotocol What is offered.
   * @param onFrame Gets the length and the payload of each frame, which is only valid during the call.
   */
  static async open(
    port: number,
    subprotocol: string,
    onFrame: (length: number, payload: Uint8Array) => void,
  ): Promise<RawClient> {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port });
    connection.setNoDelay(true);
    const client = new RawClient(connection, onFrame);
    await client.#write(encoder.encode(
      `GET /ws HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nUpgrade: websocket\r\n` +
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ${subprotocol}\r\n\r\n`,
    ));
    const head = new Uint8Array(4_096);
    let length = 0;
    for (let end = -1; end < 0;) {
      const read = await connection.read(head.subarray(length));
      if (read === null) throw new Error("the upgrade was refused");
      length += read;
      end = new TextDecoder().decode(head.subarray(0, length)).indexOf("\r\n\r\n");
      if (end >= 0) client.#rest = head.slice(end + 4, length);
    }
    client.#read().catch(() => {});
    return client;
  }

  /** Sends a frame. */
  send(payload: Uint8Array, isText: boolean): Promise<void> {
    const extended = payload.length > 125 ? 2 : 0;
    // A mask of zeros leaves the payload as it is.
    const frame = new Uint8Array(2 + extended + 4 + payload.length);
    frame[0] = isText ? 0x81 : 0x82;
    frame[1] = 0x80 | (extended ? 126 : payload.length);
    if (extended) new DataView(frame.buffer).setUint16(2, payload.length);
    frame.set(payload, 6 + extended);
    return this.#write(frame);
  }

  /** Cuts the connection. */
  close(): void {
    try {
      this.#connection.close();
    } catch {
      // It is closed.
    }
  }

  async #write(bytes: Uint8Array): Promise<void> {
    for (let at = 0; at < bytes.length;) at += await this.#connection.write(bytes.subarray(at));
  }

  async #read(): Promise<void> {
    const buffer = new Uint8Array(65_536);
    for (;;) {
      const kept = this.#take(this.#rest);
      buffer.set(kept);
      const room = buffer.subarray(kept.length);
      const read = await this.#connection.read(room);
      if (read === null) return;
      this.#rest = buffer.subarray(0, kept.length + read);
    }
  }

  /** Takes whole frames. @returns What is left. */
  #take(bytes: Uint8Array): Uint8Array {
    let at = 0;
    for (;;) {
      if (bytes.length - at < 2) break;
      let length = bytes[at + 1]! & 0x7f;
      let head = 2;
      if (length >= 126) {
        head = length === 126 ? 4 : 10;
        if (bytes.length - at < head) break;
        const view = new DataView(bytes.buffer, bytes.byteOffset + at);
        length = head === 4 ? view.getUint16(2) : Number(view.getBigUint64(2));
      }
      if (bytes.length - at < head + length) break;
      this.#onFrame(length, bytes.subarray(at + head, at + head + length));
      at += head + length;
    }
    return bytes.subarray(at);
  }
}
