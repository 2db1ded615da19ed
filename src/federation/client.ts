import { Backoff, type BackoffOptions, type LogFields, messageOf } from "../base/mod.ts";
import { CloseCode, isRejection, retryAfter } from "./close_codes.ts";
import type { FederationContext } from "./context.ts";
import type { ConfiguredHub } from "./cursor_sweep.ts";
import { GreetingError, receiveHandshake } from "./greeting.ts";
import { HubChannels } from "./hub_channels.ts";
import { type ChannelLag, lagOf } from "./hub_peer.ts";
import { maxFrameBytes } from "./limits.ts";
import type { Link, LinkEnd } from "./link.ts";
import type { Credentials, TlsVersion } from "./ports.ts";
import { Session, type SessionStats } from "./session.ts";
import { type Dial, dialWebSocket } from "./websocket_dial.ts";
import { encodeHandshake } from "./wire.ts";

/** A link that was up for so long counts as good, and the next wait is a short one. */
const LASTING_MS = 10_000;

/** A hub to connect to. */
export interface HubTarget extends ConfiguredHub {
  /** Common Name that its certificate must have, in place of the dialled host. */
  readonly name?: string;
  /** Channels to ask for. */
  readonly subscribe: readonly string[];
}

/** Options of a {@linkcode HubClient}. */
export interface HubClientOptions {
  /** What it shares with the rest of the instance. */
  readonly context: FederationContext;
  /** The hub, and what to exchange with it. */
  readonly hub: HubTarget;
  /** Certificates; without them the connection is neither encrypted nor proven. */
  readonly credentials?: Credentials;
  /** Lowest version of TLS. @default {"1.3"} */
  readonly minVersion?: TlsVersion;
  /** Waits between attempts to connect. */
  readonly backoff?: BackoffOptions;
  /** How to open a link. @default {dialWebSocket} */
  readonly dial?: Dial;
}

/** What a client is doing; `connecting` only until its first attempt has failed. */
export type HubClientState = "connecting" | "connected" | "backing_off" | "rejected" | "closed";

/** What is known of a client. */
export interface HubClientStats {
  /** The hub's address. */
  readonly addr: string;
  /** The hub's name, while connected. */
  readonly name: string | undefined;
  /** What it is doing. */
  readonly state: HubClientState;
  /** Since when, in milliseconds since 1970. */
  readonly since: number;
  /** Why it is not connected. */
  readonly reason: string;
  /** Times that it was connected. */
  readonly connections: number;
  /** Counts of all connections together. */
  readonly totals: SessionStats;
  /** How far the hub is behind. */
  readonly channels: readonly ChannelLag[];
}

/**
 * Keeps a link to one hub: sends it what is published here, stores what it sends of the channels that
 * were asked for. It dials in the background, as long as it takes.
 */
export class HubClient {
  readonly #options: HubClientOptions;
  readonly #context: FederationContext;
  readonly #channels: HubChannels;
  readonly #backoff: Backoff;
  readonly #subscribe: ReadonlySet<string>;
  readonly #closing = new AbortController();
  #credentials: Credentials | undefined;
  #state: HubClientState = "connecting";
  #since: number;
  #reason = "";
  #connections = 0;
  #hubName: string | undefined;
  #session: Session | undefined;
  #past: SessionStats | undefined;
  #running: Promise<void> | undefined;

  /**
   * Makes it; `start` begins.
   *
   * @param options Which hub, and what to exchange with it.
   * @throws {RangeError} When the backoff is out of range.
   */
  constructor(options: HubClientOptions) {
    const { context, hub, backoff = {} } = options;
    this.#options = options;
    this.#context = context;
    this.#credentials = options.credentials;
    this.#since = context.clock.now();
    this.#subscribe = new Set(hub.subscribe);
    this.#backoff = new Backoff(backoff, context.random);
    this.#channels = new HubChannels({
      context,
      hubAddr: hub.addr,
      publish: hub.publish,
      onOpen: (channel) => this.#session?.sender.add(channel),
    });
  }

  /**
   * Begins. What is published after this has settled is sent, whether or not the hub is there by then.
   * Requires `--allow-net` for the hub's address.
   *
   * @throws {StorageError} When a cursor cannot be read or written.
   */
  async start(): Promise<void> {
    try {
      await this.#context.intake.note(this.#subscribe);
      await this.#channels.start();
    } catch (error) {
      await this.#channels.close();
      throw error;
    }
    if (!this.#closing.signal.aborted) this.#running = this.#run();
  }

  /** Shows these certificates from the next connection on. */
  updateCredentials(credentials: Credentials): void {
    this.#credentials = credentials;
  }

  /** What is known of it. */
  stats(): HubClientStats {
    return {
      addr: this.#options.hub.addr,
      name: this.#hubName,
      state: this.#state,
      since: this.#since,
      reason: this.#reason,
      connections: this.#connections,
      totals: sum(this.#past, this.#session?.stats()),
      channels: Array.from(this.#channels.all, lagOf),
    };
  }

  /** Ends the link. Cursors are written when this settles. */
  async close(): Promise<void> {
    this.#closing.abort();
    this.#session?.close(CloseCode.goingAway, "client is closing");
    await this.#running;
    await this.#channels.close();
    this.#enter("closed", "");
  }

  async #run(): Promise<void> {
    const { signal } = this.#closing;
    while (!signal.aborted) {
      const end = await this.#connectOnce();
      if (signal.aborted) return;
      const isSlow = retryAfter(end.code) === "slow";
      this.#report(end);
      await this.#wait(isSlow ? this.#backoff.longest() : this.#backoff.next());
    }
  }

  /** One connection from dialling to its end. @returns How it ended. */
  async #connectOnce(): Promise<LinkEnd> {
    const { hub, minVersion = "1.3", dial = dialWebSocket } = this.#options;
    const { limits, clock } = this.#context;
    let link: Link;
    try {
      link = await dial({
        addr: hub.addr,
        name: hub.name,
        credentials: this.#credentials,
        minVersion,
        maxFrameBytes: maxFrameBytes(limits),
        timeoutMs: limits.handshakeTimeoutMs,
        clock,
        signal: this.#closing.signal,
      });
    } catch (error) {
      return { code: CloseCode.abnormal, reason: messageOf(error) };
    }
    const abort = () => link.close(CloseCode.goingAway, "client is closing");
    this.#closing.signal.addEventListener("abort", abort);
    try {
      return await this.#converse(link);
    } catch (error) {
      const code = error instanceof GreetingError ? error.closeCode : CloseCode.abnormal;
      return { code, reason: messageOf(error) };
    } finally {
      this.#closing.signal.removeEventListener("abort", abort);
    }
  }

  async #converse(link: Link): Promise<LinkEnd> {
    if (this.#closing.signal.aborted) link.close(CloseCode.goingAway, "client is closing");
    const { instanceName, limits, clock } = this.#context;
    link.send(encodeHandshake({
      instanceName,
      role: "client",
      subscribe: this.#options.hub.subscribe,
      ephemeral: false,
      window: limits.window,
      maxRecordBytes: limits.maxRecordBytes,
    }));
    const handshake = await receiveHandshake(link, {
      role: "hub",
      clock,
      timeoutMs: limits.handshakeTimeoutMs,
    });
    // A certificate without a usable name proves none, and then what is said proves none either.
    const peerName = link.peer.name === undefined
      ? handshake.instanceName
      : link.peer.name || this.#options.hub.addr;
    const session = new Session({
      context: this.#context,
      link,
      peerName,
      handshake,
      accepts: (channel) => this.#subscribe.has(channel),
    });
    this.#session = session;
    const startedAt = clock.monotonic();
    this.#connected(peerName);
    session.start();
    for (const channel of this.#channels.all) session.sender.add(channel);
    const end = await session.ended;
    this.#session = undefined;
    this.#past = sum(this.#past, session.stats());
    if (session.proven || clock.monotonic() - startedAt >= LASTING_MS) this.#backoff.reset();
    this.#disconnected(end);
    return end;
  }

  #connected(name: string): void {
    const { logger, audit } = this.#context;
    const { addr } = this.#options.hub;
    this.#hubName = name;
    this.#connections++;
    this.#enter("connected", "");
    logger.info("connected to hub", { hub: addr, name });
    audit.record({ event: "peer_connected", peer: name, peerAddr: addr });
  }

  #disconnected({ code, reason }: LinkEnd): void {
    const { addr } = this.#options.hub;
    const name = this.#hubName!;
    this.#hubName = undefined;
    const detail = `${code} ${reason}`.trim();
    this.#context.audit.record({ event: "peer_disconnected", peer: name, peerAddr: addr, detail });
  }

  /** Logs why there is no connection, unless that is what was said last. */
  #report({ code, reason }: LinkEnd): void {
    const { logger } = this.#context;
    const fields: LogFields = { hub: this.#options.hub.addr, code, reason };
    const state = isRejection(code) ? "rejected" : "backing_off";
    const why = `${code} ${reason}`.trim();
    if (state !== this.#state || why !== this.#reason) {
      if (state === "rejected") {
        logger.error("hub refuses the connection, trying again at long intervals", fields);
      } else if (this.#state === "connected") {
        logger.warn("connection to hub is lost, trying again", fields);
      } else logger.warn("cannot connect to hub, trying again", fields);
    }
    this.#enter(state, why);
  }

  #enter(state: HubClientState, reason: string): void {
    if (state !== this.#state) this.#since = this.#context.clock.now();
    this.#state = state;
    this.#reason = reason;
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const { signal } = this.#closing;
      const done = () => {
        timer.cancel();
        signal.removeEventListener("abort", done);
        resolve();
      };
      const timer = this.#context.clock.after(ms, done);
      signal.addEventListener("abort", done);
    });
  }
}

function sum(a: SessionStats | undefined, b: SessionStats | undefined): SessionStats {
  const total = { ...NOTHING };
  for (const key of Object.keys(NOTHING) as (keyof SessionStats)[]) {
    total[key] = (a?.[key] ?? 0) + (b?.[key] ?? 0);
  }
  return total;
}

const NOTHING: Record<keyof SessionStats, number> = {
  sentRecords: 0,
  sentBytes: 0,
  ackedRecords: 0,
  skippedSeen: 0,
  skippedTooLong: 0,
  receivedRecords: 0,
  receivedBytes: 0,
  storedRecords: 0,
  duplicates: 0,
  loops: 0,
  forbidden: 0,
  malformed: 0,
};
