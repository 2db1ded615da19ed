import { Buffer } from "node:buffer";
import { constants, type Http2Stream } from "node:http2";
import { Metadata, type ServerDuplexStream } from "@grpc/grpc-js";
import type { Clock, Timer } from "../../base/mod.ts";
import { protoCodec } from "../codec/mod.ts";
import type { Hub } from "../hub/mod.ts";
import {
  type ClientTransport,
  type Disconnect,
  disconnectFrame,
  type Frame,
  type Session,
} from "../session/mod.ts";
import type { GrpcService } from "./grpc_server.ts";

/** Longest wait in milliseconds for the last frame to leave. */
const FLUSH_TIMEOUT_MS = 10_000;

type Stream = ServerDuplexStream<Buffer, Buffer>;

/**
 * The service that clients connect to: one stream is one connection.
 *
 * @param hub Has their sessions.
 * @param clock What measures timeouts.
 * @param flushTimeoutMs Longest wait in milliseconds for the last frame of a stream to leave.
 */
export function messagingService(
  hub: Hub,
  clock: Clock,
  flushTimeoutMs: number = FLUSH_TIMEOUT_MS,
): GrpcService {
  const pass = (bytes: Buffer): Buffer => bytes;
  return {
    definition: {
      messageLoop: {
        path: "/messageloop.v1.MessagingService/MessageLoop",
        requestStream: true,
        responseStream: true,
        // Sessions have their own codec, which encodes once for all receivers.
        requestSerialize: pass,
        requestDeserialize: pass,
        responseSerialize: pass,
        responseDeserialize: pass,
      },
    },
    handlers: {
      messageLoop(stream: Stream): void {
        const transport = new GrpcTransport(stream, clock, flushTimeoutMs);
        transport.serve(hub.accept(transport, protoCodec));
      },
    },
  };
}

/** One client on a gRPC stream. */
class GrpcTransport implements ClientTransport {
  readonly kind = "grpc";
  readonly remoteAddress: string;
  readonly #stream: Stream;
  readonly #clock: Clock;
  readonly #flushTimeoutMs: number;
  #session: Session | undefined;
  #room: PromiseWithResolvers<void> | undefined;
  #isEnded = false;
  #timer: Timer | undefined;

  constructor(stream: Stream, clock: Clock, flushTimeoutMs: number) {
    this.#stream = stream;
    this.#clock = clock;
    this.#flushTimeoutMs = flushTimeoutMs;
    this.remoteAddress = hostOf(stream.getPeer());
    // Headers at once: a client may wait for them before it sends.
    if (!stream.cancelled) stream.sendMetadata(new Metadata());
  }

  /** Hands what arrives to the session from now on. */
  serve(session: Session): void {
    this.#session = session;
    const stream = this.#stream;
    stream.on("data", (frame: Buffer) => this.#receive(frame));
    stream.on("drain", () => this.#makeRoom());
    stream.on("end", () => this.#closed());
    stream.on("cancelled", () => this.#closed());
    stream.on("close", () => this.#closed());
    stream.on("error", () => this.#closed());
  }

  send(frame: Frame): void | Promise<void> {
    if (this.#isEnded) return;
    const { bytes } = frame;
    const framed = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (this.#stream.write(framed)) return;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  close(disconnect: Disconnect): void {
    if (this.#isEnded) return;
    this.send(disconnectFrame(protoCodec, disconnect, this.#clock.now()));
    this.#end();
  }

  #receive(frame: Buffer): void {
    if (this.#isEnded) return;
    // Of a Buffer the bytes of events would be Buffers as well.
    const bytes = new Uint8Array(frame.buffer, frame.byteOffset, frame.byteLength);
    const wait = this.#session!.receive(bytes);
    if (wait === undefined) return;
    this.#stream.pause();
    wait.then(() => this.#stream.resume());
  }

  #closed(): void {
    this.#timer?.cancel();
    this.#makeRoom();
    if (!this.#isEnded) this.#end();
    this.#session?.transportClosed();
  }

  #end(): void {
    this.#isEnded = true;
    this.#makeRoom();
    const stream = this.#stream;
    stream.end();
    // What still comes is thrown away, so that the end of it is seen.
    stream.resume();
    // A peer that reads nothing would hold the frames that wait for it.
    this.#timer = this.#clock.after(this.#flushTimeoutMs, () => reset(stream), { unref: true });
  }

  #makeRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}

/**
 * Cuts a stream. The library has no call for it, and keeps a stream that has ended until its peer has taken all of
 * it, so the stream below is asked; a test watches that there is one.
 */
function reset(stream: Stream): void {
  const { call } = stream as unknown as { readonly call?: { readonly stream?: Http2Stream } };
  call?.stream?.close(constants.NGHTTP2_CANCEL);
  call?.stream?.destroy();
  stream.destroy();
}

/** The address of `host:port`. */
function hostOf(peer: string): string {
  const host = /^\[?(.*?)\]?:\d+$/.exec(peer)?.[1] ?? peer;
  return host === "" ? "unknown" : host.replace(/^::ffff:(?=\d+\.)/, "");
}
