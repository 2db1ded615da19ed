import { type Clock, type Logger, messageOf } from "../../base/mod.ts";
import type { Broker, Member, Publication } from "../broker/mod.ts";
import type { Codec } from "../codec/mod.ts";
import { companionOf } from "../pattern/mod.ts";
import {
  type Authorizer,
  type Backends,
  type ClientTransport,
  Delivery,
  type Disconnect,
  DISCONNECTS,
  type GatewayLimits,
  Scope,
  Scopes,
  Session,
  type SessionHost,
  type SessionSettings,
  type SurveyAnswer,
} from "../session/mod.ts";
import { HubAdmin } from "./admin.ts";
import { type HubCounters, newCounters } from "./counters.ts";
import { Interests } from "./interests.ts";
import { networkOf } from "./network.ts";
import { Presence, presencePublication } from "./presence.ts";
import { RecentSessions } from "./recent_sessions.ts";
import { Registry } from "./registry.ts";
import { Surveys } from "./survey.ts";

/** What a hub stands on. */
export interface HubOptions {
  readonly broker: Broker;
  readonly authorizer: Authorizer;
  readonly backends: Backends;
  readonly limits: GatewayLimits;
  readonly settings: SessionSettings;
  /** Whether a client is told of subscriptions that an administrator makes. */
  readonly notifyClient: boolean;
  readonly clock: Clock;
  readonly logger: Logger;
}

/** All sessions of one gateway: who they are, what they are subscribed to, and what they get. */
export class Hub implements SessionHost {
  readonly broker: Broker;
  readonly authorizer: Authorizer;
  readonly backends: Backends;
  readonly limits: GatewayLimits;
  readonly settings: SessionSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  /** What has happened so far. */
  readonly counters: HubCounters = newCounters();
  readonly registry = new Registry();
  readonly surveys: Surveys;
  /** What administrators may do. */
  readonly admin: HubAdmin;
  readonly #sessions = new Map<string, Session>();
  readonly #connected = new Map<string, Session>();
  readonly #users = new Map<string, Set<Session>>();
  readonly #scopes = { user: new Map<string, Scope>(), address: new Map<string, Scope>() };
  readonly #interests: Interests;
  readonly #presence: Presence;
  readonly #recent = new RecentSessions();
  #isClosing = false;

  /** @param options What it stands on. */
  constructor(options: HubOptions) {
    this.broker = options.broker;
    this.authorizer = options.authorizer;
    this.backends = options.backends;
    this.limits = options.limits;
    this.settings = options.settings;
    this.clock = options.clock;
    this.logger = options.logger;
    this.surveys = new Surveys(options.clock);
    this.#interests = new Interests(options.broker, (channel, error) => {
      this.logger.warn("unsubscribing at the broker failed", { channel, error: messageOf(error) });
    });
    this.#presence = new Presence(options.broker, (error) => {
      this.logger.warn("presence could not be told", { error: messageOf(error) });
    });
    this.admin = new HubAdmin(this, options.notifyClient);
  }

  /** Starts the broker. To be called once, before the first `accept`. */
  start(): Promise<void> {
    return this.broker.start({
      publication: (publication) => this.#publication(publication),
      presence: (channel, action, member) => this.#member(channel, action, member),
      interrupted: (name, complete) => {
        this.counters.interruptions++;
        if (!complete) this.#lost(name);
      },
    });
  }

  /** Connections that exist. */
  get connections(): number {
    return this.#sessions.size;
  }

  /** Connections that have logged in. */
  get connected(): number {
    return this.#connected.size;
  }

  /** Users that have a connection. */
  get users(): number {
    return this.#users.size;
  }

  /** Channels and patterns that the broker is asked for. */
  get interests(): number {
    return this.#interests.size;
  }

  /** Users and addresses whose limits are kept count of. */
  get scopes(): { readonly users: number; readonly addresses: number } {
    return { users: this.#scopes.user.size, addresses: this.#scopes.address.size };
  }

  /** A session that is connected. */
  session(id: string): Session | undefined {
    const session = this.#connected.get(id);
    return session?.state === "connected" ? session : undefined;
  }

  /** The connected sessions of a user. */
  sessionsOf(userId: string): ReadonlySet<Session> {
    return this.#users.get(userId) ?? new Set();
  }

  /** Every session that exists. */
  sessions(): IterableIterator<Session> {
    return this.#sessions.values();
  }

  /**
   * Begins a session. Over a limit, it is closed at once.
   *
   * @param transport A way to a client that has just opened.
   * @param codec What the client speaks.
   */
  accept(transport: ClientTransport, codec: Codec): Session {
    const own = new Scope(this.limits.connection, this.clock.monotonic());
    const address = this.#scope("address", networkOf(transport.remoteAddress));
    const scopes = new Scopes(this.clock, address === undefined ? [own] : [own, address]);
    const hasRoom = scopes.hasRoom("connections") && this.#hasRoom();
    const session = new Session(transport, codec, scopes, this);
    this.#sessions.set(session.id, session);
    this.counters.accepted++;
    scopes.count("connections", 1);
    if (!hasRoom) session.end(DISCONNECTS.connectionLimit);
    else if (this.#isClosing) session.end(DISCONNECTS.connectionClosed);
    return session;
  }

  admit(session: Session): Disconnect | undefined {
    const { id } = session.user;
    if (id !== "") {
      const scope = this.#scope("user", id);
      if (scope !== undefined) {
        const { connections } = scope.limits;
        if (connections && scope.connections >= connections) return DISCONNECTS.connectionLimit;
        scope.connections++;
        session.scopes.add(scope);
      }
      const sessions = this.#users.get(id) ?? new Set();
      sessions.add(session);
      this.#users.set(id, sessions);
    }
    this.#connected.set(session.id, session);
    return undefined;
  }

  succeeds(session: Session, previousId: string): boolean {
    const previous = this.#connected.get(previousId);
    const owner = previous?.user.id ?? this.#recent.get(previousId);
    if (owner !== undefined && owner !== session.user.id) return false;
    // Nobody proves to be nobody: an anonymous session is left to its timeout.
    const isSame = previous?.clientId === session.clientId && session.user.id !== "";
    if (previous !== undefined && previous !== session && isSame) {
      previous.end(DISCONNECTS.forceNoReconnect);
    }
    return true;
  }

  acquire(name: string): Promise<void> | undefined {
    return this.#interests.acquire(name);
  }

  release(name: string): void {
    this.#interests.release(name);
  }

  register(name: string, session: Session): void {
    this.registry.add(name, session);
  }

  unregister(name: string, session: Session): void {
    this.registry.remove(name, session);
  }

  join(channel: string, session: Session, member: Member): void {
    this.#presence.join(channel, session, member);
  }

  leave(channel: string, session: Session, member: Member): void {
    this.#presence.leave(channel, session, member);
  }

  surveyAnswered(session: Session, requestId: string, answer: SurveyAnswer): void {
    this.surveys.answered(session, requestId, answer);
  }

  ended(session: Session): void {
    this.#sessions.delete(session.id);
    session.scopes.count("connections", -1);
    this.surveys.ended(session);
    this.#dropScope("address", networkOf(session.transport.remoteAddress));
    if (!this.#connected.delete(session.id)) return;
    const { id } = session.user;
    this.#recent.add(session.id, id);
    const sessions = this.#users.get(id);
    if (sessions?.delete(session) && sessions.size === 0) this.#users.delete(id);
    this.#dropScope("user", id);
    this.#notifyEnd(session);
  }

  /** Refuses new sessions and closes all there are. */
  close(disconnect: Disconnect = DISCONNECTS.connectionClosed): void {
    this.#isClosing = true;
    for (const session of [...this.#sessions.values()]) session.end(disconnect);
  }

  #publication(publication: Publication): void {
    const receivers = this.registry.receivers(publication.channel);
    this.counters.publications++;
    if (receivers.size === 0) return;
    const delivery = new Delivery(publication, this.settings.dataForm, this.clock.now());
    this.counters.deliveries += receivers.size;
    for (const session of receivers) session.deliver(delivery);
  }

  #member(channel: string, action: "join" | "leave", member: Member): void {
    const receivers = this.registry.receivers(companionOf(channel));
    if (receivers.size === 0) return;
    const nowMs = this.clock.now();
    const publication = presencePublication(channel, action, member, nowMs);
    const delivery = new Delivery(publication, this.settings.dataForm, nowMs);
    for (const session of receivers) {
      if (session.id === member.sessionId) continue;
      this.counters.deliveries++;
      session.deliver(delivery);
    }
  }

  /** Those who may have missed something, and can recover, are made to. */
  #lost(name: string): void {
    const sessions = [...this.registry.subscribers(name)];
    this.logger.warn("publications may be missing", { channel: name, sessions: sessions.length });
    for (const session of sessions) session.missed(name);
  }

  #hasRoom(): boolean {
    return this.limits.connections === 0 || this.#sessions.size < this.limits.connections;
  }

  /** The shared scope of a user or address; undefined when nothing limits it. */
  #scope(kind: "user" | "address", key: string): Scope | undefined {
    const limits = this.limits[kind];
    if (Object.values(limits).every((limit) => limit === 0)) return undefined;
    const scopes = this.#scopes[kind];
    let scope = scopes.get(key);
    if (scope === undefined) scopes.set(key, scope = new Scope(limits, this.clock.monotonic()));
    return scope;
  }

  /** Forgets the scope of whoever has no connection left. */
  #dropScope(kind: "user" | "address", key: string): void {
    const scopes = this.#scopes[kind];
    if (scopes.get(key)?.connections === 0) scopes.delete(key);
  }

  #notifyEnd(session: Session): void {
    const backend = this.backends.find("", "disconnect", "OnDisconnected");
    if (backend === undefined) return;
    const notice = { sessionId: session.id, username: session.username };
    backend.onDisconnected(notice, session.caller, new AbortController().signal).catch((error) =>
      this.logger.warn("backend was not told", {
        backend: backend.name,
        hook: "OnDisconnected",
        error: messageOf(error),
      })
    );
  }
}
