import { MAX_RECORD_BYTES } from "../envelope/mod.ts";

/** How much and how long; every number has a default. */
export interface FederationLimits {
  /** Bytes of records in a frame that is sent, unless one record alone is longer. @default {65_536} */
  readonly maxBatchBytes: number;
  /** Longest record in bytes that is taken from a peer. @default {10 MiB} */
  readonly maxRecordBytes: number;
  /** Frames that may be unacknowledged in either direction. @default {64} */
  readonly window: number;
  /** Records that may be sent and not yet acknowledged. @default {10_000} */
  readonly sendBufferMessages: number;
  /** Longest wait in milliseconds for an acknowledgement. @default {60_000} */
  readonly ackTimeoutMs: number;
  /** Longest wait in milliseconds for the other's handshake. @default {10_000} */
  readonly handshakeTimeoutMs: number;
  /** Shortest time in milliseconds between two writes of a cursor. @default {200} */
  readonly cursorSaveMs: number;
  /** Longest wait in milliseconds for acknowledgements of a peer that was removed. @default {5_000} */
  readonly drainTimeoutMs: number;
}

/** Records of an original that announces no limit of its own are taken up to this many bytes. */
export const ORIGINAL_MAX_RECORD_BYTES = 65_536;

/** Room for the lengths in a frame to an original, which may count them. */
const ORIGINAL_FRAMING_BYTES = 4_096;

/** What a frame may be longer than the longest record, for senders that batch generously. */
const FRAME_SLACK_BYTES = 4 * 1024 * 1024;

const DEFAULTS: FederationLimits = {
  maxBatchBytes: 65_536,
  maxRecordBytes: MAX_RECORD_BYTES,
  window: 64,
  sendBufferMessages: 10_000,
  ackTimeoutMs: 60_000,
  handshakeTimeoutMs: 10_000,
  cursorSaveMs: 200,
  drainTimeoutMs: 5_000,
};

/**
 * Fills in what is left out.
 *
 * @param limits What differs from the defaults.
 * @returns All limits.
 * @throws {RangeError} When one is not a positive whole number, or too large.
 */
export function federationLimits(limits: Partial<FederationLimits> = {}): FederationLimits {
  const all = { ...DEFAULTS };
  for (const key of Object.keys(DEFAULTS) as (keyof FederationLimits)[]) {
    const value = limits[key];
    if (value === undefined) continue;
    const least = key === "cursorSaveMs" ? 0 : 1;
    if (!Number.isSafeInteger(value) || value < least) {
      throw new RangeError(`Cannot use ${value} as ${key}: it takes a whole number from ${least}`);
    }
    Object.assign(all, { [key]: value });
  }
  if (all.maxRecordBytes > MAX_RECORD_BYTES) {
    throw new RangeError(
      `Cannot use ${all.maxRecordBytes} as maxRecordBytes: the most is ${MAX_RECORD_BYTES}`,
    );
  }
  return all;
}

/**
 * Bytes of records to put into one frame.
 *
 * @param limits Our limits.
 * @param peerMaxRecordBytes Longest record that the peer takes; undefined for an original.
 */
export function batchBytes(
  limits: FederationLimits,
  peerMaxRecordBytes: number | undefined,
): number {
  const most = peerMaxRecordBytes ?? ORIGINAL_MAX_RECORD_BYTES - ORIGINAL_FRAMING_BYTES;
  return Math.min(limits.maxBatchBytes, most);
}

/** Longest frame in bytes that is taken from a peer. */
export function maxFrameBytes(limits: FederationLimits): number {
  return limits.maxRecordBytes + Math.max(FRAME_SLACK_BYTES, 2 * limits.maxBatchBytes);
}

/** Bytes of frames received and not yet stored at which the peer has to wait. */
export function maxPendingBytes(limits: FederationLimits): number {
  return limits.window * limits.maxBatchBytes;
}
