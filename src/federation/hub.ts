import {
  ConfigError,
  isLoopback,
  isValidName,
  messageOf,
  parseAddress,
  quote,
  type Timer,
} from "../base/mod.ts";
import { CloseCode } from "./close_codes.ts";
import type { FederationContext } from "./context.ts";
import { peerCursorName } from "./cursor_names.ts";
import { sweepPeerCursors } from "./cursor_sweep.ts";
import { GreetingError, receiveHandshake } from "./greeting.ts";
import { HubPeer, type HubPeerStats } from "./hub_peer.ts";
import { maxFrameBytes } from "./limits.ts";
import type { Link } from "./link.ts";
import { type AllowedPeer, PeerPolicy } from "./peer_policy.ts";
import type { Credentials, TlsVersion } from "./ports.ts";
import { type LinkServer, listenWebSocket } from "./websocket_server.ts";
import type { Handshake } from "./wire.ts";

const SWEEP_INTERVAL_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** Channels that one peer may ask for. */
const CHANNELS_MAX = 1_000;

/** Options of a {@linkcode Hub}. */
export interface HubOptions {
  /** What it shares with the rest of the instance. */
  readonly context: FederationContext;
  /** `host:port`, or `:port` for every address of this machine; port 0 for a free one. */
  readonly listenAddr: string;
  /** Who may connect, and what they may do. */
  readonly allowedPeers: readonly AllowedPeer[];
  /** Certificates; without them connections are neither encrypted nor proven. */
  readonly credentials?: Credentials;
  /** Lowest version of TLS. @default {"1.3"} */
  readonly minVersion?: TlsVersion;
  /** Listen without certificates on more than this machine. @default {false} */
  readonly insecure?: boolean;
  /** Milliseconds after which the cursor of a peer that is away is removed; 0 for never. @default {7 days} */
  readonly clientOffsetTtlMs?: number;
  /** Connections of any state at a time. @default {1_000} */
  readonly maxConnections?: number;
  /** Connections that have not introduced themselves, at a time. @default {100} */
  readonly maxPendingHandshakes?: number;
}

/** Connections that were turned away. */
export interface RejectedCounts {
  /** Not on the allowlist, or without a name. */
  notAllowed: number;
  /** No handshake, or none that is right. */
  badHandshake: number;
  /** Too many handshakes under way. */
  busy: number;
}

/** What is known of a hub. */
export interface HubStats {
  /** Where it listens; empty when it does not. */
  readonly address: string;
  /** Connections of any state. */
  readonly connections: number;
  /** Everyone who is connected. */
  readonly peers: readonly HubPeerStats[];
  /** Connections that were turned away. */
  readonly rejected: Readonly<RejectedCounts>;
}

/**
 * Lets peers connect, stores what they send and may send, and sends them the channels that they ask
 * for and may have, from where each has left off.
 */
export class Hub {
  readonly #options: HubOptions;
  readonly #context: FederationContext;
  readonly #peers = new Map<string, HubPeer>();
  /** Every peer that has not let go of its cursors, the replaced ones among them. */
  readonly #present = new Set<HubPeer>();
  readonly #greeting = new Set<Link>();
  readonly #rejected: RejectedCounts = { notAllowed: 0, badHandshake: 0, busy: 0 };
  #policy: PeerPolicy;
  #server: LinkServer | undefined;
  #sweepTimer: Timer | undefined;
  #isClosed = false;

  /**
   * Makes it; `listen` begins.
   *
   * @param options Where to listen, and for whom.
   */
  constructor(options: HubOptions) {
    this.#options = options;
    this.#context = options.context;
    this.#policy = new PeerPolicy(options.allowedPeers);
  }

  /** Where it listens, with the port that it got; empty before {@linkcode listen}. */
  get address(): string {
    return this.#server?.address ?? "";
  }

  /**
   * Begins to take connections. Requires `--allow-net` for the address.
   *
   * @throws {ConfigError} When the address is none, or is open to others and there are no certificates.
   * @throws {HubListenError} When it cannot listen there.
   */
  async listen(): Promise<void> {
    const { listenAddr, credentials, insecure = false } = this.#options;
    const { limits, clock, logger } = this.#context;
    const address = parseAddress(listenAddr);
    if (address === undefined) {
      throw refused(`${quote(listenAddr)} is not an address of the form host:port`);
    }
    if (credentials === undefined && !isLoopback(address.host)) {
      if (!insecure) {
        throw refused(
          `${listenAddr} can be reached from other machines, and there is no "tls": configure it, ` +
            `listen on 127.0.0.1, or set hub.insecure to true`,
        );
      }
      logger.warn("hub listens without TLS: anyone on the network may read, and claim any name", {
        listen_addr: listenAddr,
      });
    } else if (credentials === undefined) {
      logger.warn("hub listens without TLS", { listen_addr: listenAddr });
    }
    await this.#noteChannels();
    this.#server = await listenWebSocket({
      address,
      credentials,
      minVersion: this.#options.minVersion ?? "1.3",
      maxConnections: this.#options.maxConnections ?? 1_000,
      maxFrameBytes: maxFrameBytes(limits),
      upgradeTimeoutMs: limits.handshakeTimeoutMs,
      clock,
      logger,
      onLink: (link) => this.accept(link),
    });
    logger.info("hub listens", { address: this.address });
    this.#sweepLater();
  }

  /** Takes a link to a peer that has not introduced itself. */
  accept(link: Link): void {
    const { logger } = this.#context;
    if (this.#isClosed) return link.close(CloseCode.goingAway, "hub is closing");
    if (this.#greeting.size >= (this.#options.maxPendingHandshakes ?? 100)) {
      this.#rejected.busy++;
      return link.close(CloseCode.tryLater, "too many handshakes under way");
    }
    this.#greeting.add(link);
    this.#greet(link).catch((error) => {
      logger.error("hub cannot serve a peer", { error: messageOf(error) });
      link.close(CloseCode.notStored, "internal error");
    }).finally(() => this.#greeting.delete(link));
  }

  /**
   * Changes who may connect and what they may do. Live links follow at once: channels taken away stop,
   * removed peers are drained and closed. Whoever watches the configuration logs and audits the change.
   *
   * @param allowedPeers Everyone who may connect from now on.
   */
  applyPolicy(allowedPeers: readonly AllowedPeer[]): void {
    this.#policy = new PeerPolicy(allowedPeers);
    for (const peer of this.#peers.values()) {
      const rule = this.#policy.rule(peer.name);
      if (rule !== undefined) peer.apply(rule);
      else this.#drain(peer);
    }
  }

  /** Shows these certificates to, and asks for this authority from, whoever connects from now on. */
  updateCredentials(credentials: Credentials): void {
    this.#server?.updateCredentials(credentials);
  }

  /**
   * Removes the cursors of peers that have been away for longer than allowed. Called every hour.
   *
   * @throws {StorageError} When a channel cannot be opened or a cursor not removed.
   */
  async sweep(): Promise<void> {
    const { logs, clock, logger } = this.#context;
    const ttlMs = this.#options.clientOffsetTtlMs ?? 7 * DAY_MS;
    if (ttlMs === 0) return;
    for (const peer of this.#present) peer.touch();
    const isInUse = (cursor: string) =>
      [...this.#present].some((peer) => peerCursorName(peer.name) === cursor);
    for (const { channel, cursor } of await sweepPeerCursors({ logs, ttlMs, isInUse, clock })) {
      logger.info("cursor of a peer that is away for long is removed", { channel, cursor });
    }
  }

  /** What is known of the hub and its peers. */
  stats(): HubStats {
    return {
      address: this.address,
      connections: this.#server?.connections ?? 0,
      peers: [...this.#peers.values()].map((peer) => peer.stats()),
      rejected: { ...this.#rejected },
    };
  }

  /** Ends every connection and stops listening. Cursors are written when this settles. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#sweepTimer?.cancel();
    const stopped = this.#server?.close();
    for (const link of this.#greeting) link.close(CloseCode.goingAway, "hub is closing");
    const present = [...this.#present];
    for (const peer of present) peer.close(CloseCode.goingAway, "hub is closing");
    await Promise.all(present.flatMap((peer) => [peer.released, peer.ended]));
    await stopped;
  }

  async #greet(link: Link): Promise<void> {
    const { clock, limits } = this.#context;
    const proven = link.peer.name;
    if (proven !== undefined && this.#policy.rule(proven) === undefined) {
      return this.#reject(link, proven);
    }
    let handshake: Handshake;
    try {
      handshake = await receiveHandshake(link, {
        role: "client",
        clock,
        timeoutMs: limits.handshakeTimeoutMs,
      });
    } catch (error) {
      if (!(error instanceof GreetingError)) throw error;
      return this.#misspoke(link, error.closeCode, error.message);
    }
    const name = proven ?? handshake.instanceName;
    if (this.#policy.rule(name) === undefined) return this.#reject(link, name);
    const subscribe = handshake.subscribe.filter(isValidName);
    if (subscribe.length > CHANNELS_MAX) {
      return this.#misspoke(
        link,
        CloseCode.badProtocol,
        `handshake: ${subscribe.length} channels, more than ${CHANNELS_MAX}`,
      );
    }
    await this.#welcome(link, name, { ...handshake, subscribe });
  }

  async #welcome(link: Link, name: string, handshake: Handshake): Promise<void> {
    const { logger, audit } = this.#context;
    const predecessor = this.#peers.get(name);
    const rule = this.#policy.rule(name)!;
    const peer = new HubPeer({ context: this.#context, link, name, handshake, rule });
    const { address } = link.peer;
    const fields = { peer: name, peer_addr: address };
    const audited = { peer: name, peerAddr: address };
    this.#peers.set(name, peer);
    this.#present.add(peer);
    peer.released.then(() => this.#present.delete(peer));
    peer.ended.then(({ code, reason }) => {
      if (this.#peers.get(name) === peer) this.#peers.delete(name);
      logger.info("peer disconnected", { ...fields, code, reason });
      audit.record({ event: "peer_disconnected", ...audited, detail: `${code} ${reason}`.trim() });
    });
    predecessor?.close(CloseCode.replaced, "replaced by a newer connection");
    logger.info("peer connected", { ...fields, ephemeral: handshake.ephemeral });
    audit.record({
      event: "client_connected",
      ...audited,
      ...(handshake.ephemeral && { detail: "ephemeral" }),
    });
    await peer.start(predecessor?.released);
  }

  #reject(link: Link, name: string): void {
    const { throttled, audit } = this.#context;
    const { address } = link.peer;
    const reason = name === "" ? "certificate has no usable common name" : "not in allowlist";
    this.#rejected.notAllowed++;
    link.close(CloseCode.notAllowed, reason);
    throttled.warn(`rejected ${name}`, "peer is rejected", {
      peer: name,
      peer_addr: address,
      reason,
    });
    audit.record({ event: "client_rejected", peer: name, peerAddr: address, detail: reason });
  }

  #misspoke(link: Link, code: number, reason: string): void {
    this.#rejected.badHandshake++;
    link.close(code, reason);
    this.#context.throttled.warn("bad handshake", "connection has not introduced itself rightly", {
      peer: link.peer.name,
      peer_addr: link.peer.address,
      code,
      reason,
    });
  }

  #drain(peer: HubPeer): void {
    const { logger, audit } = this.#context;
    const { address } = peer.stats();
    const fields = { peer: peer.name, peer_addr: address };
    logger.info("peer is removed from the policy and drained", fields);
    audit.record({ event: "client_drain", peer: peer.name, peerAddr: address });
    peer.drain().catch((error) => {
      logger.error("cannot drain a peer", { ...fields, error: messageOf(error) });
    });
  }

  /** Notes where the channels end that peers are named for, before anything new is published. */
  async #noteChannels(): Promise<void> {
    const { intake } = this.#context;
    for (const name of this.#policy.names) {
      await intake.note(this.#policy.rule(name)!.publishNames);
    }
  }

  #sweepLater(): void {
    const { clock, logger } = this.#context;
    this.#sweepTimer = clock.after(SWEEP_INTERVAL_MS, () => {
      this.sweep().catch((error) => {
        logger.error("cannot remove old cursors", { error: messageOf(error) });
      });
      this.#sweepLater();
    }, { unref: true });
  }
}

function refused(message: string): ConfigError {
  return new ConfigError("configuration", [{ path: "hub.listen_addr", message }]);
}
