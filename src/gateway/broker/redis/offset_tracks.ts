import type { Publication, StreamPosition } from "../broker.ts";

/** Channels that are followed by patterns alone and whose place is remembered. */
const LOOSE_MAX = 10_000;
/** Publications of one channel that wait for those before them. */
const HELD_MAX = 10_000;

/** What becomes of a publication that arrives. */
export type Verdict =
  /** It is the next one. */
  | "deliver"
  /** It was delivered already. */
  | "drop"
  /** It waits until those before it have been fetched. */
  | "held"
  /** As `held`; and nobody fetches them yet. */
  | "hole";

interface Track {
  /** Undefined while nobody knows from where on the channel's publications are missing. */
  seq: number | undefined;
  epoch: string;
  /** Publications that wait; undefined when none has to. */
  held: Publication[] | undefined;
  /** Whether some of those that waited were too many to keep. */
  overflowed: boolean;
}

/** How far each channel was delivered, so that nothing is doubled and a hole is noticed. */
export class OffsetTracks {
  /** Channels that are subscribed to by name. */
  readonly #firm = new Map<string, Track>();
  /** Others, least recently delivered first. */
  readonly #loose = new Map<string, Track>();
  #holdsUnknown = false;
  #hasForgotten = false;

  /** Whether the place of some channel had to be forgotten, so that an unknown one may be that. */
  get hasForgotten(): boolean {
    return this.#hasForgotten;
  }

  /** Begins with a channel that is subscribed to by name. */
  begin(channel: string, { offset, epoch }: StreamPosition): void {
    const track = this.#loose.get(channel) ?? newTrack(offset, epoch);
    this.#loose.delete(channel);
    this.#firm.set(channel, track);
  }

  /** The channel's own subscription has ended; a pattern may still deliver it. */
  loosen(channel: string, isWanted: boolean): void {
    const track = this.#firm.get(channel);
    if (track === undefined) return;
    this.#firm.delete(channel);
    if (isWanted) this.#setLoose(channel, track);
  }

  /** Forgets the channels that no pattern delivers any more. */
  prune(isWanted: (channel: string) => boolean): void {
    for (const channel of this.#loose.keys()) if (!isWanted(channel)) this.#loose.delete(channel);
  }

  /** Every channel with a place. */
  channels(): string[] {
    return [...this.#firm.keys(), ...this.#loose.keys()]
      .filter((channel) => this.placeOf(channel) !== undefined);
  }

  /** The place up to which a channel was delivered. */
  placeOf(channel: string): StreamPosition | undefined {
    const track = this.#find(channel);
    return track?.seq === undefined ? undefined : { offset: track.seq, epoch: track.epoch };
  }

  /** Gives a channel that has none a place. */
  place(channel: string, { offset, epoch }: StreamPosition): void {
    const track = this.#find(channel);
    if (track === undefined) this.#setLoose(channel, newTrack(offset, epoch));
    else if (track.seq === undefined) Object.assign(track, { seq: offset, epoch });
  }

  /** Holds back what arrives of channels without a place, from now on. */
  holdUnknown(): void {
    this.#holdsUnknown = true;
  }

  /** Ends that. @returns The channels that were held back and have no place yet. */
  releaseUnknown(): string[] {
    this.#holdsUnknown = false;
    return this.unplaced();
  }

  /** The channels that are held back and have no place yet. */
  unplaced(): string[] {
    return Array.from(this.#loose)
      .filter(([, track]) => track.seq === undefined)
      .map(([channel]) => channel);
  }

  /** Decides about a publication; one with offset 0 is only held back behind others. */
  arrive(publication: Publication): Verdict {
    const { channel, epoch, offset } = publication;
    const track = this.#find(channel);
    if (track === undefined) {
      if (offset === 0) return "deliver";
      const fresh = newTrack(offset, epoch);
      this.#setLoose(channel, fresh);
      if (!this.#holdsUnknown) return "deliver";
      fresh.seq = undefined;
      fresh.held = [publication];
      return "held";
    }
    if (track.held !== undefined) {
      this.#hold(track, publication);
      return "held";
    }
    if (offset === 0) return "deliver";
    const isSameLife = track.epoch === epoch;
    if (isSameLife && offset <= track.seq!) return "drop";
    // A place without an epoch is one before the first publication.
    const isNext = isSameLife ? offset === track.seq! + 1 : offset === 1;
    if (!isNext) {
      track.held = [publication];
      return "hole";
    }
    this.#advance(channel, track, publication);
    return "deliver";
  }

  /** Holds back whatever arrives of a channel, until `release`. */
  hold(channel: string): void {
    const track = this.#find(channel);
    if (track !== undefined) track.held ??= [];
  }

  /** Whether a publication that was fetched is behind the channel's place, which it then moves. */
  take(publication: Publication): boolean {
    const track = this.#find(publication.channel);
    if (track === undefined) return false;
    if (isPast(track, publication)) return false;
    this.#advance(publication.channel, track, publication);
    return true;
  }

  /** Ends holding back. @returns What is to be delivered of what waited, and whether that is all. */
  release(channel: string): { publications: Publication[]; complete: boolean } {
    const track = this.#find(channel);
    const held = track?.held;
    if (track === undefined || held === undefined) return { publications: [], complete: true };
    const complete = !track.overflowed;
    track.held = undefined;
    track.overflowed = false;
    const publications = held.filter((publication) => {
      if (publication.offset === 0) return true;
      if (isPast(track, publication)) return false;
      this.#advance(channel, track, publication);
      return true;
    });
    return { publications, complete };
  }

  #find(channel: string): Track | undefined {
    return this.#firm.get(channel) ?? this.#loose.get(channel);
  }

  #advance(channel: string, track: Track, { offset, epoch }: Publication): void {
    track.seq = offset;
    track.epoch = epoch;
    if (this.#loose.delete(channel)) this.#loose.set(channel, track);
  }

  #setLoose(channel: string, track: Track): void {
    this.#loose.set(channel, track);
    if (this.#loose.size > LOOSE_MAX) {
      this.#loose.delete(this.#loose.keys().next().value!);
      this.#hasForgotten = true;
    }
  }

  #hold(track: Track, publication: Publication): void {
    const held = track.held!;
    if (held.length >= HELD_MAX) {
      track.overflowed = true;
      held.shift();
    }
    held.push(publication);
  }
}

function isPast({ epoch, seq }: Track, publication: Publication): boolean {
  return epoch === publication.epoch && seq !== undefined && publication.offset <= seq;
}

function newTrack(seq: number, epoch: string): Track {
  return { seq, epoch, held: undefined, overflowed: false };
}
