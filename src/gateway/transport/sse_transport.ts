import type { ServerResponse } from "node:http";
import type { Clock, Timer } from "../../base/mod.ts";
import type { ClientTransport, Disconnect, Frame, Session } from "../session/mod.ts";

/** Milliseconds of silence after which a comment keeps proxies from closing the stream. */
const KEEP_ALIVE_MS = 15_000;
/** Bytes not yet taken by the network from which on the session has to wait. */
const HIGH_WATER_BYTES = 262_144;
/** Longest wait in milliseconds for the last event to leave. */
const FLUSH_TIMEOUT_MS = 10_000;

const encoder = new TextEncoder();
const DATA = encoder.encode("data: ");
const END = encoder.encode("\n\n");

/** One client on a stream of server-sent events; what it sends comes in requests of their own. */
export class SseTransport implements ClientTransport {
  readonly kind = "sse";
  readonly remoteAddress: string;
  /** What the client's requests have to show. */
  readonly key: string = secret();
  readonly #response: ServerResponse;
  readonly #clock: Clock;
  #session: Session | undefined;
  #room: PromiseWithResolvers<void> | undefined;
  #isEnded = false;
  #keepAlive: Timer | undefined;
  #timer: Timer | undefined;

  /**
   * @param response The answer that becomes the stream; its head is sent.
   * @param remoteAddress Address of the peer, without its port.
   * @param clock What measures time.
   */
  constructor(response: ServerResponse, remoteAddress: string, clock: Clock) {
    this.#response = response;
    this.remoteAddress = remoteAddress;
    this.#clock = clock;
  }

  /** The session that it belongs to. */
  get session(): Session | undefined {
    return this.#session;
  }

  /** Begins the stream. */
  serve(session: Session): void {
    this.#session = session;
    this.#response.on("drain", () => this.#makeRoom());
    this.#response.on("error", () => {});
    this.#response.on("close", () => this.#closed());
    if (this.#isEnded) return;
    this.#event("open", { key: this.key, session_id: session.id });
    this.#armKeepAlive();
  }

  send({ bytes }: Frame): void | Promise<void> {
    if (this.#isEnded || this.#response.writableEnded) return;
    const event = new Uint8Array(DATA.length + bytes.length + END.length);
    event.set(DATA);
    event.set(bytes, DATA.length);
    event.set(END, DATA.length + bytes.length);
    this.#response.write(event, () => this.#makeRoomWhenLow());
    if (this.#response.writableLength < HIGH_WATER_BYTES) return;
    this.#room ??= Promise.withResolvers();
    return this.#room.promise;
  }

  close({ code, reason }: Disconnect): void {
    if (this.#isEnded) return;
    this.#event("close", { code, reason });
    this.#isEnded = true;
    this.#keepAlive?.cancel();
    this.#makeRoom();
    this.#response.end();
    this.#timer = this.#clock.after(FLUSH_TIMEOUT_MS, () => this.#response.destroy());
  }

  #event(name: string, value: unknown): void {
    this.#response.write(`event: ${name}\ndata: ${JSON.stringify(value)}\n\n`);
  }

  #armKeepAlive(): void {
    this.#keepAlive = this.#clock.after(KEEP_ALIVE_MS, () => {
      if (this.#response.writableLength === 0) this.#response.write(": still here\n\n");
      this.#armKeepAlive();
    }, { unref: true });
  }

  #closed(): void {
    this.#isEnded = true;
    this.#keepAlive?.cancel();
    this.#timer?.cancel();
    this.#makeRoom();
    this.#session?.transportClosed();
  }

  #makeRoomWhenLow(): void {
    if (this.#response.writableLength < HIGH_WATER_BYTES / 4) this.#makeRoom();
  }

  #makeRoom(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }
}

function secret(): string {
  return crypto.getRandomValues(new Uint8Array(24)).toHex();
}
