import { messageOf } from "../base/mod.ts";
import { CloseCode } from "./close_codes.ts";
import type { FederationContext } from "./context.ts";
import { peerCursorName } from "./cursor_names.ts";
import type { Link, LinkEnd } from "./link.ts";
import { OutboundChannel } from "./outbound_channel.ts";
import type { PeerRule } from "./peer_policy.ts";
import { Session, type SessionStats } from "./session.ts";
import { encodeHandshake, type Handshake } from "./wire.ts";

/** How far a peer is behind on a channel. */
export interface ChannelLag {
  /** The channel. */
  readonly channel: string;
  /** First position that it has not acknowledged. */
  readonly position: number;
  /** How far that is from the end of the channel's log; bytes, in a log of files. */
  readonly lag: number;
}

/** What is known of a connected peer. */
export interface HubPeerStats extends Partial<SessionStats> {
  /** Its name. */
  readonly name: string;
  /** Its address. */
  readonly address: string;
  /** Since when it is connected, in milliseconds since 1970. */
  readonly connectedAt: number;
  /** Whether it keeps nothing. */
  readonly ephemeral: boolean;
  /** How far it is behind. */
  readonly channels: readonly ChannelLag[];
}

/** Options of a {@linkcode HubPeer}. */
export interface HubPeerOptions {
  readonly context: FederationContext;
  readonly link: Link;
  /** Its name, which was checked. */
  readonly name: string;
  readonly handshake: Handshake;
  readonly rule: PeerRule;
}

/** One peer that is connected to the hub: its session, and the channels that it gets. */
export class HubPeer {
  readonly name: string;
  readonly connectedAt: number;
  /** Settles with how its link ended. */
  readonly ended: Promise<LinkEnd>;
  /** Settles once its cursors are written and free, which may be before the link has ended. */
  readonly released: Promise<void>;
  readonly #context: FederationContext;
  readonly #link: Link;
  readonly #handshake: Handshake;
  readonly #asked: ReadonlySet<string>;
  readonly #channels = new Map<string, OutboundChannel>();
  #rule: PeerRule;
  #session: Session | undefined;
  #isEnding = false;
  /** Openings of channels, one after the other. */
  #opening: Promise<void> = Promise.resolve();
  #endWatch: () => void = () => {};
  #isReleased!: () => void;

  /** @param options The link and who is at its other end. */
  constructor(options: HubPeerOptions) {
    const { context, link, name, handshake, rule } = options;
    this.name = name;
    this.connectedAt = context.clock.now();
    this.#context = context;
    this.#link = link;
    this.#handshake = handshake;
    this.#rule = rule;
    this.#asked = new Set(handshake.subscribe);
    this.released = new Promise((resolve) => this.#isReleased = resolve);
    this.ended = link.closed;
    link.closed.then(() => this.#release());
  }

  /**
   * Opens its channels, answers its handshake and lets frames flow. Closes the link when that fails.
   *
   * @param predecessor Settles when an older connection of the same name has let go of its cursors.
   */
  async start(predecessor: Promise<unknown> | undefined): Promise<void> {
    const { instanceName, limits } = this.#context;
    this.#opening = Promise.resolve(predecessor).then(() => {});
    try {
      await this.#openAllowed();
    } catch (error) {
      this.#cannotOpen(error);
    }
    if (this.#isEnding) return;
    this.#session = new Session({
      context: this.#context,
      link: this.#link,
      peerName: this.name,
      handshake: this.#handshake,
      accepts: (channel) => this.#rule.mayPublish(channel),
    });
    this.#link.send(encodeHandshake({
      instanceName,
      role: "hub",
      subscribe: [],
      ephemeral: false,
      window: limits.window,
      maxRecordBytes: limits.maxRecordBytes,
    }));
    this.#session.start();
    this.#send();
  }

  /** What the peer may do has changed; it takes effect at once. */
  apply(rule: PeerRule): void {
    this.#rule = rule;
    if (this.#isEnding) return;
    for (const { name } of this.#session?.sender.channels ?? []) {
      if (!rule.maySubscribe(name)) this.#session?.sender.remove(name);
    }
    this.#openAllowed().then(() => this.#send(), (error) => this.#cannotOpen(error));
  }

  /** The peer may no longer be here: lets what was sent be acknowledged, and closes. */
  async drain(): Promise<void> {
    const { limits } = this.#context;
    const reason = "not in allowlist";
    await this.#session?.drain(CloseCode.notAllowed, reason, limits.drainTimeoutMs);
    this.close(CloseCode.notAllowed, reason);
  }

  /** Ends it at once. */
  close(code: number, reason: string): void {
    if (this.#session !== undefined) this.#session.close(code, reason);
    else this.#link.close(code, reason);
    this.#release();
  }

  /** Writes its cursors, so that they count as in use. */
  touch(): void {
    for (const channel of this.#channels.values()) channel.touch();
  }

  /** What is known of it. */
  stats(): HubPeerStats {
    return {
      name: this.name,
      address: this.#link.peer.address,
      connectedAt: this.connectedAt,
      ephemeral: this.#handshake.ephemeral,
      channels: (this.#session?.sender.channels ?? []).map(lagOf),
      ...this.#session?.stats(),
    };
  }

  /** Opens what it asked for and may have. */
  #openAllowed(): Promise<void> {
    const { logs } = this.#context;
    if (this.#handshake.ephemeral) this.#watchNew();
    this.#opening = this.#opening.catch(() => {}).then(async () => {
      const existing = new Set(logs.names());
      for (const channel of this.#asked) {
        if (this.#isEnding) return;
        // What a peer does not come back for is not made for it.
        if (this.#handshake.ephemeral && !existing.has(channel)) continue;
        await this.#open(channel, "end");
      }
    });
    return this.#opening;
  }

  /** An ephemeral peer gets a channel that comes to exist from its first record on. */
  #watchNew(): void {
    this.#endWatch();
    this.#endWatch = this.#context.logs.onCreate((channel) => {
      if (!this.#asked.has(channel)) return;
      this.#open(channel, "start").then(() => this.#send(), (error) => this.#cannotOpen(error));
    });
  }

  async #open(name: string, from: "start" | "end"): Promise<void> {
    if (this.#channels.has(name) || !this.#rule.maySubscribe(name)) return;
    const { logs, clock, logger, limits } = this.#context;
    const channel = await OutboundChannel.open(await logs.open(name), {
      cursorName: this.#handshake.ephemeral ? undefined : peerCursorName(this.name),
      from,
      saveIntervalMs: limits.cursorSaveMs,
      clock,
      logger,
    });
    if (this.#isEnding || this.#channels.has(name)) return await channel.close();
    this.#channels.set(name, channel);
  }

  #cannotOpen(error: unknown): void {
    const fields = { peer: this.name, error: messageOf(error) };
    this.#context.logger.error("cannot open the channels of a peer", fields);
    this.close(CloseCode.notStored, "channels could not be opened");
  }

  /** Sends whatever is open and allowed. */
  #send(): void {
    for (const channel of this.#channels.values()) {
      if (this.#rule.maySubscribe(channel.name)) this.#session?.sender.add(channel);
    }
  }

  async #release(): Promise<void> {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#endWatch();
    await this.#opening.catch(() => {});
    await Promise.all(Array.from(this.#channels.values(), (channel) => channel.close()));
    this.#isReleased();
  }
}

/** How far the reader of a channel is behind. */
export function lagOf({ name, position, log }: OutboundChannel): ChannelLag {
  return { channel: name, position, lag: Math.max(0, log.end - position) };
}
