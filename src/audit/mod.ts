/**
 * The rotating audit log of what passes between instances. Needs read and write permission for its
 * folder.
 *
 * @module
 */
export {
  type AuditEvent,
  type AuditEventName,
  type AuditSink,
  type DocumentedAuditEvent,
  nullAudit,
} from "./audit_event.ts";
export { type AuditFile, type AuditFiles, systemAuditFiles } from "./audit_files.ts";
export { AUDIT_QUEUE_MAX, AuditLog, type AuditLogOptions, type AuditStats } from "./audit_log.ts";
