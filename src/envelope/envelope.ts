/** Version of the record format that is written here. */
export const ENVELOPE_VERSION = 1;

/** Longest record in bytes, its line feed not counted. */
export const MAX_RECORD_BYTES = 10 * 1024 * 1024;

/** One record of a channel, decoded. */
export interface Envelope {
  /** UUID of the message. */
  readonly id: string;
  /** When it was published, RFC 3339 in UTC, as it stands in the record. */
  readonly ts: string;
  /** The channel that it was published to. */
  readonly channel: string;
  /** Name of the instance that published it first. */
  readonly origin: string;
  /** What the payload is. */
  readonly payloadType: string;
  /** Groups messages that belong together; empty when none was given. */
  readonly correlationId: string;
  /** The service that published it; empty when none was given. */
  readonly serviceName: string;
  /** Instances that have stored it, in order; empty when only its origin has. */
  readonly route: readonly string[];
  /** Any JSON value. */
  readonly payload: unknown;
}

/** Why a line is no record that can be delivered. */
export type EnvelopeFault = "malformed" | "version";

/** A line that is no record of this format. */
export class EnvelopeError extends Error {
  override readonly name = "EnvelopeError";
  /** `version` when the record may be right but is of another format, else `malformed`. */
  readonly fault: EnvelopeFault;

  /**
   * @param fault What kind of fault it is.
   * @param message What is wrong.
   */
  constructor(fault: EnvelopeFault, message: string) {
    super(message);
    this.fault = fault;
  }
}

/** The instances that have stored a record. Its origin has, also where no route says so. */
export function effectiveRoute(envelope: Envelope): readonly string[] {
  return envelope.route.length === 0 ? [envelope.origin] : envelope.route;
}
