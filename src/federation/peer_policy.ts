import { isDeadLetterChannel } from "../base/mod.ts";

/** A peer that may connect, and what it may do. */
export interface AllowedPeer {
  /** Common Name of its certificate. */
  readonly name: string;
  /** Channels that it may have; empty for all that it asks for. */
  readonly subscribe: readonly string[];
  /** Channels that it may send to; empty for all but dead-letter ones, which have to be named. */
  readonly publish: readonly string[];
}

/** What one peer may do. */
export class PeerRule {
  readonly #subscribe: ReadonlySet<string>;
  readonly #publish: ReadonlySet<string>;

  /** @param peer The peer, as it is configured. */
  constructor(peer: AllowedPeer) {
    this.#subscribe = new Set(peer.subscribe);
    this.#publish = new Set(peer.publish);
  }

  /** Channels that are named for publishing. */
  get publishNames(): Iterable<string> {
    return this.#publish;
  }

  /** Whether the peer may have the channel. */
  maySubscribe(channel: string): boolean {
    return this.#subscribe.size === 0 || this.#subscribe.has(channel);
  }

  /** Whether the peer may send to the channel. */
  mayPublish(channel: string): boolean {
    return this.#publish.size === 0 ? !isDeadLetterChannel(channel) : this.#publish.has(channel);
  }
}

/** Who may connect. */
export class PeerPolicy {
  readonly #rules: ReadonlyMap<string, PeerRule>;

  /** @param peers Everyone who may connect. */
  constructor(peers: readonly AllowedPeer[]) {
    this.#rules = new Map(peers.map((peer) => [peer.name, new PeerRule(peer)]));
  }

  /** Names of everyone who may connect. */
  get names(): readonly string[] {
    return [...this.#rules.keys()];
  }

  /** What a peer may do; undefined when it may not connect. */
  rule(name: string): PeerRule | undefined {
    return this.#rules.get(name);
  }
}
