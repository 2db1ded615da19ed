import type { IncomingMessage, ServerResponse } from "node:http";
import { type Clock, messageOf } from "../../base/mod.ts";
import { jsonCodec } from "../codec/mod.ts";
import type { Hub } from "../hub/mod.ts";
import { Disconnect, type Session } from "../session/mod.ts";
import { isOriginAllowed, type OriginRules } from "./origin.ts";
import { remoteAddressOf } from "./remote_address.ts";
import { SseTransport } from "./sse_transport.ts";

/** Frames that one request may bring. */
const FRAMES_MAX = 1_024;
/** Bytes of a request, in frames of full length. */
const BODY_FRAMES = 64;

/** Options of an {@linkcode SseEndpoint}. */
export interface SseEndpointOptions {
  readonly hub: Hub;
  readonly origins: OriginRules;
  /** Longest time in milliseconds that a request may take to arrive; 0 is any time. */
  readonly readTimeoutMs: number;
  readonly clock: Clock;
}

/** `GET` opens a stream of frames, `POST` with its key brings one frame or an array of them. */
export class SseEndpoint {
  readonly #options: SseEndpointOptions;
  readonly #open = new Map<string, SseTransport>();

  constructor(options: SseEndpointOptions) {
    this.#options = options;
  }

  /** Answers a request to the endpoint. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    const { origin, host } = request.headers;
    if (!isOriginAllowed(origin, host, this.#options.origins)) {
      return refuse(response, 403, "pages of this origin may not connect");
    }
    if (origin) {
      response.setHeader("access-control-allow-origin", origin);
      response.setHeader("vary", "origin");
    }
    if (request.method === "OPTIONS") return preflight(response);
    if (request.method === "GET") return this.#stream(request, response);
    if (request.method !== "POST") return refuse(response, 405, "use GET or POST");
    this.#post(request, response).catch((error) => refuse(response, 400, messageOf(error)));
  }

  #stream(request: IncomingMessage, response: ServerResponse): void {
    const { hub, clock } = this.#options;
    response.writeHead(200, {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
      "x-accel-buffering": "no",
    });
    response.flushHeaders();
    const remoteAddress = remoteAddressOf(request.socket);
    const transport = new SseTransport(response, remoteAddress, clock);
    this.#open.set(transport.key, transport);
    response.on("close", () => this.#open.delete(transport.key));
    transport.serve(hub.accept(transport, jsonCodec));
  }

  async #post(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const key = new URL(request.url ?? "/", "http://localhost").searchParams.get("key") ?? "";
    const session = this.#open.get(key)?.session;
    if (session === undefined) {
      request.resume();
      return refuse(response, 404, "no stream has this key");
    }
    const { frameBytes } = this.#options.hub.limits;
    const body = await this.#inTime(request, bodyOf(request, frameBytes * BODY_FRAMES));
    if (body === undefined) {
      session.end(new Disconnect(1009, "message too big"));
      return refuse(response, 413, "the request is too long");
    }
    for (const frame of framesOf(body)) {
      if (frame.length > frameBytes) {
        session.end(new Disconnect(1009, "message too big"));
        return refuse(response, 413, "a frame is too long");
      }
      await receive(session, frame);
    }
    response.writeHead(204).end();
  }

  /** Cuts a request that takes too long to arrive. */
  async #inTime<T>(request: IncomingMessage, reading: Promise<T>): Promise<T> {
    const { clock, readTimeoutMs } = this.#options;
    if (readTimeoutMs <= 0) return await reading;
    const timer = clock.after(readTimeoutMs, () => request.destroy(), { unref: true });
    try {
      return await reading;
    } finally {
      timer.cancel();
    }
  }
}

/** In turn: the next frame is taken when the session has room for it. */
function receive(session: Session, frame: Uint8Array | string): Promise<void> | undefined {
  return session.receive(frame);
}

const OPENING_BRACKET = 0x5b;
const encoder = new TextEncoder();

/** The frames of a request. What is no array is one frame, whatever it is. */
function framesOf(body: Uint8Array): readonly Uint8Array[] {
  if (body.find((byte) => byte > 0x20) !== OPENING_BRACKET) return [body];
  const frames = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body)) as unknown[];
  if (frames.length > FRAMES_MAX) throw new RangeError(`at most ${FRAMES_MAX} frames at a time`);
  return frames.map((frame) => encoder.encode(JSON.stringify(frame)));
}

/** The body; undefined when it is too long. */
async function bodyOf(
  request: IncomingMessage,
  bytesMax: number,
): Promise<Uint8Array | undefined> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += chunk.length;
    if (bytes > bytesMax) return undefined;
    chunks.push(chunk);
  }
  const body = new Uint8Array(bytes);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.length;
  }
  return body;
}

function preflight(response: ServerResponse): void {
  response.writeHead(204, {
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": "content-type, last-event-id",
    "access-control-max-age": "600",
  }).end();
}

function refuse(response: ServerResponse, status: number, why: string): void {
  if (response.headersSent) return void response.destroy();
  response.writeHead(status, { "content-type": "text/plain" }).end(`${why}\n`);
}
