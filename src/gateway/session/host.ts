import type { Clock, Logger } from "../../base/mod.ts";
import type { Broker, Member } from "../broker/mod.ts";
import type { DataForm } from "../codec/mod.ts";
import type { GatewayEvent } from "../event.ts";
import type { Disconnect } from "./disconnect.ts";
import type { GatewayLimits } from "./limits.ts";
import type { Authorizer, Backends } from "./ports.ts";
import type { Session } from "./session.ts";
import type { WireError } from "./wire_error.ts";

/** What is set for all sessions. */
export interface SessionSettings {
  /** Longest time in milliseconds that a call may take. */
  readonly rpcTimeoutMs: number;
  /** Milliseconds within which a client has to connect; 0 is any time. */
  readonly authTimeoutMs: number;
  /** Milliseconds of silence after which a client is closed; 0 is any time. */
  readonly idleTimeoutMs: number;
  /** What a refused subscription leads to. */
  readonly aclFailure: "disconnect" | "error";
  /** Form of outgoing data. */
  readonly dataForm: DataForm;
  /** Whether channels have members. */
  readonly presence: boolean;
}

/** An answer to a survey. */
export type SurveyAnswer = { readonly event: GatewayEvent } | { readonly error: WireError };

/** What a session needs of the gateway around it. */
export interface SessionHost {
  readonly broker: Broker;
  readonly authorizer: Authorizer;
  readonly backends: Backends;
  readonly limits: GatewayLimits;
  readonly settings: SessionSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Makes a session that has logged in known; a disconnect when it cannot be. */
  admit(session: Session): Disconnect | undefined;
  /**
   * Makes the broker deliver a channel or pattern, and keeps it so until `release`. Nothing when it
   * does already.
   */
  acquire(name: string): Promise<void> | undefined;
  /** Ends one `acquire`, a failed one as well. */
  release(name: string): void;
  /** Delivers a channel or the channels of a pattern to the session from now on. */
  register(name: string, session: Session): void;
  /** Ends that at once. */
  unregister(name: string, session: Session): void;
  /** Makes the session's member come to a channel. */
  join(channel: string, session: Session, member: Member): void;
  /** Makes it go. */
  leave(channel: string, session: Session, member: Member): void;
  /** Takes an answer to a survey. */
  surveyAnswered(session: Session, requestId: string, answer: SurveyAnswer): void;
  /**
   * A client says that it is the one of an earlier session, which ends if it is still there.
   *
   * @returns Whether that may be: false when the session is known to belong to another user.
   */
  succeeds(session: Session, previousId: string): boolean;
  /** The session is over; called once. */
  ended(session: Session): void;
}
