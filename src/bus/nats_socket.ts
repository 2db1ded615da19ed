import { connect as connectTcp, isIP, type Socket } from "node:net";
import { nextTick } from "node:process";
import { connect as connectTls, type ConnectionOptions as TlsSettings } from "node:tls";
import {
  checkOptions,
  type ConnectionOptions,
  DataBuffer,
  errors,
  extractProtocolMessage,
  INFO,
  type Server,
  type ServerInfo,
  type Transport,
} from "@nats-io/transport-node";
import type { NatsTls } from "./nats_tls.ts";

/** Bytes that are written together. */
const WRITE_BYTES = 64 * 1024;
const CARRIAGE_RETURN = 0x0d;
const LINE_FEED = 0x0a;
const encoder = new TextEncoder();
/** Longest greeting that is taken from a server. */
const GREETING_BYTES_MAX = 64 * 1024;

/**
 * The NATS client's connection to a server. Unlike the client's own one it listens for errors at every
 * moment (a server that refuses a certificate after the handshake would otherwise end the process),
 * checks a certificate against the host that was dialled, and tells how much waits to be sent.
 */
export class NatsSocket implements Transport {
  readonly lang = "nats.js";
  readonly version = "3.4.0";
  closeError?: Error;
  readonly #closed = Promise.withResolvers<void | Error>();
  #socket: Socket | undefined;
  #isConnected = false;
  #isDone = false;
  #isEncrypted = false;
  #hasHeard = false;
  #chunks: Uint8Array[] = [];
  #wake = () => {};
  #outgoing = new Uint8Array(WRITE_BYTES);
  #outgoingBytes = 0;
  #drained: PromiseWithResolvers<void> | undefined;

  /** Whether the connection has ended. */
  get isClosed(): boolean {
    return this.#isDone;
  }

  /** Bytes that wait for the system to take them. */
  get waitingBytes(): number {
    return this.#outgoingBytes + (this.#socket?.writableLength ?? 0);
  }

  /** Settles when nothing waits to be sent, or the connection has ended. */
  drained(): Promise<void> {
    this.#write();
    if (this.#isDone || this.waitingBytes === 0) return Promise.resolve();
    return (this.#drained ??= Promise.withResolvers<void>()).promise;
  }

  /** Connects, and goes over to TLS where the server or the options ask for it. */
  async connect(server: Server, options: ConnectionOptions): Promise<void> {
    const tls = options.tls as (NatsTls & { handshakeFirst?: boolean }) | null | undefined;
    const host = server.tlsName || server.hostname;
    try {
      let socket = await this.#opening(
        connectTcp({ host: server.hostname, port: server.port }),
        "connect",
      );
      if (tls?.handshakeFirst) socket = await this.#secure(socket, host, tls);
      const info = await this.#greeting(socket);
      checkOptions(info, options);
      const wantsTls = info.tls_required || (info.tls_available && tls !== null);
      if (!tls?.handshakeFirst && wantsTls) socket = await this.#secure(socket, host, tls ?? {});
      this.#follow(socket);
    } catch (error) {
      this.discard();
      throw error;
    }
  }

  async *[Symbol.asyncIterator](): AsyncIterableIterator<Uint8Array> {
    while (!this.#isDone || this.#chunks.length > 0) {
      if (this.#chunks.length === 0) await new Promise<void>((resolve) => this.#wake = resolve);
      yield* this.#chunks.splice(0);
    }
  }

  /** Whether it goes over TLS. */
  isEncrypted(): boolean {
    return this.#isEncrypted;
  }

  /** Sends bytes, in order: what comes in the same turn goes to the system together. */
  send(bytes: Uint8Array): void {
    if (this.#isDone || bytes.length === 0) return;
    if (!this.#hasRoom(bytes.length)) return void this.#socket?.write(bytes);
    this.#outgoing.set(bytes, this.#outgoingBytes);
    this.#wrote(bytes.length);
  }

  /**
   * Publishes without the detour over the client's own buffers, which must be empty.
   *
   * @param head The protocol's first line, ASCII.
   * @param data The payload, which is copied.
   */
  publish(head: string, data: Uint8Array): void {
    if (this.#isDone) return;
    const bytes = head.length + data.length + 2;
    if (!this.#hasRoom(bytes)) {
      this.#outgoing = new Uint8Array(bytes);
    }
    const from = this.#outgoingBytes;
    const outgoing = this.#outgoing;
    encoder.encodeInto(head, from === 0 ? outgoing : outgoing.subarray(from));
    outgoing.set(data, from + head.length);
    outgoing[from + bytes - 2] = CARRIAGE_RETURN;
    outgoing[from + bytes - 1] = LINE_FEED;
    this.#wrote(bytes);
  }

  /** Makes room where that can be; false when so many bytes are to be written alone. */
  #hasRoom(bytes: number): boolean {
    if (this.#outgoingBytes + bytes > this.#outgoing.length) this.#write();
    return bytes <= this.#outgoing.length;
  }

  #wrote(bytes: number): void {
    if (this.#outgoingBytes === 0) nextTick(this.#write);
    this.#outgoingBytes += bytes;
  }

  readonly #write = (): void => {
    const bytes = this.#outgoingBytes;
    if (bytes === 0) return;
    const outgoing = this.#outgoing;
    this.#outgoingBytes = 0;
    if (bytes < outgoing.length >> 2) {
      if (!this.#isDone) this.#socket?.write(outgoing.slice(0, bytes));
      return;
    }
    this.#outgoing = new Uint8Array(WRITE_BYTES);
    if (!this.#isDone) this.#socket?.write(outgoing.subarray(0, bytes));
  };

  /** Ends the connection after what was sent. */
  close(error?: Error): Promise<void> {
    if (this.#isConnected && !this.#isDone && error === undefined) {
      this.#write();
      const socket = this.#socket!;
      return new Promise((resolve) => {
        socket.write(new Uint8Array(0), () => resolve(this.#end(undefined)));
        socket.once("close", () => resolve());
      });
    }
    this.#end(error);
    return Promise.resolve();
  }

  /** Ends the connection, which the client then opens anew. */
  disconnect(): void {
    void this.close();
  }

  /** Settles when a connection that was made has ended. */
  closed(): Promise<void | Error> {
    return this.#closed.promise;
  }

  /** Ends the connection without telling. */
  discard(): void {
    this.#isDone = true;
    this.#socket?.destroy();
    this.#drained?.resolve();
    this.#wake();
  }

  #opening(socket: Socket, event: "connect" | "secureConnect"): Promise<Socket> {
    this.#socket = socket;
    const { promise, resolve, reject } = Promise.withResolvers<Socket>();
    // This listener stays for as long as the socket does.
    socket.on("error", (error) => {
      this.closeError = error;
      reject(error);
    });
    socket.once("close", () => reject(new errors.ConnectionError("the server hung up")));
    socket.once(event, () => resolve(socket));
    socket.setNoDelay(true);
    return promise;
  }

  #secure(socket: Socket, host: string, { ca, cert, key }: NatsTls): Promise<Socket> {
    this.#isEncrypted = true;
    const settings: TlsSettings = {
      socket,
      host,
      // An IP address is no name that a server can be asked for, but it is checked.
      ...(isIP(host) === 0 && { servername: host }),
      rejectUnauthorized: true,
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
    };
    return this.#opening(connectTls(settings), "secureConnect");
  }

  #greeting(socket: Socket): Promise<ServerInfo> {
    return new Promise((resolve, reject) => {
      const closed = () =>
        reject(this.closeError ?? new errors.ConnectionError("the server hung up"));
      const take = (chunk: Uint8Array) => {
        this.#chunks.push(new Uint8Array(chunk));
        const bytes = DataBuffer.concat(...this.#chunks);
        const line = extractProtocolMessage(bytes);
        if (line === "" && bytes.length < GREETING_BYTES_MAX) return;
        socket.off("data", take);
        socket.off("close", closed);
        const info = INFO.exec(line)?.[1];
        if (info === undefined) return reject(new errors.ConnectionError("it is no NATS server"));
        try {
          resolve(JSON.parse(info));
        } catch (cause) {
          reject(new errors.ConnectionError("it is no NATS server", { cause }));
        }
      };
      socket.on("data", take);
      socket.once("close", closed);
    });
  }

  #follow(socket: Socket): void {
    if (this.#isDone || socket.destroyed) throw this.closeError ?? new Error("the server hung up");
    this.#isConnected = true;
    socket.on("data", ({ buffer, byteOffset, length }: Uint8Array) => {
      this.#hasHeard = true;
      // A plain view: parts of a Node buffer are Node buffers, whose copies share its bytes.
      this.#chunks.push(new Uint8Array(buffer, byteOffset, length));
      this.#wake();
    });
    socket.on("drain", () => {
      this.#drained?.resolve();
      this.#drained = undefined;
    });
    socket.on("end", () => socket.end());
    socket.on("close", () => this.#end(this.closeError));
    this.#wake();
  }

  #end(error: Error | undefined): void {
    if (this.#isDone || !this.#isConnected) return this.discard();
    if (error !== undefined) this.closeError = error;
    if (!this.#hasHeard && error !== undefined) {
      // The client waits for the server's first answer until its time is up; only this wakes it.
      const why = error.message.replaceAll(/[\r\n']/g, " ");
      this.#chunks.push(new TextEncoder().encode(`-ERR 'Authorization Violation: ${why}'\r\n`));
    }
    this.discard();
    this.#closed.resolve(error);
  }
}
