import type { AuditSink } from "../audit/mod.ts";
import { type Clock, type Logger, messageOf, type Timer } from "../base/mod.ts";
import type { Block, Position, StoredRecord } from "../storage/mod.ts";
import { AckWatch } from "./ack_watch.ts";
import { CloseCode } from "./close_codes.ts";
import { type InFlight, Lane } from "./lane.ts";
import { batchBytes, type FederationLimits, ORIGINAL_MAX_RECORD_BYTES } from "./limits.ts";
import type { Link } from "./link.ts";
import type { OutboundChannel } from "./outbound_channel.ts";
import { recordId, RecordScan } from "./record_scan.ts";
import { ThrottledLog } from "./throttled_log.ts";
import { encodeDataFrame, WireError } from "./wire.ts";

/** Turns of the loop after which other events get their chance. */
const STEPS_MAX = 128;
const READ_RETRY_MIN_MS = 1_000;
const READ_RETRY_MAX_MS = 30_000;

/** Who frames are sent to. */
export interface SenderPeer {
  /** Its name, for the audit log. */
  readonly name: string;
  readonly address: string;
  /** Names under which it stands on routes. */
  readonly routeNames: readonly string[];
  /** Frames that it takes unacknowledged; undefined for an original. */
  readonly window: number | undefined;
  /** Longest record that it takes; undefined for an original. */
  readonly maxRecordBytes: number | undefined;
}

/** Options of a {@linkcode Sender}. */
export interface SenderOptions {
  readonly link: Link;
  readonly peer: SenderPeer;
  readonly limits: FederationLimits;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly audit: AuditSink;
  /** Called once when the link cannot go on. */
  readonly onFault: (code: number, reason: string) => void;
  /** Called for each acknowledgement. */
  readonly onAck?: () => void;
}

/** What a sender has done. */
export interface SenderStats {
  sentFrames: number;
  sentRecords: number;
  sentBytes: number;
  ackedRecords: number;
  /** Records that the peer has, by their route. */
  skippedSeen: number;
  /** Records longer than the peer takes; they are lost to it. */
  skippedTooLong: number;
  /** Damaged records. */
  skippedMalformed: number;
  /** Times that records were missing in the log. */
  gaps: number;
}

/**
 * Sends the records of many channels over one link, in turn, as they stand in the logs. The logs are
 * its buffer: it reads on only while few enough frames are unacknowledged and the link has room.
 */
export class Sender {
  /** What it has done so far. */
  readonly stats: SenderStats = {
    sentFrames: 0,
    sentRecords: 0,
    sentBytes: 0,
    ackedRecords: 0,
    skippedSeen: 0,
    skippedTooLong: 0,
    skippedMalformed: 0,
    gaps: 0,
  };
  readonly #options: SenderOptions;
  readonly #window: number;
  readonly #maxRecordBytes: number;
  readonly #batchBytes: number;
  readonly #scan: RecordScan;
  readonly #log: ThrottledLog;
  readonly #lanes = new Map<string, Lane>();
  readonly #inFlight: InFlight[] = [];
  #ready: Lane[] = [];
  #recordsInFlight = 0;
  #hasRoom = true;
  #pumping = false;
  #resting = false;
  #draining = false;
  #closed = false;
  readonly #ackWatch: AckWatch;
  readonly #retries = new Set<Timer>();
  #onDrained: (() => void) | undefined;

  /** @param options The link and who is at its other end. */
  constructor(options: SenderOptions) {
    const { peer, limits } = options;
    this.#options = options;
    this.#window = Math.min(limits.window, peer.window ?? limits.window);
    this.#maxRecordBytes = peer.maxRecordBytes ?? ORIGINAL_MAX_RECORD_BYTES;
    this.#batchBytes = batchBytes(limits, peer.maxRecordBytes);
    this.#scan = new RecordScan(peer.routeNames);
    this.#log = new ThrottledLog(options.logger, options.clock);
    this.#ackWatch = new AckWatch({
      clock: options.clock,
      timeoutMs: limits.ackTimeoutMs,
      oldestBytes: () => this.#inFlight[0]?.bytes,
      isHeld: () => options.link.paused,
      onExpired: (waitedMs) => {
        const reason = `no acknowledgement for ${Math.round(waitedMs)} ms`;
        this.#fault(new WireError(reason, CloseCode.goingAway));
      },
    });
  }

  /** The channels that are sent. */
  get channels(): readonly OutboundChannel[] {
    return [...this.#lanes.values()].map((lane) => lane.channel);
  }

  /** Records that were sent and not yet acknowledged. */
  get recordsInFlight(): number {
    return this.#recordsInFlight;
  }

  /** Sends a channel from now on. */
  add(channel: OutboundChannel): void {
    if (this.#closed || this.#lanes.has(channel.name)) return;
    const lane = new Lane(channel);
    channel.onRecovered = () => this.#wake(lane);
    this.#lanes.set(channel.name, lane);
    this.#ready.push(lane);
    // Channels that are added together take turns from the first frame on.
    queueMicrotask(() => this.#pump());
  }

  /** Stops sending a channel at once. */
  remove(name: string): void {
    this.#lanes.get(name)?.close();
    this.#lanes.delete(name);
  }

  /** Takes an acknowledgement of the oldest frame in flight. */
  acknowledge(lastId: string): void {
    if (this.#closed) return;
    const frame = this.#inFlight.shift();
    if (frame === undefined) {
      return this.#fault(new WireError("acknowledgement: no frame is unacknowledged"));
    }
    // An original names the last record that it has stored, and nothing when it had all of them.
    if (lastId !== frame.lastId && this.#options.peer.window !== undefined) {
      return this.#fault(new WireError("acknowledgement: not of the oldest unacknowledged frame"));
    }
    const { lane } = frame;
    this.#ackWatch.progress();
    this.#recordsInFlight -= frame.records;
    this.stats.ackedRecords += frame.records;
    if (lane.tail === frame) lane.tail = undefined;
    lane.channel.handled(frame.next);
    this.#options.audit.record({
      event: "forward",
      direction: "outbound",
      channel: lane.channel.name,
      messageId: frame.lastId,
      peer: this.#options.peer.name,
      peerAddr: this.#options.peer.address,
      detail: `${frame.records} records`,
      durationMs: Math.round(this.#options.clock.monotonic() - frame.sentAt),
    });
    this.#options.onAck?.();
    if (this.#inFlight.length === 0) {
      this.#ackWatch.stop();
      this.#onDrained?.();
    }
    this.#pump();
  }

  /** The link has room again. */
  writable(): void {
    this.#hasRoom = true;
    this.#pump();
  }

  /** Sends nothing more. @returns Settles when everything sent is acknowledged, or at `close`. */
  drain(): Promise<void> {
    this.#draining = true;
    if (this.#inFlight.length === 0 || this.#closed) return Promise.resolve();
    return new Promise((resolve) => this.#onDrained = resolve);
  }

  /** Ends everything; the channels stay open. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const lane of this.#lanes.values()) {
      lane.close();
      lane.channel.onRecovered = () => {};
    }
    this.#ready = [];
    this.#ackWatch.stop();
    for (const timer of this.#retries) timer.cancel();
    this.#onDrained?.();
  }

  #wake(lane: Lane): void {
    if (lane.closed || this.#ready.includes(lane)) return;
    this.#ready.push(lane);
    this.#pump();
  }

  /** Sends as much as may be sent now, one frame of each channel in turn. */
  #pump(): void {
    if (this.#pumping || this.#resting) return;
    this.#pumping = true;
    for (let steps = 0; this.#maySend(); steps++) {
      const lane = this.#ready.shift();
      if (lane === undefined) break;
      if (steps === STEPS_MAX) {
        this.#ready.unshift(lane);
        this.#rest();
        break;
      }
      // A stalled channel is woken when its cursor is written again.
      if (!lane.closed && !lane.channel.stalled && this.#step(lane)) this.#ready.push(lane);
    }
    this.#pumping = false;
  }

  #maySend(): boolean {
    return !this.#closed && !this.#draining && this.#hasRoom &&
      this.#inFlight.length < this.#window &&
      this.#recordsInFlight < this.#options.limits.sendBufferMessages;
  }

  #rest(): void {
    this.#resting = true;
    this.#options.clock.soon(() => {
      this.#resting = false;
      this.#pump();
    });
  }

  /** Reads or sends one frame of a channel. @returns Whether there may be more to do at once. */
  #step(lane: Lane): boolean {
    if (lane.current === undefined) return this.#read(lane);
    const picked = this.#pick(lane);
    if (picked.length === 0) lane.passOver();
    else this.#send(lane, picked);
    return true;
  }

  #read(lane: Lane): boolean {
    let block: Block | Promise<Block>;
    try {
      block = lane.read(this.#batchBytes);
    } catch (error) {
      this.#readFailed(lane, error);
      return false;
    }
    if (!("then" in block)) return this.#take(lane, block);
    block.then(
      (read) => {
        if (!lane.closed && this.#take(lane, read)) this.#wake(lane);
      },
      (error) => this.#readFailed(lane, error),
    );
    return false;
  }

  #take(lane: Lane, block: Block): boolean {
    const from = lane.position;
    if (lane.take(block)) {
      if (block.records.length === 0) {
        this.#gap(lane, from, block.next);
        lane.passOver();
      }
      return true;
    }
    lane.more().then(() => this.#wake(lane), (error) => this.#readFailed(lane, error));
    return false;
  }

  #readFailed(lane: Lane, error: unknown): void {
    if (lane.closed) return;
    lane.reset();
    const delayMs = Math.min(READ_RETRY_MAX_MS, READ_RETRY_MIN_MS * 2 ** lane.failures++);
    this.#log.warn(`read ${lane.channel.name}`, "cannot read a channel to send it, trying again", {
      ...this.#names(lane),
      error: messageOf(error),
    });
    const retry = this.#options.clock.after(delayMs, () => {
      this.#retries.delete(retry);
      this.#wake(lane);
    }, { unref: true });
    this.#retries.add(retry);
  }

  /** Takes records for one frame out of the lane's block. */
  #pick(lane: Lane): Uint8Array[] {
    const picked: Uint8Array[] = [];
    const most = this.#options.limits.sendBufferMessages - this.#recordsInFlight;
    let bytes = 0;
    for (let record = lane.current; record !== undefined; record = lane.current) {
      const size = record.bytes.length;
      if (picked.length === most || (picked.length > 0 && bytes + size > this.#batchBytes)) break;
      if (record.position > lane.position) this.#gap(lane, lane.position, record.position);
      if (this.#admits(lane, record)) {
        picked.push(record.bytes);
        bytes += size;
      }
      lane.advance();
    }
    return picked;
  }

  #admits(lane: Lane, record: StoredRecord): boolean {
    if (record.bytes.length > this.#maxRecordBytes) {
      this.#tooLong(lane, record);
      return false;
    }
    const verdict = this.#scan.look(record.bytes);
    if (verdict === "send") return true;
    if (verdict === "seen") this.stats.skippedSeen++;
    else {
      this.stats.skippedMalformed++;
      this.#log.warn("malformed", "damaged record is not sent", {
        ...this.#names(lane),
        position: record.position,
      });
    }
    return false;
  }

  #send(lane: Lane, records: readonly Uint8Array[]): void {
    const frame = encodeDataFrame(records);
    lane.tail = {
      lane,
      next: lane.position,
      records: records.length,
      bytes: frame.length,
      lastId: recordId(records[records.length - 1]!) ?? "",
      sentAt: this.#options.clock.monotonic(),
    };
    if (this.#inFlight.push(lane.tail) === 1) this.#ackWatch.progress();
    this.#recordsInFlight += records.length;
    this.stats.sentFrames++;
    this.stats.sentRecords += records.length;
    this.stats.sentBytes += frame.length;
    if (!this.#options.link.send(frame)) this.#hasRoom = false;
  }

  #tooLong(lane: Lane, record: StoredRecord): void {
    const bytes = record.bytes.length;
    this.stats.skippedTooLong++;
    const detail = `record of ${bytes} bytes, the peer takes ${this.#maxRecordBytes}`;
    const id = recordId(record.bytes);
    this.#options.logger.error("record is too long for the peer and is not sent to it", {
      ...this.#names(lane),
      id,
      bytes,
      max_record_bytes: this.#maxRecordBytes,
    });
    this.#auditGap(lane, detail, id);
  }

  #gap(lane: Lane, from: Position, to: Position): void {
    this.stats.gaps++;
    this.#log.warn(`gap ${lane.channel.name}`, "records are missing in the log and were not sent", {
      ...this.#names(lane),
      from,
      to,
    });
    this.#auditGap(lane, `positions ${from} to ${to} are missing`);
  }

  #auditGap(lane: Lane, detail: string, messageId?: string): void {
    const { audit, peer } = this.#options;
    audit.record({
      event: "replay_gap",
      direction: "outbound",
      channel: lane.channel.name,
      peer: peer.name,
      peerAddr: peer.address,
      detail,
      ...(messageId !== undefined && { messageId }),
    });
  }

  #names(lane: Lane): { channel: string; peer: string } {
    return { channel: lane.channel.name, peer: this.#options.peer.name };
  }

  #fault(error: WireError): void {
    this.close();
    this.#options.onFault(error.closeCode, error.message);
  }
}
