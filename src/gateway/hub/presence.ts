import type { Broker, Member, Publication } from "../broker/mod.ts";
import { makeJsonEvent } from "../event.ts";
import { companionOf } from "../pattern/mod.ts";
import type { Session } from "../session/mod.ts";

/** Tells the broker who comes and goes, for one session in order. */
export class Presence {
  readonly #broker: Broker;
  readonly #onError: (error: unknown) => void;
  readonly #pending = new WeakMap<Session, Promise<void>>();

  /**
   * @param broker What keeps the members.
   * @param onError Told when it could not be told.
   */
  constructor(broker: Broker, onError: (error: unknown) => void) {
    this.#broker = broker;
    this.#onError = onError;
  }

  /** A member comes. */
  join(channel: string, session: Session, member: Member): void {
    this.#then(session, () => this.#broker.join(channel, member));
  }

  /** A member goes. */
  leave(channel: string, session: Session, member: Member): void {
    this.#then(session, () => this.#broker.leave(channel, member));
  }

  #then(session: Session, run: () => Promise<void>): void {
    const before = this.#pending.get(session);
    const done = (before === undefined ? run() : before.then(run)).catch(this.#onError).then(() => {
      if (this.#pending.get(session) === done) this.#pending.delete(session);
    });
    this.#pending.set(session, done);
  }
}

/** What subscribers of the companion channel get when somebody comes or goes. */
export function presencePublication(
  channel: string,
  action: "join" | "leave",
  member: Member,
  nowMs: number,
): Publication {
  const event = makeJsonEvent({
    __type: "presence",
    action,
    channel,
    client_id: member.clientId,
    user_id: member.userId,
    session_id: member.sessionId,
    timestamp: nowMs,
  }, { type: `presence.${action}` });
  const id = crypto.randomUUID();
  return { id, channel: companionOf(channel), offset: 0, epoch: "", timeMs: nowMs, event };
}
