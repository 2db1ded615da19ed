/**
 * A place in a channel's log. For files it is a byte offset over all segments; a program only
 * compares positions, keeps them and gives them back.
 */
export type Position = number;

/** One encoded record, without its line feed. */
export type RecordData = string | Uint8Array;

/** A record as it stands in the log. */
export interface StoredRecord {
  /** Its line, without the line feed. Valid until the reader's next `read`. */
  readonly bytes: Uint8Array;
  /** The same as text, where that is at hand. Keeping a part of it may keep its neighbours too. */
  readonly text?: string | undefined;
  /** Where it begins. */
  readonly position: Position;
  /** Where the next one begins. */
  readonly next: Position;
}

/** What one `read` gave. */
export interface Block {
  /** Records in order; empty at the end of the log. */
  readonly records: readonly StoredRecord[];
  /** Where the next read begins; may lie beyond the last record when something was skipped. */
  readonly next: Position;
}

/** Reads a log from a position on. It has one reading at a time under way. */
export interface LogReader {
  /** Where the next read begins. */
  readonly position: Position;
  /**
   * Reads what is there: at least one record unless the position is at the end. Gives a promise
   * only when the bytes must be fetched; what was just appended is given at once. Damage and gaps
   * are skipped, counted in the log's statistics and logged.
   *
   * @param maxBytes About how many bytes to give; a record that is longer is given alone.
   */
  read(maxBytes: number): Block | Promise<Block>;
  /** Frees what the reader holds; a later `read` takes it again. */
  close(): void;
}

/** The durable place of one reader. It only says what has been handled. */
export interface Cursor {
  /** The reader's name. */
  readonly name: string;
  /** First position not yet handled; undefined before the first `save`. */
  readonly position: Position | undefined;
  /**
   * Keeps a position; it survives a crash once this has returned or its promise has settled.
   *
   * @throws {StorageError} When it could not be written. The earlier position stands.
   */
  save(position: Position): void | Promise<void>;
  /** Frees what the cursor holds; its position stays. */
  close(): void;
}

/** What is known of a log. */
export interface LogStats {
  /** The channel's name. */
  readonly channel: string;
  /** Position of the first record that is kept. */
  readonly start: Position;
  /** Position after the last record. */
  readonly end: Position;
  /** Bytes kept. */
  readonly bytes: number;
  /** Files, or whatever the log is kept in. */
  readonly segments: number;
  /** Records appended since the log was opened. */
  readonly appended: number;
  /** Groups that were written since the log was opened; records divided by groups is the batching. */
  readonly commits: number;
  /** Lines that readers skipped because they were too long or empty, since the log was opened. */
  readonly skippedRecords: number;
  /** Bytes that are missing between segments and were skipped, since the log was opened. */
  readonly skippedBytes: number;
  /** Whether appends wait for a disk that refuses writes. */
  readonly stalled: boolean;
}

/**
 * An append-only log of one channel, with the durable cursors of its readers.
 *
 * Order: records have the order of the `append` calls. Atomicity: a record is in the log whole or
 * not at all; several records of one `appendAll` may be cut between two by a crash, never inside
 * one. Visibility: a reader sees a record only once its append is about to settle.
 */
export interface ChannelLog {
  /** The channel's name. */
  readonly channel: string;
  /** Position of the first record that is kept. */
  readonly start: Position;
  /** Position after the last record. */
  readonly end: Position;
  /** Position after the last record that was there already when the log was opened. */
  readonly recoveredEnd: Position;
  /**
   * Appends one record and settles once it is as durable as the log's sync policy says.
   *
   * @param record The encoded record.
   * @param result Makes what the promise gives out of the record's position.
   * @throws {StorageError} When the sync failed, or the record is over 10 MiB: it is not in the log.
   * @throws {MessengerClosedError} After `close`.
   */
  append<T>(record: RecordData, result: (position: Position) => T): Promise<T>;
  /** Appends several records as one group and gives their positions. */
  appendAll(records: readonly RecordData[]): Promise<readonly Position[]>;
  /** A reader that begins at a position; one inside a record begins at the next. */
  reader(from: Position): LogReader;
  /**
   * Settles when the log reaches beyond the position; at once when it does.
   *
   * @throws {MessengerClosedError} When the log is closed, before or meanwhile.
   */
  waitFor(position: Position, signal?: AbortSignal): Promise<void>;
  /** The cursor of that name. One holder at a time. */
  cursor(name: string): Promise<Cursor>;
  /** Every cursor that is kept, with its position and when it was last moved (ms since 1970). */
  cursors(): Promise<readonly CursorInfo[]>;
  /** Forgets a cursor. @returns Whether there was one. */
  removeCursor(name: string): Promise<boolean>;
  /**
   * Gives up the records before a position, whoever has not read them. It may keep some of them: a
   * log that is trimmed as it is consumed stays within a few MiB of what is not yet consumed.
   *
   * @param before First position to keep.
   * @param sealNow Whether to spare no effort: when all records are given up, none is kept.
   * @throws {StorageError} When the position lies past the end, or the records could not be deleted.
   */
  trim(before: Position, sealNow?: boolean): Promise<void>;
  /** What is known of the log. */
  stats(): LogStats;
}

/** A cursor as it is kept. */
export interface CursorInfo {
  readonly name: string;
  readonly position: Position;
  readonly movedAt: number;
}

/** All channels of one data directory. */
export interface ChannelLogs {
  /** The log, if it is open: the quick way for a publisher. */
  get(channel: string): ChannelLog | undefined;
  /**
   * Opens a channel, making it when it is new.
   *
   * @throws {MessengerClosedError} After `close`.
   */
  open(channel: string): Promise<ChannelLog>;
  /** Names of all channels that exist. */
  names(): readonly string[];
  /**
   * Tells of every channel that comes to exist from now on.
   *
   * @returns Ends the telling.
   */
  onCreate(listener: (channel: string) => void): () => void;
  /**
   * Writes out what is pending and closes every channel.
   *
   * @throws {StorageError} When the last records could not be made durable; all is closed even so.
   */
  close(): Promise<void>;
}
