/** How the client reaches the gateway. */
export type TransportKind = "websocket" | "sse";

/** What a transport tells. */
export interface TransportEvents {
  /** Frames can be sent. */
  opened(): void;
  /** A frame arrived. */
  frame(data: string | Uint8Array): void;
  /** It is over; told once, and not after {@linkcode Transport.close}. */
  closed(code: number, reason: string): void;
}

/** One way to the gateway, and one life of it. */
export interface Transport {
  /** Sends a frame, once opened. */
  send(frame: string | Uint8Array<ArrayBuffer>): void;
  /** Ends it; nothing is told any more. */
  close(code: number, reason: string): void;
}

/** Code of a connection that ended without one. */
export const ABNORMAL = 1006;

/**
 * Which transport to try next: WebSockets, and after one failed, server-sent events and WebSockets in
 * turn. Where WebSockets have worked they get more patience: then it is rather the gateway that is away.
 */
export class TransportChoice {
  readonly #fixed: TransportKind | undefined;
  #patience = 1;
  #failures = 0;

  /**
   * Makes it.
   *
   * @param fixed The only one to use; undefined for both.
   */
  constructor(fixed: TransportKind | undefined) {
    this.#fixed = fixed;
  }

  /** The one to try. */
  next(): TransportKind {
    const beyond = this.#failures - this.#patience;
    return this.#fixed ?? (beyond >= 0 && beyond % 2 === 0 ? "sse" : "websocket");
  }

  /**
   * An attempt failed before the gateway said anything.
   *
   * @returns Whether the other transport should be tried at once.
   */
  failed(): boolean {
    this.#failures++;
    return this.#fixed === undefined && this.#failures === this.#patience;
  }

  /** An attempt worked. */
  worked(kind: TransportKind): void {
    this.#failures = 0;
    if (kind === "websocket") this.#patience = 4;
  }
}
