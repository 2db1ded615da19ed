import {
  type Clock,
  delay,
  type Logger,
  messageOf,
  MessengerClosedError,
  StorageError,
} from "../base/mod.ts";
import { decodeText, MAX_RECORD_BYTES } from "../envelope/mod.ts";
import { FairTurn } from "./fair_turn.ts";
import { Group, type GroupResult } from "./group.ts";
import { LineBuffer } from "./line_buffer.ts";
import type { RecordData } from "./log.ts";
import { PeriodicSync } from "./periodic_sync.ts";
import { type SegmentWriter, SyncFailure } from "./segment_writer.ts";

/** When what is written is synced: after every group, at intervals, or when the system likes. */
export type SyncPolicy = "always" | "periodic" | "none";

/** What a {@linkcode GroupCommit} works with. */
export interface GroupCommitOptions {
  readonly channel: string;
  readonly segments: SegmentWriter;
  readonly policy: SyncPolicy;
  /** Milliseconds between syncs under `periodic`. */
  readonly syncIntervalMs: number;
  /** Bytes that may wait while the disk is busy; publishers beyond wait before they are encoded. */
  readonly maxPendingBytes: number;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called when records have become part of the log, before their promises settle. */
  readonly onCommit: (end: number) => void;
}

const EARLY_FLUSH_BYTES = 1024 * 1024;
const RETRY_BASE_MS = 10;
const RETRY_MAX_MS = 1_000;
const LOOKED_AT_WRITES = 16;
const CLOSE_PATIENCE_MS = 5_000;

const encoder = new TextEncoder();

/**
 * Gathers what is appended in one turn, writes it with one call, syncs once and settles everyone.
 * While a group is being written or synced the next one gathers.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions;
  #gathering = new Group();
  #spare = new Group();
  #waiting: (() => void)[] = [];
  #busy = false;
  #scheduled = false;
  #closed = false;
  #idle: PromiseWithResolvers<void> | undefined;
  #giveUp = new AbortController();
  readonly #periodicSync: PeriodicSync;
  readonly #turn: FairTurn;
  /** Whether the last group was one record, as it is when a publisher awaits each. */
  #isAlone = false;
  #wroteInTurn = false;
  #aloneWrites = 0;
  #settledInEvent = false;
  readonly #alone = new LineBuffer();

  /** Position after the last record that is part of the log. */
  end: number;
  /** Whether a write is being tried again. */
  stalled = false;
  /** Records that became part of the log. */
  appended = 0;
  /** Groups that they were written in. */
  commits = 0;

  /** @param options What to write to, and how. */
  constructor(options: GroupCommitOptions) {
    this.#options = options;
    this.end = options.segments.end;
    this.#periodicSync = new PeriodicSync(options);
    this.#turn = new FairTurn(options.clock);
  }

  /** Appends one record. */
  append<T>(record: RecordData, result: (position: number) => T): Promise<T> {
    try {
      const text = this.#accept(record);
      if (this.#isAlone) {
        const position = this.#writeAlone(text);
        if (position !== undefined) return this.#settleAlone(result(position));
      }
      return new Promise<T>((resolve, reject) => {
        this.#enter(text, result, resolve as (value: unknown) => void, reject);
      });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Appends several records in one group. */
  appendAll(records: readonly RecordData[]): Promise<readonly number[]> {
    if (records.length === 0) return Promise.resolve([]);
    try {
      const texts = records.map((record) => this.#accept(record));
      return new Promise<readonly number[]>((resolve, reject) => {
        this.#enter(
          texts,
          (_, first, positionOf) => texts.map((_, index) => positionOf(first + index)),
          resolve as (value: unknown) => void,
          reject,
        );
      });
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Begins a new segment as soon as nothing is being written. */
  async roll(): Promise<void> {
    await this.#untilIdle();
    if (this.#closed) throw new MessengerClosedError(`trim channel "${this.#options.channel}"`);
    this.#busy = true;
    try {
      await this.#options.segments.roll();
    } finally {
      this.#release();
    }
  }

  /** Writes out what is pending; gives up on a disk that refuses for five seconds. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#periodicSync.close();
    const patience = this.#options.clock.after(CLOSE_PATIENCE_MS, () => this.#giveUp.abort());
    await this.#untilIdle();
    patience.cancel();
  }

  async #untilIdle(): Promise<void> {
    while (this.#busy || this.#gathering.count > 0 || this.#waiting.length > 0) {
      if (this.#idle === undefined) {
        this.#idle = Promise.withResolvers();
        if (!this.#busy) this.#schedule();
      }
      await this.#idle.promise;
    }
  }

  /** The record as text; throws when it cannot be appended. */
  #accept(record: RecordData): string {
    const { channel } = this.#options;
    if (this.#closed) throw new MessengerClosedError(`append to channel "${channel}"`);
    const text = typeof record === "string" ? record : this.#decode(record);
    if (text.length * 3 <= MAX_RECORD_BYTES) return text;
    const size = encoder.encode(text).length;
    if (size <= MAX_RECORD_BYTES) return text;
    throw new StorageError(
      `Cannot append to channel "${channel}": a record of ${size} bytes is over the limit of ${MAX_RECORD_BYTES}`,
    );
  }

  #decode(record: Uint8Array): string {
    try {
      return decodeText(record);
    } catch (error) {
      const { channel } = this.#options;
      throw new StorageError(`Cannot append to channel "${channel}": ${messageOf(error)}`, {
        cause: error,
      });
    }
  }

  #enter(
    records: string | readonly string[],
    result: GroupResult,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ): void {
    if (this.#waiting.length > 0 || this.#gathering.gathered >= this.#options.maxPendingBytes) {
      this.#waiting.push(() => this.#gather(records, result, resolve, reject));
      return;
    }
    if (this.#gathering.gathered >= EARLY_FLUSH_BYTES && !this.#busy) this.#flush();
    this.#gather(records, result, resolve, reject);
  }

  #gather(
    records: string | readonly string[],
    result: GroupResult,
    resolve: (value: unknown) => void,
    reject: (error: unknown) => void,
  ): void {
    this.#gathering.add(records, result, resolve, reject);
    if (!this.#scheduled && !this.#busy) this.#schedule();
  }

  #schedule(): void {
    this.#scheduled = true;
    // A sync costs far more than a turn of the event loop: under `always` everything that is ready
    // to publish joins the group first. Otherwise the group is what one turn published.
    if (this.#options.policy === "always") this.#options.clock.soon(this.#flush);
    else queueMicrotask(this.#flush);
  }

  /**
   * Writes a record at once. A publisher that awaits each message has a turn of its own for each, so
   * that there is nothing to gather; the first turn that brings two ends this.
   *
   * @returns The record's position; undefined when it has to go the usual way.
   */
  #writeAlone(record: string): number | undefined {
    if (this.#wroteInTurn) {
      this.#isAlone = false;
      return undefined;
    }
    if (this.#busy || this.#scheduled || this.#waiting.length > 0) return undefined;
    const { segments, policy } = this.#options;
    if (policy === "always" && !(this.#settledInEvent && segments.syncsInline)) return undefined;
    const bytes = this.#alone.encode(record);
    if (bytes.length > segments.room) return undefined;
    try {
      segments.write(bytes);
    } catch {
      // The usual way tries again until the disk takes it.
      return undefined;
    }
    // Looking at each turn would cost as much as encoding; a sync costs far more than looking.
    if (policy === "always" || ++this.#aloneWrites % LOOKED_AT_WRITES === 0) this.#lookAtTurn();
    if (policy === "periodic") this.#periodicSync.arm();
    else if (policy === "always") this.#syncAlone();
    const base = this.end;
    this.#commit(1, bytes.length);
    return base;
  }

  #syncAlone(): void {
    try {
      this.#options.segments.sync();
    } catch (error) {
      throw this.#takeBack(1, error);
    }
  }

  #lookAtTurn(): void {
    this.#wroteInTurn = true;
    queueMicrotask(this.#endTurn);
  }

  readonly #endTurn = (): void => {
    this.#wroteInTurn = false;
  };

  #settleAlone<T>(value: T): Promise<T> {
    if (!this.#turn.isOver()) return Promise.resolve(value);
    return new Promise((resolve) => this.#options.clock.soon(() => resolve(value)));
  }

  readonly #flush = (): void => {
    this.#scheduled = false;
    const group = this.#gathering;
    if (this.#busy || group.count === 0) return;
    this.#isAlone = group.count === 1;
    this.#gathering = this.#spare;
    this.#spare = group;
    group.encode();
    const { segments, policy } = this.#options;
    if (group.length > segments.room) return void this.#commitAside(group);
    try {
      segments.write(group.bytes());
    } catch (error) {
      return void this.#commitAside(group, error);
    }
    if (policy === "always") return this.#syncThenCommit(group);
    if (policy === "periodic") this.#periodicSync.arm();
    // A publisher that awaits each message would never let timers and sockets have their turn.
    if (this.#turn.isOver()) {
      this.#busy = true;
      this.#options.clock.soon(() => this.#complete(group));
      return;
    }
    this.#settle(group);
    if (this.#waiting.length > 0 || this.#idle !== undefined) this.#release();
  };

  #syncThenCommit(group: Group): void {
    this.#busy = true;
    try {
      const pending = this.#options.segments.sync();
      if (pending === undefined) return this.#complete(group);
      pending.then(() => this.#complete(group), (error) => this.#failSync(group, error));
    } catch (error) {
      this.#failSync(group, error);
    }
  }

  #commit(records: number, bytes: number): void {
    this.end += bytes;
    this.appended += records;
    this.commits++;
    this.#options.onCommit(this.end);
  }

  #settle(group: Group): void {
    const base = this.end;
    this.#commit(group.count, group.length);
    if (this.#options.policy === "always") this.#noteSettled();
    group.settle(base);
  }

  /**
   * Who publishes before the event is over continues from a message that was just settled, so that
   * waiting for more events would gather nobody else.
   */
  #noteSettled(): void {
    if (this.#settledInEvent) return;
    this.#settledInEvent = true;
    this.#options.clock.soon(() => {
      this.#settledInEvent = false;
    });
  }

  #complete(group: Group): void {
    this.#settle(group);
    this.#release();
  }

  #release(): void {
    this.#busy = false;
    // No more than one write's worth: whoever is let in must not flush, or the next would overtake it.
    const room = Math.min(this.#options.maxPendingBytes, EARLY_FLUSH_BYTES);
    while (this.#waiting.length > 0 && this.#gathering.gathered < room) this.#waiting.shift()!();
    if (this.#gathering.count > 0 && !this.#scheduled) this.#schedule();
    else if (this.#gathering.count === 0) {
      this.#idle?.resolve();
      this.#idle = undefined;
    }
  }

  /** The slow way: over the end of a segment, or against a disk that refuses. */
  async #commitAside(group: Group, refusal?: unknown): Promise<void> {
    this.#busy = true;
    const { segments, policy } = this.#options;
    let written = 0;
    let error = refusal;
    let waitMs = RETRY_BASE_MS;
    for (;;) {
      if (error !== undefined) {
        if (!await this.#stall(error, waitMs)) return this.#abandon(group, error);
        waitMs = Math.min(waitMs * 2, RETRY_MAX_MS);
      }
      try {
        while (written < group.length) written = await this.#writePart(group, written);
        break;
      } catch (caught) {
        if (caught instanceof SyncFailure && policy === "always") {
          return this.#failSync(group, caught);
        }
        error = caught;
      }
    }
    this.#recovered();
    if (policy === "always") return this.#syncThenCommit(group);
    if (policy === "periodic" && segments.unsynced) this.#periodicSync.arm();
    this.#complete(group);
  }

  async #writePart(group: Group, from: number): Promise<number> {
    const { segments } = this.#options;
    let end = group.fitting(from, segments.room);
    if (end === from) {
      await segments.roll();
      end = Math.max(group.fitting(from, segments.segmentBytes), group.endOf(from));
    }
    segments.write(group.bytes(from, end));
    return end;
  }

  /** Waits before the next try. @returns Whether there will be one. */
  async #stall(error: unknown, waitMs: number): Promise<boolean> {
    const { channel, logger, clock } = this.#options;
    if (!this.stalled) {
      this.stalled = true;
      logger.error("the disk refuses writes: publishers wait until it takes them again", {
        channel,
        error: messageOf(error),
      });
    }
    try {
      await delay(clock, waitMs, this.#giveUp.signal);
      return true;
    } catch {
      return false;
    }
  }

  #recovered(): void {
    if (!this.stalled) return;
    this.stalled = false;
    this.#options.logger.info("the disk takes writes again", { channel: this.#options.channel });
  }

  #failSync(group: Group, error: unknown): void {
    group.fail(this.#takeBack(group.count, error));
    this.#release();
  }

  /** Takes records back whose sync failed. @returns What their publishers are told. */
  #takeBack(records: number, error: unknown): StorageError {
    const { channel, logger } = this.#options;
    logger.error("a sync failed: the records of its group are taken back", {
      channel,
      records,
      error: messageOf(error),
    });
    this.#options.segments.rollback(this.end);
    return new StorageError(`Cannot sync channel "${channel}": ${messageOf(error)}`, {
      cause: error,
    });
  }

  #abandon(group: Group, error: unknown): void {
    const failure = new StorageError(
      `Cannot write channel "${this.#options.channel}" before closing: ${messageOf(error)}`,
      { cause: error },
    );
    this.#options.segments.rollback(this.end);
    group.fail(failure);
    for (const enter of this.#waiting.splice(0)) enter();
    this.#gathering.fail(failure);
    this.#release();
  }
}
