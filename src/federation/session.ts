import { type Clock, delay, messageOf } from "../base/mod.ts";
import { CloseCode } from "./close_codes.ts";
import type { FederationContext } from "./context.ts";
import type { Frame, Link, LinkEnd, LinkListener } from "./link.ts";
import { Receiver } from "./receiver.ts";
import { Sender } from "./sender.ts";
import { type Handshake, parseAck, WireError } from "./wire.ts";

/** Options of a {@linkcode Session}. */
export interface SessionOptions {
  readonly context: FederationContext;
  readonly link: Link;
  /** The peer's name, which was checked. */
  readonly peerName: string;
  /** What the peer said of itself. */
  readonly handshake: Handshake;
  /** Whether the peer may send to the channel, now. */
  readonly accepts: (channel: string) => boolean;
}

/** Counts of both directions of a link. */
export interface SessionStats {
  /** Records sent. */
  readonly sentRecords: number;
  /** Bytes of the frames sent. */
  readonly sentBytes: number;
  /** Records that the peer has acknowledged. */
  readonly ackedRecords: number;
  /** Records not sent because the peer has them, by their route. */
  readonly skippedSeen: number;
  /** Records not sent because the peer takes none that long. */
  readonly skippedTooLong: number;
  /** Records received. */
  readonly receivedRecords: number;
  /** Bytes of the frames received. */
  readonly receivedBytes: number;
  /** Records received and stored. */
  readonly storedRecords: number;
  /** Records received that were known already. */
  readonly duplicates: number;
  /** Records received that had passed through here. */
  readonly loops: number;
  /** Records received on channels that the peer may not send to. */
  readonly forbidden: number;
  /** Records received that could not be read. */
  readonly malformed: number;
}

/** A link after the handshakes: what comes in is stored, and channels go out. */
export class Session implements LinkListener {
  /** Sends channels. */
  readonly sender: Sender;
  /** Settles when the link has ended, with the code and reason. */
  readonly ended: Promise<LinkEnd>;
  /** Whether an acknowledgement has gone either way: the peers get on with each other. */
  proven = false;
  readonly #receiver: Receiver;
  readonly #link: Link;
  readonly #clock: Clock;
  #deaf = false;

  /** @param options The link and who is at its other end. */
  constructor(options: SessionOptions) {
    const { context, link, peerName, handshake } = options;
    const { address } = link.peer;
    this.#link = link;
    this.#clock = context.clock;
    const shared = {
      ...context,
      link,
      onFault: (code: number, reason: string) => this.close(code, reason),
      onAck: () => void (this.proven = true),
    };
    this.#receiver = new Receiver({
      ...shared,
      peer: { name: peerName, address },
      accepts: options.accepts,
      log: context.throttled,
    });
    this.sender = new Sender({
      ...shared,
      peer: {
        name: peerName,
        address,
        routeNames: [...new Set([peerName, handshake.instanceName])],
        window: handshake.window,
        maxRecordBytes: handshake.maxRecordBytes,
      },
    });
    this.ended = link.closed.then((end) => {
      this.#stop();
      return end;
    });
  }

  /** Lets frames come in. */
  start(): void {
    this.#link.listen(this);
    this.#link.resume();
  }

  /** Takes what comes in: text acknowledges, bytes are data. */
  frame(frame: Frame): void {
    if (typeof frame !== "string") {
      // What a peer sends that may no longer send stays unacknowledged, and so with it.
      if (!this.#deaf) this.#receiver.frame(frame);
      return;
    }
    try {
      this.sender.acknowledge(parseAck(frame));
    } catch (error) {
      const code = error instanceof WireError ? error.closeCode : CloseCode.badProtocol;
      this.close(code, messageOf(error));
    }
  }

  /** The link has room again. */
  writable(): void {
    this.sender.writable();
    this.#receiver.writable();
  }

  /** Takes nothing more, sends nothing more, waits for acknowledgements within the time, and closes. */
  async drain(code: number, reason: string, timeoutMs: number): Promise<void> {
    this.#deaf = true;
    const timeout = new AbortController();
    await Promise.race([
      this.sender.drain(),
      this.#link.closed,
      delay(this.#clock, timeoutMs, timeout.signal).catch(() => {}),
    ]);
    timeout.abort();
    this.close(code, reason);
  }

  /** Ends both directions at once, and the link. */
  close(code: number, reason: string): void {
    this.#stop();
    this.#link.close(code, reason);
  }

  /** What was done so far. */
  stats(): SessionStats {
    const { sentRecords, sentBytes, ackedRecords, skippedSeen, skippedTooLong } = this.sender.stats;
    const {
      receivedRecords,
      receivedBytes,
      storedRecords,
      duplicates,
      loops,
      forbidden,
      malformed,
    } = this.#receiver.stats;
    return {
      sentRecords,
      sentBytes,
      ackedRecords,
      skippedSeen,
      skippedTooLong,
      receivedRecords,
      receivedBytes,
      storedRecords,
      duplicates,
      loops,
      forbidden,
      malformed,
    };
  }

  #stop(): void {
    this.#receiver.close();
    this.sender.close();
  }
}
