import { type AuditSink, nullAudit } from "../audit/mod.ts";
import {
  type Clock,
  type Logger,
  type Random,
  silentLogger,
  systemClock,
  systemRandom,
} from "../base/mod.ts";
import type { ChannelLogs } from "../storage/mod.ts";
import { Intake } from "./intake.ts";
import { type FederationLimits, federationLimits } from "./limits.ts";
import type { SeenIds } from "./ports.ts";
import { ThrottledLog } from "./throttled_log.ts";

/** Options of {@linkcode federationContext}. */
export interface FederationContextOptions {
  /** Name of this instance: it goes on the route of what is stored here. */
  readonly instanceName: string;
  /** Every channel of this instance. */
  readonly logs: ChannelLogs;
  /** Memory of ids; publishing marks its ids in the same one. */
  readonly seen: SeenIds;
  /** What differs from the defaults. */
  readonly limits?: Partial<FederationLimits>;
  /** What tells the time. @default {systemClock} */
  readonly clock?: Clock;
  /** Where jitter comes from. @default {systemRandom} */
  readonly random?: Random;
  /** Where faults and changes of state are logged. @default {silentLogger} */
  readonly logger?: Logger;
  /** Where audit events go. @default {nullAudit} */
  readonly audit?: AuditSink;
}

/** What the hub and the clients of one instance share. */
export interface FederationContext {
  /** Name of this instance. */
  readonly instanceName: string;
  /** Every channel of this instance. */
  readonly logs: ChannelLogs;
  /** Where everything that links bring is stored, once. */
  readonly intake: Intake;
  /** How much and how long. */
  readonly limits: FederationLimits;
  /** Time. */
  readonly clock: Clock;
  /** Jitter of reconnection. */
  readonly random: Random;
  /** Where faults and changes of state are logged. */
  readonly logger: Logger;
  /** For what a peer can cause as often as it likes. */
  readonly throttled: ThrottledLog;
  /** Where the audit events go. */
  readonly audit: AuditSink;
}

/**
 * Makes what the hub and the clients of one instance share: one for each messenger.
 *
 * @param options Names, logs and limits.
 * @throws {RangeError} When a limit is out of range.
 */
export function federationContext(options: FederationContextOptions): FederationContext {
  const { instanceName, logs, seen } = options;
  const limits = federationLimits(options.limits);
  const clock = options.clock ?? systemClock;
  const logger = options.logger ?? silentLogger;
  return {
    instanceName,
    logs,
    // Twice what a peer may have sent before it missed an acknowledgement, for what came in between.
    intake: new Intake({ logs, seen, warmBytes: 2 * limits.window * limits.maxBatchBytes }),
    limits,
    clock,
    random: options.random ?? systemRandom,
    logger,
    throttled: new ThrottledLog(logger, clock),
    audit: options.audit ?? nullAudit,
  };
}
