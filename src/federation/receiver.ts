import type { AuditEventName, AuditSink } from "../audit/mod.ts";
import { type Clock, isValidName, type Logger, messageOf, quote } from "../base/mod.ts";
import {
  type DecodedRecord,
  decodeForeignEnvelope,
  effectiveRoute,
  MAX_RECORD_BYTES,
  withRoute,
} from "../envelope/mod.ts";
import { CloseCode } from "./close_codes.ts";
import type { Intake, IntakeGroup } from "./intake.ts";
import { type FederationLimits, maxPendingBytes } from "./limits.ts";
import type { Link } from "./link.ts";
import { recordId } from "./record_scan.ts";
import type { ThrottledLog } from "./throttled_log.ts";
import { decodeDataFrame, encodeAck, WireError } from "./wire.ts";

const encoder = new TextEncoder();

/** Options of a {@linkcode Receiver}. */
export interface ReceiverOptions {
  readonly link: Link;
  readonly peer: { readonly name: string; readonly address: string };
  /** Name of this instance, which goes on the route. */
  readonly instanceName: string;
  readonly intake: Intake;
  /** Whether the peer may send to the channel, now. */
  readonly accepts: (channel: string) => boolean;
  readonly limits: FederationLimits;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Where faults of single records are logged. */
  readonly log: ThrottledLog;
  readonly audit: AuditSink;
  /** Called once when the link cannot go on. */
  readonly onFault: (code: number, reason: string) => void;
  /** Called for each acknowledgement that is sent. */
  readonly onAck?: () => void;
}

/** What a receiver has done. */
export interface ReceiverStats {
  receivedFrames: number;
  receivedRecords: number;
  receivedBytes: number;
  storedRecords: number;
  /** Records that were known already. */
  duplicates: number;
  /** Records that had passed through here. */
  loops: number;
  /** Records on channels that the peer may not send to. */
  forbidden: number;
  /** Records that could not be read, or are too long with our name on their route. */
  malformed: number;
}

/** What is known of a frame until it is acknowledged. */
interface PendingFrame {
  readonly bytes: number;
  readonly lastId: string;
  /** What other links have to have stored first, as it repeats in this frame. */
  readonly needs: readonly IntakeGroup[];
}

/** Frames whose records are stored together. */
interface Batch {
  readonly frames: PendingFrame[];
  readonly groups: Map<string, IntakeGroup>;
}

/**
 * Takes the data frames of one link in order, stores what is new in them and acknowledges each frame
 * once all of it is stored. While one batch is being stored the frames that come in gather into the
 * next, so that a slow disk costs one wait for many frames, and nothing is stored behind a failure.
 */
export class Receiver {
  /** What it has done so far. */
  readonly stats: ReceiverStats = {
    receivedFrames: 0,
    receivedRecords: 0,
    receivedBytes: 0,
    storedRecords: 0,
    duplicates: 0,
    loops: 0,
    forbidden: 0,
    malformed: 0,
  };
  readonly #options: ReceiverOptions;
  /** Frames not looked at yet: the first one waits for its channel to be opened. */
  readonly #waiting: Uint8Array[] = [];
  #gathering: Batch = newBatch();
  /** Frames whose own records are stored. */
  readonly #stored: PendingFrame[] = [];
  #opening = false;
  #storing = false;
  #awaiting = false;
  #pendingFrames = 0;
  #pendingBytes = 0;
  /** Acknowledgements that the link has not got rid of, as far as is known. */
  #acksQueued = 0;
  #pausing = false;
  #closed = false;
  #fault: WireError | undefined;

  /** @param options The link, and where to bring what it carries. */
  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  /** Takes a data frame. */
  frame(frame: Uint8Array): void {
    if (this.#closed || this.#fault !== undefined) return;
    this.stats.receivedFrames++;
    this.stats.receivedBytes += frame.length;
    this.#pendingFrames++;
    this.#pendingBytes += frame.length;
    this.#waiting.push(frame);
    this.#work();
    this.#regulate();
  }

  /** The link has room again. */
  writable(): void {
    this.#acksQueued = 0;
    this.#regulate();
  }

  /** Ends it. What is not being stored yet is given up: it was not acknowledged. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#waiting.length = 0;
    for (const group of this.#gathering.groups.values()) this.#options.intake.abandon(group);
    this.#gathering = newBatch();
  }

  /** Holds the peer back while too much is pending, or it does not read our acknowledgements. */
  #regulate(): void {
    const { link, limits } = this.#options;
    // More than the window, not the window itself: a peer that keeps to it must never be paused for
    // acknowledgements that wait behind our own data, or two such peers would wait for each other.
    const tooMuch = this.#pendingFrames > limits.window ||
      this.#acksQueued > limits.window || this.#pendingBytes > maxPendingBytes(limits);
    if (tooMuch === this.#pausing || this.#closed) return;
    this.#pausing = tooMuch;
    if (tooMuch) link.pause();
    else link.resume();
  }

  /** Goes through the frames that wait, then stores what has gathered. */
  #work(): void {
    if (this.#opening) return;
    while (this.#waiting.length > 0 && this.#fault === undefined) {
      try {
        if (!this.#take(this.#waiting[0]!)) return;
        this.#waiting.shift();
      } catch (error) {
        // What came before it is still stored and acknowledged.
        this.#fault = error instanceof WireError
          ? error
          : new WireError(messageOf(error), CloseCode.notStored);
        this.#waiting.length = 0;
      }
    }
    this.#store();
  }

  /** Sorts a frame's records into groups. @returns False when a channel has to be opened first. */
  #take(frame: Uint8Array): boolean {
    const { intake } = this.#options;
    const records = decodeDataFrame(frame, this.#options.limits.maxRecordBytes);
    const decoded = records.map(tryDecode);
    const unopened = new Set<string>();
    for (const record of decoded) {
      if (record instanceof Error || intake.log(record.channel) !== undefined) continue;
      if (this.#isWelcome(record)) unopened.add(record.channel);
    }
    if (unopened.size > 0) {
      this.#open([...unopened]);
      return false;
    }
    const needs: IntakeGroup[] = [];
    for (let index = 0; index < records.length; index++) {
      const need = this.#admit(decoded[index]!, records[index]!);
      if (need !== undefined && needs[needs.length - 1] !== need) needs.push(need);
    }
    this.stats.receivedRecords += records.length;
    this.#gathering.frames.push({
      bytes: frame.length,
      lastId: recordId(records[records.length - 1]!) ?? "",
      needs,
    });
    return true;
  }

  #open(channels: readonly string[]): void {
    this.#opening = true;
    Promise.all(channels.map((channel) => this.#options.intake.open(channel))).then(
      () => {
        this.#opening = false;
        if (!this.#closed) this.#work();
      },
      (error) => this.#cannotStore(error),
    );
  }

  #isWelcome(record: DecodedRecord): boolean {
    return isValidName(record.channel) && this.#options.accepts(record.channel) &&
      !effectiveRoute(record).includes(this.#options.instanceName);
  }

  /** @returns The group of another link that has to be stored before the record counts as handled. */
  #admit(record: DecodedRecord | Error, bytes: Uint8Array): IntakeGroup | undefined {
    const { intake, instanceName, accepts } = this.#options;
    if (record instanceof Error) {
      return this.#refuse("malformed", "policy_violation", recordId(bytes), record.message);
    }
    const { id, channel } = record;
    if (!isValidName(channel) || !accepts(channel)) {
      const why = `channel ${quote(channel)} is not allowed`;
      return this.#refuse("forbidden", "policy_violation", id, why, channel);
    }
    if (effectiveRoute(record).includes(instanceName)) {
      return this.#refuse("loops", "loop_dropped", id, "it has passed through here", channel);
    }
    let text: string;
    try {
      text = withRoute(record, instanceName);
    } catch (error) {
      return this.#refuse("malformed", "policy_violation", id, messageOf(error), channel);
    }
    if (isTooLong(text)) {
      return this.#refuse("malformed", "policy_violation", id, "it is too long", channel);
    }
    if (!intake.mark(id)) {
      this.stats.duplicates++;
      const group = intake.storing(id);
      return group?.owner === this ? undefined : group;
    }
    let group = this.#gathering.groups.get(channel);
    if (group === undefined) {
      group = intake.begin(intake.log(channel)!, this);
      this.#gathering.groups.set(channel, group);
    }
    group.ids.push(id);
    group.records.push(text);
    return undefined;
  }

  #refuse(
    kind: "malformed" | "forbidden" | "loops",
    event: AuditEventName,
    id: string | undefined,
    why: string,
    channel?: string,
  ): undefined {
    const { peer, audit, log } = this.#options;
    this.stats[kind]++;
    log.warn(`${kind} ${peer.name}`, "record of a peer is dropped", {
      peer: peer.name,
      peer_addr: peer.address,
      id,
      why,
    });
    audit.record({
      event,
      direction: "inbound",
      peer: peer.name,
      peerAddr: peer.address,
      detail: why.slice(0, 200),
      ...(id !== undefined && { messageId: id.slice(0, 100) }),
      ...(channel !== undefined && { channel: channel.slice(0, 255) }),
    });
  }

  #store(): void {
    if (this.#storing || this.#closed) return;
    const batch = this.#gathering;
    if (batch.frames.length === 0) {
      if (this.#fault !== undefined) this.#end(this.#fault);
      return;
    }
    this.#gathering = newBatch();
    if (batch.groups.size === 0) return this.#finish(batch);
    this.#storing = true;
    Promise.all(Array.from(batch.groups.values(), (group) => this.#commit(group))).then(
      () => this.#finish(batch),
      (error) => this.#cannotStore(error),
    );
  }

  #finish(batch: Batch): void {
    this.#storing = false;
    if (this.#closed) return;
    this.#stored.push(...batch.frames);
    this.#acknowledgeStored();
    this.#regulate();
    if (!this.#closed) this.#work();
  }

  async #commit(group: IntakeGroup): Promise<void> {
    const { intake, peer, audit } = this.#options;
    await intake.commit(group);
    const { ids, log } = group;
    this.stats.storedRecords += ids.length;
    audit.record({
      event: "forward",
      direction: "inbound",
      channel: log.channel,
      messageId: ids[ids.length - 1]!,
      peer: peer.name,
      peerAddr: peer.address,
      detail: `${ids.length} records`,
    });
  }

  /** Acknowledges in order; what repeats a record that another link is storing waits for that. */
  #acknowledgeStored(): void {
    let done = 0;
    while (!this.#awaiting && !this.#closed && done < this.#stored.length) {
      const frame = this.#stored[done]!;
      if (frame.needs.length > 0) this.#await(frame.needs);
      if (this.#awaiting) break;
      this.#acknowledge(frame);
      done++;
    }
    this.#stored.splice(0, done);
  }

  /** Waits for other links. Their storing never waits for ours, so that this ends. */
  #await(needs: readonly IntakeGroup[]): void {
    this.#awaiting = true;
    Promise.all(needs.map((group) => group.outcome)).then((outcomes) => {
      this.#awaiting = false;
      if (this.#closed) return;
      if (outcomes.includes(false)) {
        return this.#cannotStore(new Error("another link could not store a record"));
      }
      this.#acknowledge(this.#stored.shift()!);
      this.#acknowledgeStored();
      this.#regulate();
    });
  }

  #acknowledge(frame: PendingFrame): void {
    this.#pendingFrames--;
    this.#pendingBytes -= frame.bytes;
    if (this.#options.link.send(encodeAck(frame.lastId))) this.#acksQueued = 0;
    else this.#acksQueued++;
    this.#options.onAck?.();
  }

  #cannotStore(error: unknown): void {
    if (this.#closed) return;
    this.#options.logger.error("cannot store what a peer sent, closing the link", {
      peer: this.#options.peer.name,
      error: messageOf(error),
    });
    this.#end(new WireError("what was sent could not be stored", CloseCode.notStored));
  }

  #end(fault: WireError): void {
    if (this.#closed) return;
    this.close();
    this.#options.onFault(fault.closeCode, fault.message);
  }
}

function newBatch(): Batch {
  return { frames: [], groups: new Map() };
}

function tryDecode(record: Uint8Array): DecodedRecord | Error {
  try {
    return decodeForeignEnvelope(record);
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}

/** Whether a line is longer than a log takes; the name on the route may have made it so. */
function isTooLong(text: string): boolean {
  return text.length * 3 > MAX_RECORD_BYTES && encoder.encode(text).length > MAX_RECORD_BYTES;
}
