/** One message of a link: text, or bytes. */
export type Frame = string | Uint8Array;

/** Who is at the other end. */
export interface LinkPeer {
  /**
   * Name that its certificate proves: empty when that has none that is of use, undefined when the link
   * has no certificates.
   */
  readonly name: string | undefined;
  /** Where it is, for people: `127.0.0.1:41873`. */
  readonly address: string;
}

/** How a link ended. */
export interface LinkEnd {
  /** WebSocket close code; 1006 when the connection broke. */
  readonly code: number;
  /** What the side that closed said, or what broke. */
  readonly reason: string;
}

/** What a link tells. Its methods do not throw. */
export interface LinkListener {
  /** A frame came in. Its bytes belong to the listener. */
  frame(frame: Frame): void;
  /** After a `send` gave false: there is room again. */
  writable(): void;
}

/**
 * An authenticated connection that carries frames both ways, each whole, in order, at most once.
 *
 * Nothing comes in before `listen`, nor while the link is paused: what the peer sends then piles up
 * at the peer, apart from what was on its way. Frames sent before `close` arrive before the end.
 */
export interface Link {
  /** Who is at the other end. */
  readonly peer: LinkPeer;
  /** Whether `pause` holds incoming frames back. */
  readonly paused: boolean;
  /** Settles, never rejects, once nothing comes in or goes out any more. */
  readonly closed: Promise<LinkEnd>;
  /** Gives incoming frames to the listener, in place of the one before. */
  listen(listener: LinkListener): void;
  /**
   * Sends a frame. Its bytes belong to the link from now on. On a closed link it does nothing.
   *
   * @returns False when the sender should wait for `writable`; the frame is sent nevertheless.
   */
  send(frame: Frame): boolean;
  /** Holds incoming frames back from now on. */
  pause(): void;
  /** Lets them come again. */
  resume(): void;
  /**
   * Ends the link: nothing comes in any more. What was sent before still goes out, for a short time.
   *
   * @param code A WebSocket close code that may be sent.
   * @param reason What to tell the peer; cut to the 123 bytes that fit.
   */
  close(code: number, reason: string): void;
}
