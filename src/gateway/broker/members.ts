import type { Member, MembersPage } from "./broker.ts";

/** Who is present on which channel, in memory. */
export class Members {
  readonly #channels = new Map<string, Map<string, Member>>();

  /** @returns Whether that session was not present on the channel before. */
  add(channel: string, member: Member): boolean {
    let members = this.#channels.get(channel);
    if (members === undefined) this.#channels.set(channel, members = new Map());
    const isNew = !members.has(member.sessionId);
    members.set(member.sessionId, member);
    return isNew;
  }

  /** @returns The member as it was added; undefined when that session was not present. */
  remove(channel: string, sessionId: string): Member | undefined {
    const members = this.#channels.get(channel);
    const member = members?.get(sessionId);
    if (members === undefined || member === undefined) return undefined;
    members.delete(sessionId);
    if (members.size === 0) this.#channels.delete(channel);
    return member;
  }

  /** Whether a session is present on a channel. */
  has(channel: string, sessionId: string): boolean {
    return this.#channels.get(channel)?.has(sessionId) ?? false;
  }

  /** Some members of a channel. */
  page(channel: string, limit: number): MembersPage {
    const members = this.#channels.get(channel);
    if (members === undefined) return { occupancy: 0, members: [] };
    return {
      occupancy: members.size,
      members: Array.from(members.values().take(Math.max(0, limit))),
    };
  }

  /** Channels with members. */
  channels(): IterableIterator<string> {
    return this.#channels.keys();
  }

  /** Every member of every channel. */
  *all(): Generator<readonly [channel: string, member: Member]> {
    for (const [channel, members] of this.#channels) {
      for (const member of members.values()) yield [channel, member];
    }
  }
}
