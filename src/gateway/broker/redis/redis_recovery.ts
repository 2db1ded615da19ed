import { type Logger, messageOf } from "../../../base/mod.ts";
import type { PatternIndex } from "../../pattern/mod.ts";
import type { HistoryPage, Publication, StreamPosition } from "../broker.ts";
import { channelOfStream, keys, streamPattern } from "./keys.ts";
import type { OffsetTracks } from "./offset_tracks.ts";
import type { RedisLink } from "./redis_link.ts";
import type { ScriptedRedis } from "./scripts.ts";
import { decodePayload } from "./wire.ts";

const PAGE = 1_000;
const AT_ONCE = 16;
const SCAN_COUNT = 1_000;
/** Streams that are looked through for channels that came to exist while nobody listened. */
const STREAMS_MAX = 100_000;
const PEEKED = 50;

/** A page of history that tells apart what nodes of the original wrote. */
export interface MixedPage extends Omit<HistoryPage, "publications"> {
  readonly publications: readonly {
    readonly publication: Publication;
    readonly isForeign: boolean;
  }[];
}

/** What a {@linkcode RedisRecovery} works with. */
export interface RedisRecoveryOptions {
  readonly link: RedisLink;
  readonly client: ScriptedRedis;
  readonly tracks: OffsetTracks;
  /** The patterns that are subscribed to, with Redis' time when each was (ms since 1970). */
  readonly patterns: PatternIndex<number>;
  readonly readHistory: (
    channel: string,
    filter: { readonly since: StreamPosition; readonly limit: number },
  ) => Promise<MixedPage>;
  readonly deliver: (publication: Publication) => void;
  readonly interrupted: (channelOrPattern: string, complete: boolean) => void;
  readonly logger: Logger;
}

/** Fetches what was published while the subscriptions were cut, or was not delivered. */
export class RedisRecovery {
  readonly #options: RedisRecoveryOptions;

  /** @param options Where it comes from, and who gets it. */
  constructor(options: RedisRecoveryOptions) {
    this.#options = options;
  }

  /** Holds back everything: the connection was lost. */
  begin(): void {
    const { tracks } = this.#options;
    tracks.holdUnknown();
    for (const channel of tracks.channels()) tracks.hold(channel);
  }

  /** Fetches what was missed of everything, and tells. The subscriptions are there again. */
  async restore(): Promise<void> {
    const { interrupted, patterns, tracks } = this.#options;
    await this.#inParallel(tracks.channels(), async (channel) => {
      interrupted(channel, await this.catchUp(channel));
    });
    const names = Array.from(patterns.entries(), ([pattern]) => pattern);
    const missing = names.length === 0 ? new Set<string>() : await this.#catchUpUnknown(names);
    for (const pattern of names) interrupted(pattern, !missing.has(pattern));
  }

  /** Fetches what is missing of a channel and releases what is held. @returns Whether that was all. */
  async catchUp(channel: string): Promise<boolean> {
    const { deliver, logger, readHistory, tracks } = this.#options;
    let complete = true;
    tracks.hold(channel);
    try {
      for (let more = true; more;) {
        const since = tracks.placeOf(channel);
        if (since === undefined) break;
        const page = await readHistory(channel, { since, limit: PAGE });
        let moved = false;
        for (const { publication, isForeign } of page.publications) {
          // One of an original node has no number: it may have been delivered already.
          if (isForeign || publication.offset === 0) complete = false;
          else if (tracks.take(publication)) {
            moved = true;
            deliver(publication);
          }
        }
        if (page.gap) complete = false;
        more = page.more && moved;
      }
    } catch (error) {
      complete = false;
      logger.warn("could not fetch from Redis what was missed", {
        channel,
        error: messageOf(error),
      });
    }
    const released = tracks.release(channel);
    for (const publication of released.publications) deliver(publication);
    return complete && released.complete;
  }

  /**
   * Fetches channels of patterns of which nothing was ever delivered: all that they hold since the
   * pattern was subscribed to is missing.
   *
   * @returns The patterns of which something may be missing all the same.
   */
  async #catchUpUnknown(names: readonly string[]): Promise<Set<string>> {
    const { tracks } = this.#options;
    const missing = new Set<string>();
    const channels = new Set<string>();
    for (const pattern of names) {
      // A channel whose place was forgotten would be taken for one that is unknown.
      const all = !tracks.hasForgotten && await this.#scan(pattern, channels);
      if (!all) missing.add(pattern);
    }
    await this.#inParallel([...channels], async (channel) => {
      if (!await this.#catchUpNew(channel)) { for (const name of names) missing.add(name); }
    });
    for (const channel of tracks.releaseUnknown()) {
      if (!await this.#catchUpNew(channel)) { for (const name of names) missing.add(name); }
    }
    return missing;
  }

  /** Adds the channels of a pattern that have a stream and no place. @returns Whether all were seen. */
  async #scan(pattern: string, channels: Set<string>): Promise<boolean> {
    const { client, link, patterns, tracks } = this.#options;
    let cursor = "0";
    let seen = 0;
    do {
      const at = cursor;
      const [next, found] = await link.send(
        "list channels",
        () => client.scan(at, "MATCH", streamPattern(pattern), "COUNT", SCAN_COUNT),
      );
      for (const channel of found.map(channelOfStream)) {
        if (tracks.placeOf(channel) !== undefined || patterns.match(channel).length === 0) continue;
        channels.add(channel);
      }
      cursor = next;
      if ((seen += found.length) > STREAMS_MAX) return false;
    } while (cursor !== "0");
    return true;
  }

  async #catchUpNew(channel: string): Promise<boolean> {
    const { patterns, tracks } = this.#options;
    const since = Math.min(...patterns.match(channel));
    const first = Number.isFinite(since) ? await this.#firstNumbered(channel, since) : undefined;
    if (first !== undefined) {
      tracks.place(channel, { offset: first.offset - 1, epoch: first.epoch });
    }
    if (tracks.placeOf(channel) === undefined) {
      // Nothing of it is kept; what is held is all that there is.
      for (const publication of tracks.release(channel).publications) {
        this.#options.deliver(publication);
      }
      return true;
    }
    return await this.catchUp(channel);
  }

  /** The first numbered publication of a stream since a time by Redis' clock. */
  async #firstNumbered(channel: string, sinceMs: number): Promise<Publication | undefined> {
    const { client, link } = this.#options;
    for (let from = String(sinceMs);;) {
      const start = from;
      const entries = await link.send(
        "read history",
        () => client.xrange(keys.stream(channel), start, "+", "COUNT", PEEKED),
      );
      for (const [, fields] of entries) {
        const text = fields[fields.indexOf("data") + 1] ?? "";
        const payload = decodePayload(channel, text, { id: () => "", timeMs: () => 0 });
        if (payload?.kind === "publication" && payload.publication.offset > 0) {
          return payload.publication;
        }
      }
      if (entries.length < PEEKED) return undefined;
      from = `(${entries.at(-1)![0]}`;
    }
  }

  async #inParallel(names: string[], run: (name: string) => Promise<void>): Promise<void> {
    const work = async () => {
      for (let name = names.pop(); name !== undefined; name = names.pop()) await run(name);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  }
}
