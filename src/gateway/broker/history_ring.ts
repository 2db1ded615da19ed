import {
  BEGINNING,
  HISTORY_PAGE_MAX,
  type HistoryFilter,
  type HistoryPage,
  type Publication,
  type StreamPosition,
} from "./broker.ts";

/** What a kept publication costs beside its data, roughly. */
const OVERHEAD_BYTES = 512;

/** The newest publications of one channel, with offsets that grow by one. */
export class HistoryRing {
  readonly epoch: string;
  readonly #size: number;
  #slots: (Publication | undefined)[] = [];
  #top = 0;
  #count = 0;
  #bytes = 0;
  #touchedMs: number;

  /**
   * @param epoch Names this life of the channel.
   * @param size Publications kept at most.
   * @param nowMs The time.
   */
  constructor(epoch: string, size: number, nowMs: number) {
    this.epoch = epoch;
    this.#size = size;
    this.#touchedMs = nowMs;
  }

  /** When the newest publication came. */
  get touchedMs(): number {
    return this.#touchedMs;
  }

  /** About how many bytes it holds. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The end. */
  get top(): StreamPosition {
    return { offset: this.#top, epoch: this.epoch };
  }

  /** The offset that the next publication gets. */
  get nextOffset(): number {
    return this.#top + 1;
  }

  /** Keeps a publication that has `nextOffset`. */
  push(publication: Publication): void {
    if (this.#count === this.#size && this.#count > 0) this.#dropOldest();
    this.#top++;
    this.#touchedMs = publication.timeMs;
    if (this.#size === 0) return;
    this.#slots[this.#top % this.#size] = publication;
    this.#count++;
    this.#bytes += costOf(publication);
  }

  /** Forgets what was published before a time; a place in the history remains one. */
  expire(beforeMs: number): void {
    for (let oldest = this.#oldest; oldest && oldest.timeMs < beforeMs; oldest = this.#oldest) {
      this.#dropOldest();
    }
  }

  /** Forgets the oldest until no more than so many bytes are held. */
  shrink(bytes: number): void {
    while (this.#bytes > bytes && this.#count > 0) this.#dropOldest();
  }

  /** Reads. */
  read({ since, limit, reverse = false }: HistoryFilter): HistoryPage {
    const top = this.top;
    const first = this.#top - this.#count + 1;
    const gap = since !== undefined && this.#isLost(since, first);
    const wanted = limit < 0 ? HISTORY_PAGE_MAX : Math.min(limit, HISTORY_PAGE_MAX);
    const publications: Publication[] = [];
    const step = reverse ? -1 : 1;
    let at = since === undefined || gap ? (reverse ? this.#top : first) : since.offset + step;
    if (!reverse && at < first) at = first;
    if (reverse && at > this.#top) at = this.#top;
    for (; at >= first && at <= this.#top && publications.length < wanted; at += step) {
      publications.push(this.#slots[at % this.#size]!);
    }
    return { publications, top, gap, more: at >= first && at <= this.#top };
  }

  get #oldest(): Publication | undefined {
    return this.#count === 0 ? undefined : this.#slots[(this.#top - this.#count + 1) % this.#size];
  }

  #dropOldest(): void {
    const index = (this.#top - this.#count + 1) % this.#size;
    this.#bytes -= costOf(this.#slots[index]!);
    this.#slots[index] = undefined;
    this.#count--;
  }

  /** Whether something that followed the position is not kept any more. */
  #isLost(since: StreamPosition, first: number): boolean {
    if (since.epoch !== this.epoch && !isBeginning(since)) return true;
    // A position beyond the end is of a life that went on after this one's copy was made.
    return since.offset > this.#top || since.offset + 1 < first;
  }
}

/** Whether a position is the beginning of any history. */
export function isBeginning({ offset, epoch }: StreamPosition): boolean {
  return offset === BEGINNING.offset && epoch === BEGINNING.epoch;
}

function costOf({ channel, event }: Publication): number {
  return OVERHEAD_BYTES + event.data.length + 2 * (channel.length + event.type.length);
}
