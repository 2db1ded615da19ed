/** The names of the audited events that the data directory's format documents. */
export type DocumentedAuditEvent =
  | "forward"
  | "policy_violation"
  | "loop_dropped"
  | "replay_gap"
  | "peer_connected"
  | "peer_disconnected"
  | "client_connected"
  | "client_rejected"
  | "client_drain"
  | "policy_reloaded"
  | "policy_reload_failed"
  | "tls_reloaded";

/** The name of an audited event: a documented one, or another in snake case. */
export type AuditEventName = DocumentedAuditEvent | (string & Record<never, never>);

/** Something that happened between instances; the log adds the time. */
export interface AuditEvent {
  /** What happened. */
  readonly event: AuditEventName;
  /** The message that it happened to. */
  readonly messageId?: string | undefined;
  /** The channel that it happened on. */
  readonly channel?: string | undefined;
  /** Which way the message went, seen from here. */
  readonly direction?: "inbound" | "outbound" | undefined;
  /** The name of the instance on the other side. */
  readonly peer?: string | undefined;
  /** The address of the other side, `host:port`. */
  readonly peerAddr?: string | undefined;
  /** What else there is to know. */
  readonly detail?: string | undefined;
  /** How long it took or lasted, in milliseconds. */
  readonly durationMs?: number | undefined;
}

/** Where audited events go. Recording one neither waits nor fails. */
export interface AuditSink {
  /** Takes note of an event. */
  record(event: AuditEvent): void;
}

/** A sink that keeps nothing. */
export const nullAudit: AuditSink = { record() {} };

/** Texts come from peers, and a queue of them has to fit in memory. */
const TEXT_LENGTH_MAX = 1_024;

/**
 * Writes an event as one line of JSON: keys in the documented order, only those that apply.
 *
 * @param event The event.
 * @param ts When it happened, RFC 3339 in UTC.
 * @returns The line with its line break. Texts beyond 1,024 characters are cut.
 */
export function encodeAuditEvent(event: AuditEvent, ts: string): string {
  const { durationMs } = event;
  const duration = typeof durationMs === "number" && Number.isFinite(durationMs)
    ? `,"duration_ms":${durationMs}`
    : "";
  return `{"ts":${JSON.stringify(ts)},"event":${JSON.stringify(cut(event.event))}` +
    pair("message_id", event.messageId) +
    pair("channel", event.channel) +
    pair("direction", event.direction) +
    pair("peer", event.peer) +
    pair("peer_addr", event.peerAddr) +
    pair("detail", event.detail) +
    `${duration}}\n`;
}

function pair(key: string, text: string | undefined): string {
  return text === undefined || text === "" ? "" : `,"${key}":${JSON.stringify(cut(text))}`;
}

function cut(text: string): string {
  return text.length > TEXT_LENGTH_MAX ? `${text.slice(0, TEXT_LENGTH_MAX - 3)}...` : text;
}
