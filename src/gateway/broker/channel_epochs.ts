import { type Logger, messageOf } from "../../base/mod.ts";
import type { ChannelLog, FileSystem, Position } from "../../storage/mod.ts";
import { newEpoch } from "./epoch.ts";

/** One life of a channel's history. */
export interface ChannelEpoch {
  readonly epoch: string;
  /** Where it begins: what lies before was removed. */
  readonly floor: Position;
}

interface Kept extends ChannelEpoch {
  /** The channel's folder when the epoch was made. */
  readonly identity: string;
  /** How far the log was known to reach. */
  readonly end: Position;
}

/** What {@linkcode ChannelEpochs} works with. */
export interface ChannelEpochsOptions {
  readonly dataDir: string;
  readonly files: FileSystem;
  readonly logger: Logger;
}

/**
 * The epochs of a messenger's channels, kept in `gateway/` of its data directory. A channel gets
 * another one when positions of its log may mean other records than they did: its folder was made
 * anew, also by restoring it from a copy, or its log ends before a place that it had reached.
 */
export class ChannelEpochs {
  readonly #options: ChannelEpochsOptions;
  readonly #dir: string;
  readonly #known = new Map<string, { kept: Kept; readonly log: ChannelLog }>();

  /** @param options Where epochs are kept. */
  constructor(options: ChannelEpochsOptions) {
    this.#options = options;
    this.#dir = `${options.dataDir.replace(/(?<=.)\/+$/, "")}/gateway`;
  }

  /** The epoch of a channel; made, and kept, when there is none that fits. */
  of(log: ChannelLog): ChannelEpoch {
    const known = this.#known.get(log.channel);
    if (known !== undefined && known.log === log) return known.kept;
    const identity = this.#identityOf(log.channel);
    const kept = this.#read(log.channel);
    const fits = kept !== undefined && kept.identity === identity && kept.end <= log.end &&
      kept.floor <= log.end;
    const current = fits ? kept : { epoch: newEpoch(), floor: 0, identity, end: log.end };
    this.#known.set(log.channel, { kept: current, log });
    if (!fits) this.#write(log.channel, current);
    return current;
  }

  /** Begins another life at the end of the log. */
  renew(log: ChannelLog): void {
    const identity = this.#identityOf(log.channel);
    const kept = { epoch: newEpoch(), floor: log.end, identity, end: log.end };
    this.#known.set(log.channel, { kept, log });
    this.#write(log.channel, kept);
  }

  /** Notes how far the logs reach, of so many channels at most that have grown since. */
  note(channelsMax: number): void {
    let left = channelsMax;
    for (const [channel, known] of this.#known) {
      const { kept, log } = known;
      if (log.end === kept.end) continue;
      if (left-- === 0) return;
      known.kept = { ...kept, end: log.end };
      this.#write(channel, known.kept);
    }
  }

  #identityOf(channel: string): string {
    const { dataDir, files } = this.#options;
    return files.stat(`${dataDir}/channels/${channel}`)?.identity ?? "";
  }

  #read(channel: string): Kept | undefined {
    const path = this.#path(channel);
    try {
      if (this.#options.files.stat(path) === undefined) return undefined;
      const json: unknown = JSON.parse(readText(this.#options.files, path));
      return isKept(json) ? json : undefined;
    } catch (error) {
      this.#options.logger.warn("could not read a channel's epoch; it gets another one", {
        path,
        error: messageOf(error),
      });
      return undefined;
    }
  }

  #write(channel: string, kept: Kept): void {
    const { files, logger } = this.#options;
    const path = this.#path(channel);
    try {
      files.makeDir(`${this.#dir}/${channel}`);
      const file = files.open(`${path}.new`, { write: true, create: true, truncate: true });
      try {
        const bytes = new TextEncoder().encode(JSON.stringify(kept));
        for (let at = 0; at < bytes.length;) at += file.writeSync(bytes.subarray(at));
      } finally {
        file.close();
      }
      files.rename(`${path}.new`, path);
    } catch (error) {
      // It holds for this process all the same; the next one will see a gap where there was none.
      logger.warn("could not keep a channel's epoch", { path, error: messageOf(error) });
    }
  }

  #path(channel: string): string {
    return `${this.#dir}/${channel}/epoch`;
  }
}

function readText(files: FileSystem, path: string): string {
  const file = files.open(path, { read: true });
  try {
    const bytes = new Uint8Array(4_096);
    let length = 0;
    for (;;) {
      const read = file.readSync(bytes.subarray(length));
      if (read === null || read === 0) break;
      length += read;
    }
    return new TextDecoder().decode(bytes.subarray(0, length));
  } finally {
    file.close();
  }
}

function isKept(json: unknown): json is Kept {
  if (typeof json !== "object" || json === null) return false;
  const { epoch, floor, identity, end } = json as Partial<Record<keyof Kept, unknown>>;
  return typeof epoch === "string" && epoch !== "" && typeof identity === "string" &&
    Number.isSafeInteger(floor) && Number.isSafeInteger(end);
}
