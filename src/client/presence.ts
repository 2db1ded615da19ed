/** Who is subscribed to a channel. */
export interface PresenceMember {
  /** Names the connection. */
  readonly sessionId: string;
  /** What the client calls itself. */
  readonly clientId: string;
  /** Who it is; empty without authentication. */
  readonly userId: string;
  /** Since when; undefined in events. */
  readonly connectedAt: Date | undefined;
}

/** Who is there now. */
export interface PresenceSnapshot {
  /** How many connections are subscribed. */
  readonly occupancy: number;
  /** Whether there are more than are listed. */
  readonly truncated: boolean;
  /** At most 256 of them. */
  readonly members: readonly PresenceMember[];
}

/** Somebody came or went. */
export interface PresenceEvent {
  /** What happened. */
  readonly action: "join" | "leave";
  /** Where. */
  readonly channel: string;
  /** Who. */
  readonly member: PresenceMember;
  /** When. */
  readonly time: Date;
}

type Json = Readonly<Record<string, unknown>>;

/** Reads the gateway's answer. */
export function readSnapshot(reply: unknown): PresenceSnapshot {
  const { occupancy, truncated, clients } = (reply ?? {}) as Json;
  return {
    occupancy: Number(occupancy ?? 0),
    truncated: truncated === true,
    members: (Array.isArray(clients) ? clients : []).map(readMember),
  };
}

/** Reads what is published on a channel's companion. */
export function readPresenceEvent(data: unknown): PresenceEvent {
  const event = (data ?? {}) as Json;
  const { action, channel, timestamp } = event;
  if (action !== "join" && action !== "leave") throw new TypeError("expected a join or leave");
  return {
    action,
    channel: String(channel),
    member: readMember(event),
    time: new Date(Number(timestamp)),
  };
}

function readMember({ session_id, client_id, user_id, connected_at }: Json): PresenceMember {
  return {
    sessionId: String(session_id ?? ""),
    clientId: String(client_id ?? ""),
    userId: String(user_id ?? ""),
    connectedAt: connected_at === undefined ? undefined : new Date(Number(connected_at)),
  };
}
