import { type Random, systemRandom } from "../base/mod.ts";
import { IdWords } from "./id_words.ts";

/** The most ids that a {@linkcode SeenIds} can be asked to remember. */
export const SEEN_IDS_CAPACITY_MAX = 10_000_000;

const NONE = -1;

// One entry is eight 32-bit numbers, half a cache line: the id's four words, then these.
const STRIDE = 8;
/** The next entry in the same bucket. */
const CHAIN = 4;
/** The entry that was added next; in an entry that is not in use, the next such one. */
const YOUNGER = 5;
/** The entry that was added before. */
const OLDER = 6;
/** The bucket that the entry is in. */
const BUCKET = 7;

/**
 * A bounded memory of ids: it remembers the last `capacity` different ones exactly, and forgets the
 * least recently added first. Asking with `has` does not count as use; `add` does.
 *
 * It is a hash table and a list by age in one preallocated array of integers. A `Map` would do the
 * same in a few lines, but finding its oldest key walks over every entry deleted since it last grew,
 * and 100,000 strings that come and go keep the garbage collector busy.
 */
export class SeenIds {
  /** How many ids are remembered at most. */
  readonly capacity: number;
  readonly #entries: Int32Array;
  /** The first entry of each bucket, plus 1; 0 in an empty one. */
  readonly #buckets: Int32Array;
  /** The ids whose words are only a hash, by entry. */
  readonly #texts = new Map<number, string>();
  readonly #sought = new IdWords();
  readonly #seed: number;
  #size = 0;
  #youngest = NONE;
  #oldest = NONE;
  #freed = NONE;
  /** Entries from this one on have never been in use. */
  #untouched = 0;

  /**
   * @param capacity How many ids to remember, from 1 to {@linkcode SEEN_IDS_CAPACITY_MAX}. Takes 36 to
   * 40 bytes of memory each, and more only for ids that are no lower-case UUIDs.
   * @param random Seeds the hash, so that nobody can choose ids that crowd one bucket.
   * @throws {RangeError} When the capacity is no integer in that range.
   */
  constructor(capacity: number, random: Random = systemRandom) {
    if (!Number.isInteger(capacity) || capacity < 1 || capacity > SEEN_IDS_CAPACITY_MAX) {
      throw new RangeError(
        `Cannot remember ${capacity} ids: the capacity is an integer from 1 to ${SEEN_IDS_CAPACITY_MAX}`,
      );
    }
    let buckets = 1;
    while (buckets < capacity) buckets *= 2;
    const seed = new Uint8Array(4);
    random.fill(seed);
    this.capacity = capacity;
    this.#entries = new Int32Array(capacity * STRIDE);
    this.#buckets = new Int32Array(buckets);
    this.#seed = new DataView(seed.buffer).getInt32(0);
  }

  /** How many ids are remembered now. */
  get size(): number {
    return this.#size;
  }

  /** Whether the id is remembered. */
  has(id: string): boolean {
    return this.#find(id, this.#bucketOf(id)) !== NONE;
  }

  /**
   * Remembers the id as the youngest, and forgets the oldest when there is no room.
   *
   * @param id The id.
   * @returns Whether it was new.
   */
  add(id: string): boolean {
    const bucket = this.#bucketOf(id);
    const known = this.#find(id, bucket);
    if (known !== NONE) {
      if (known !== this.#youngest) {
        this.#leaveAges(known);
        this.#joinAges(known);
      }
      return false;
    }
    const entry = this.#takeEntry();
    this.#joinBucket(entry, id, bucket);
    this.#joinAges(entry);
    this.#size++;
    return true;
  }

  /**
   * Forgets the id.
   *
   * @param id The id.
   * @returns Whether it was remembered.
   */
  delete(id: string): boolean {
    const entry = this.#find(id, this.#bucketOf(id));
    if (entry === NONE) return false;
    this.#remove(entry);
    this.#entries[entry * STRIDE + YOUNGER] = this.#freed;
    this.#freed = entry;
    return true;
  }

  /** Forgets every id. */
  clear(): void {
    this.#buckets.fill(0);
    this.#texts.clear();
    this.#youngest = this.#oldest = this.#freed = NONE;
    this.#size = this.#untouched = 0;
  }

  /** Reads the id, to be found or joined next, and says which bucket it belongs to. */
  #bucketOf(id: string): number {
    const sought = this.#sought;
    sought.read(id);
    let hash = this.#seed ^ sought.w0;
    hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b) ^ sought.w1;
    hash = Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35) ^ sought.w2;
    hash = Math.imul(hash ^ (hash >>> 16), 0x27d4eb2f) ^ sought.w3;
    hash = Math.imul(hash ^ (hash >>> 15), 0x165667b1);
    return (hash ^ (hash >>> 16)) & (this.#buckets.length - 1);
  }

  #find(id: string, bucket: number): number {
    const entries = this.#entries;
    const { w0, w1, w2, w3, exact } = this.#sought;
    let entry = this.#buckets[bucket]! - 1;
    while (entry !== NONE) {
      const at = entry * STRIDE;
      if (
        entries[at] === w0 && entries[at + 1] === w1 && entries[at + 2] === w2 &&
        entries[at + 3] === w3
      ) {
        const text = this.#texts.size === 0 ? undefined : this.#texts.get(entry);
        if (exact ? text === undefined : text === id) return entry;
      }
      entry = entries[at + CHAIN]!;
    }
    return NONE;
  }

  /** An entry that is not in use: a freed one, one never used, or the oldest id's. */
  #takeEntry(): number {
    const freed = this.#freed;
    if (freed !== NONE) {
      this.#freed = this.#entries[freed * STRIDE + YOUNGER]!;
      return freed;
    }
    if (this.#untouched < this.capacity) return this.#untouched++;
    const oldest = this.#oldest;
    this.#remove(oldest);
    return oldest;
  }

  #remove(entry: number): void {
    this.#leaveBucket(entry);
    this.#leaveAges(entry);
    this.#size--;
  }

  #joinBucket(entry: number, id: string, bucket: number): void {
    const at = entry * STRIDE;
    const entries = this.#entries;
    entries[at] = this.#sought.w0;
    entries[at + 1] = this.#sought.w1;
    entries[at + 2] = this.#sought.w2;
    entries[at + 3] = this.#sought.w3;
    entries[at + CHAIN] = this.#buckets[bucket]! - 1;
    entries[at + BUCKET] = bucket;
    this.#buckets[bucket] = entry + 1;
    if (!this.#sought.exact) this.#texts.set(entry, id);
  }

  #leaveBucket(entry: number): void {
    const entries = this.#entries;
    const next = entries[entry * STRIDE + CHAIN]!;
    const bucket = entries[entry * STRIDE + BUCKET]!;
    let before = this.#buckets[bucket]! - 1;
    if (before === entry) {
      this.#buckets[bucket] = next + 1;
    } else {
      while (entries[before * STRIDE + CHAIN] !== entry) before = entries[before * STRIDE + CHAIN]!;
      entries[before * STRIDE + CHAIN] = next;
    }
    if (this.#texts.size > 0) this.#texts.delete(entry);
  }

  #joinAges(entry: number): void {
    const youngest = this.#youngest;
    this.#entries[entry * STRIDE + OLDER] = youngest;
    this.#entries[entry * STRIDE + YOUNGER] = NONE;
    if (youngest === NONE) this.#oldest = entry;
    else this.#entries[youngest * STRIDE + YOUNGER] = entry;
    this.#youngest = entry;
  }

  #leaveAges(entry: number): void {
    const older = this.#entries[entry * STRIDE + OLDER]!;
    const younger = this.#entries[entry * STRIDE + YOUNGER]!;
    if (older === NONE) this.#oldest = younger;
    else this.#entries[older * STRIDE + YOUNGER] = younger;
    if (younger === NONE) this.#youngest = older;
    else this.#entries[younger * STRIDE + OLDER] = older;
  }
}
