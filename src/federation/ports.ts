/** What federation asks of the memory of seen ids. */
export interface SeenIds {
  /** Whether the id is remembered. */
  has(id: string): boolean;
  /** Remembers the id. @returns Whether it was new. */
  add(id: string): boolean;
  /** Forgets the id. */
  delete(id: string): void;
}

/** Certificate, private key and authority of this instance, as PEM text. */
export interface Credentials {
  /** Certificate, with intermediate ones after it. */
  readonly cert: string;
  /** Its private key. */
  readonly key: string;
  /** Certificates of the authorities that peers must come from. */
  readonly ca: string;
  /** Common Name of the certificate. */
  readonly commonName: string;
  /** When the authority's certificate expires; the TLS stack itself never asks. */
  readonly caNotAfter?: Date;
}

/** Lowest version of TLS that is spoken. */
export type TlsVersion = "1.2" | "1.3";

/** What is written to the audit log. */
export type AuditEventName =
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

/** One line of the audit log, without its time. */
export interface AuditEvent {
  /** What happened. */
  readonly event: AuditEventName;
  /** UUID of the message; of the last one where the event is about several. */
  readonly messageId?: string;
  /** The channel. */
  readonly channel?: string;
  /** Which way the message went. */
  readonly direction?: "inbound" | "outbound";
  /** Name of the other instance. */
  readonly peer?: string;
  /** Its address. */
  readonly peerAddr?: string;
  /** More, for a reader. */
  readonly detail?: string;
  /** Milliseconds from sending to acknowledgement. */
  readonly durationMs?: number;
}

/** Takes audit events. It returns at once and never throws. */
export interface AuditSink {
  /** Takes an event. */
  record(event: AuditEvent): void;
}

/** Keeps nothing. */
export const silentAudit: AuditSink = { record() {} };
