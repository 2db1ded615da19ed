import { type Clock, messageOf, quote, type Timer } from "../base/mod.ts";
import { CloseCode } from "./close_codes.ts";
import type { Codec, Heartbeat } from "./codec.ts";
import type { Connection } from "./connection.ts";
import type { MessageDefinition, TypedMessage } from "./define_message.ts";
import { CODE_BYTES, codeOf, type EncodingName } from "./encoding.ts";
import { ConnectionClosedError, InvalidMessageCodeError } from "./errors.ts";
import { HEARTBEAT_CODE, type MessageSet } from "./message_set.ts";
import { cutReason, type MessageSocket } from "./message_socket.ts";
import type { PipeSendOptions } from "./pipe.ts";
import { ReceiveQueue } from "./receive_queue.ts";
import { SendWindow } from "./send_window.ts";

/** How long in milliseconds a peer has to end the connection in turn. */
const CLOSE_TIMEOUT_MS = 2_000;
/** Heartbeats without a sign of life, or of reading, after which a peer is cut off. */
export const BEATS_PER_TIMEOUT = 3;
/** The least that may wait while one message is handled. */
const WAITING_BYTES_MIN = 1024 * 1024;
const OWN_CLOSE_CODE_MIN = 3000;
const OWN_CLOSE_CODE_MAX = 4999;

/** What all connections of a broker share. */
export interface ConnectionContext {
  readonly codec: Codec;
  readonly messages: MessageSet;
  readonly clock: Clock;
  readonly maxMessageSize: number;
  readonly timeoutMs: number;
  readonly sendBufferSize: number;
  /** What is counted. */
  readonly counts: { sent: number; received: number; bytesSent: number; bytesReceived: number };
  /** Handles a message. Does not throw; its promise does not reject. */
  readonly handle: (
    connection: BrokerConnection,
    definition: MessageDefinition,
    value: unknown,
  ) => Promise<void> | undefined;
  /** Sends to one connection past the pipes. */
  readonly sendTo: (
    connection: BrokerConnection,
    message: TypedMessage,
    options: PipeSendOptions | undefined,
  ) => Promise<void>;
  /** Nothing is sent to the connection any more, nor taken from it. */
  readonly leaving: (connection: BrokerConnection) => void;
  /** The connection is gone, and takes no place any more. */
  readonly gone: (connection: BrokerConnection) => void;
  /** The same, once what had come from it is handled. */
  readonly ended: (connection: BrokerConnection, error: ConnectionClosedError) => void;
  /** A peer did what it must not, and is cut off. */
  readonly violated: (connection: BrokerConnection, error: Error) => void;
}

interface Received {
  readonly definition: MessageDefinition;
  readonly value: unknown;
}

/** A connection of a broker, over any kind of socket. */
export class BrokerConnection implements Connection {
  readonly id: string;
  readonly peer: string;
  readonly encoding: EncodingName;
  readonly direction: "accepted" | "dialled";
  readonly closed: Promise<ConnectionClosedError>;
  readonly #socket: MessageSocket;
  readonly #context: ConnectionContext;
  readonly #heartbeat: Heartbeat;
  readonly #window: SendWindow;
  readonly #queue: ReceiveQueue<Received>;
  readonly #settleClosed: (error: ConnectionClosedError) => void;
  #end: ConnectionClosedError | undefined;
  #isGone = false;
  #closeTimer: Timer | undefined;
  /** Messages and heartbeats that came in so far. */
  #signs = 0;
  #signsBefore = -1;
  #flushesBefore = 0;
  #silentBeats = 0;
  #stuckBeats = 0;

  /**
   * @param id Names it within this process.
   * @param socket The socket; nobody has listened to it yet.
   * @param options Which side dialled, and the encoding that both agreed on.
   * @param context What all connections share.
   */
  constructor(
    id: string,
    socket: MessageSocket,
    options: Pick<Connection, "direction" | "encoding">,
    context: ConnectionContext,
  ) {
    const { maxMessageSize, sendBufferSize, clock } = context;
    this.id = id;
    this.peer = socket.peer.name || socket.peer.address;
    this.direction = options.direction;
    this.encoding = options.encoding;
    this.#socket = socket;
    this.#context = context;
    this.#heartbeat = context.codec.heartbeat(options.encoding);
    this.#window = new SendWindow(socket, sendBufferSize, clock);
    this.#queue = new ReceiveQueue({
      bytesMax: Math.max(maxMessageSize, WAITING_BYTES_MIN),
      handle: ({ definition, value }) => this.#handle(definition, value),
      hold: (isHeld) => this.#hold(isHeld),
    });
    const { promise, resolve } = Promise.withResolvers<ConnectionClosedError>();
    this.closed = promise;
    this.#settleClosed = resolve;
  }

  /** Whether it is open. */
  get isOpen(): boolean {
    return this.#end === undefined;
  }

  /** Whether it belongs to the broker that shares this. */
  isOf(context: ConnectionContext): boolean {
    return this.#context === context;
  }

  /** Lets messages come. */
  start(): void {
    this.#socket.listen({
      message: (bytes) => this.#received(bytes),
      text: () => this.#violate(CloseCode.unsupported, "a text message came: only binary ones do"),
      broken: (code, reason) => this.#violate(code, reason),
      flushed: () => this.#window.flushed(),
      closed: (code, reason) => this.#closed(code, reason),
    });
  }

  /** Sends to this connection, past pipes and pattern. */
  send(message: TypedMessage, options?: PipeSendOptions): Promise<void> {
    return this.#context.sendTo(this, message, options);
  }

  /**
   * Hands encoded bytes to the network.
   *
   * @returns To be awaited by whoever sends more; undefined when there is room.
   * @throws {ConnectionClosedError} When it is closed, or its buffer is full: then it is cut off.
   */
  write(bytes: Uint8Array<ArrayBuffer>): Promise<void> | undefined {
    if (this.#end !== undefined) throw this.#end;
    if (this.#window.isFull) {
      throw this.#cut(CloseCode.tooSlow, `${this.#context.sendBufferSize} messages are not read`);
    }
    const { counts } = this.#context;
    counts.sent++;
    counts.bytesSent += bytes.length;
    this.#socket.send(bytes);
    return this.#window.room();
  }

  /** @returns Undefined when the network has taken everything; else settles once it has. */
  flush(): Promise<void> | undefined {
    return this.#window.empty();
  }

  /** Ends the connection. */
  async close(code: number = CloseCode.normal, reason = ""): Promise<void> {
    const isOwn = code >= OWN_CLOSE_CODE_MIN && code <= OWN_CLOSE_CODE_MAX;
    if (code !== CloseCode.normal && !(isOwn && Number.isInteger(code))) {
      throw new RangeError(
        `Cannot close with code ${code}: give 1000, or ${OWN_CLOSE_CODE_MIN} to ${OWN_CLOSE_CODE_MAX}`,
      );
    }
    this.endWith(code, reason);
    await this.closed;
  }

  /** The same with any code. */
  endWith(code: number, reason: string): void {
    if (this.#end !== undefined) return;
    this.#stop(code, reason);
    this.#queue.end();
    this.#socket.close(code, cutReason(reason));
    this.#terminateLater();
  }

  /** Called three times in `timeoutMs`: shows a sign of life, and cuts off a peer that shows none. */
  beat(): void {
    if (this.#end !== undefined) return;
    const { timeoutMs } = this.#context;
    const { pending } = this.#socket;
    const { flushes } = this.#window;
    // Nothing can be heard of a peer that is held back here.
    const isSilent = this.#signs === this.#signsBefore && !this.#queue.isHeld;
    this.#silentBeats = isSilent ? this.#silentBeats + 1 : 0;
    this.#signsBefore = this.#signs;
    this.#stuckBeats = pending > 0 && flushes === this.#flushesBefore ? this.#stuckBeats + 1 : 0;
    this.#flushesBefore = flushes;
    if (this.#stuckBeats >= BEATS_PER_TIMEOUT) {
      this.#cut(CloseCode.tooSlow, `the peer has read nothing for ${timeoutMs} ms`);
    } else if (this.#silentBeats >= BEATS_PER_TIMEOUT) {
      this.#cut(CloseCode.abnormal, `the peer has sent nothing for ${timeoutMs} ms`);
    } else if (pending === 0) this.#socket.send(this.#heartbeat.ask);
  }

  #received(bytes: Uint8Array): void {
    if (this.#end !== undefined) return;
    this.#signs++;
    const { codec, counts, maxMessageSize, messages } = this.#context;
    const { length } = bytes;
    counts.bytesReceived += length;
    if (length < CODE_BYTES) {
      return this.#violate(CloseCode.badProtocol, `a message of ${length} bytes has no code`);
    }
    if (length > maxMessageSize) {
      return this.#violate(CloseCode.tooBig, `a message of ${length} bytes is too big`);
    }
    const code = codeOf(bytes);
    if (code === HEARTBEAT_CODE) return this.#heard(bytes);
    const definition = messages.byCode(code);
    if (definition === undefined) {
      const error = new InvalidMessageCodeError(`Message code ${code}`, code);
      return this.#violate(CloseCode.unsupported, error.message, error);
    }
    const encoding = definition.encoding ?? this.encoding;
    let value: unknown;
    try {
      value = codec.decode(bytes, encoding);
    } catch (error) {
      const reason = `${quote(definition.name)} is not ${encoding}: ${messageOf(error)}`;
      return this.#violate(CloseCode.badPayload, reason, error);
    }
    counts.received++;
    this.#queue.push({ definition, value }, length);
  }

  #handle(definition: MessageDefinition, value: unknown): Promise<void> | undefined {
    const handling = this.#context.handle(this, definition, value);
    // A handler that answers and does not wait must not fill the buffer of a peer that is well.
    if (handling !== undefined) return handling.then(() => this.#window.room());
    return this.#window.room();
  }

  #heard(bytes: Uint8Array): void {
    const { ask, answer } = this.#heartbeat;
    if (bytes.length !== ask.length || !bytes.every((byte, index) => byte === ask[index])) return;
    if (this.#window.isFull) this.#cut(CloseCode.tooSlow, "answers to heartbeats are not read");
    else this.#socket.send(answer);
  }

  #hold(isHeld: boolean): void {
    if (this.#end !== undefined) return;
    if (!isHeld) this.#socket.resume();
    else if (!this.#socket.pause()) {
      this.#violate(CloseCode.tooSlow, "messages come faster than they are handled");
    }
  }

  #violate(code: number, reason: string, cause?: unknown): void {
    if (this.#end !== undefined) return;
    this.#stop(code, reason, cause);
    this.#queue.end();
    this.#context.violated(this, this.#end!);
    this.#socket.close(code, cutReason(reason));
    this.#terminateLater();
  }

  #cut(code: number, reason: string): ConnectionClosedError {
    this.#stop(code, reason);
    this.#queue.end();
    this.#context.violated(this, this.#end!);
    this.#socket.terminate();
    return this.#end!;
  }

  /** From now on nothing is sent or taken. */
  #stop(code: number, reason: string, cause?: unknown): void {
    this.#end = new ConnectionClosedError(this.peer, code, reason, cause ? { cause } : undefined);
    this.#window.end();
    this.#context.leaving(this);
  }

  #terminateLater(): void {
    if (this.#isGone) return;
    const { clock } = this.#context;
    this.#closeTimer ??= clock.after(CLOSE_TIMEOUT_MS, () => this.#socket.terminate());
  }

  #closed(code: number, reason: string): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.#closeTimer?.cancel();
    const isOurs = this.#end !== undefined;
    if (!isOurs) {
      this.#stop(code, reason || (code === CloseCode.abnormal ? "the connection broke" : ""));
    }
    this.#context.gone(this);
    this.#settleClosed(this.#end!);
    const tell = () => this.#context.ended(this, this.#end!);
    // What a peer has sent before it left is handled first.
    if (isOurs) tell();
    else this.#queue.whenIdle(tell);
  }
}
