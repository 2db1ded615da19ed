import type { Logger } from "../../base/mod.ts";
import { messageOf } from "../../base/mod.ts";
import type { Broker, Publication, StreamPosition } from "../broker/mod.ts";
import type { Codec, DataForm } from "../codec/mod.ts";
import type { Delivery } from "./delivery.ts";
import type { Outbox } from "./outbox.ts";
import type { Frame } from "./ports.ts";
import { type RecoverPlan, REPLAY_PAGE } from "./recovery.ts";

/** Publications in one replayed frame. */
const BATCH_MESSAGES = 64;
/** Bytes of data from which on a replayed frame takes no more. */
const BATCH_BYTES = 32_768;

/** Live publications of one channel that wait until its replay is done. */
interface Hold {
  readonly plan: RecoverPlan;
  /** What was replayed up to. */
  cursor: StreamPosition;
  /** Publications without an offset that were replayed behind the cursor. */
  readonly unnumbered: Set<string>;
  waiting: Delivery[];
  /** Whether some that waited were given up, to be read from the history. */
  hasDropped: boolean;
  isDone: boolean;
  isCancelled: boolean;
}

/** What a replay needs. */
export interface ReplaysOptions {
  readonly broker: Broker;
  readonly codec: Codec;
  readonly form: DataForm;
  readonly outbox: Outbox;
  /** Live publications of one channel that may wait. */
  readonly heldMax: number;
  readonly logger: Logger;
  readonly now: () => number;
  /** Sends a frame, and ends the session when it does not fit. */
  readonly send: (frame: Frame) => void;
  /** History was trimmed faster than it was replayed, or could not be read. */
  readonly onFailed: () => void;
}

/**
 * The replays of one session. Live publications of a channel wait while it is replayed; what waited
 * and was replayed is dropped, the rest follows: nothing is lost and nothing comes twice.
 */
export class Replays {
  readonly #options: ReplaysOptions;
  readonly #holds = new Map<string, Hold>();
  readonly #queue: Hold[] = [];
  #isRunning = false;
  #isClosed = false;

  constructor(options: ReplaysOptions) {
    this.#options = options;
  }

  /** Takes a live publication that must not be delivered now, or ever. @returns Whether it did. */
  takes(delivery: Delivery): boolean {
    const { publication } = delivery;
    const hold = this.#holds.get(publication.channel);
    if (hold === undefined) return false;
    if (!hold.isDone) {
      if (hold.waiting.length >= this.#options.heldMax) {
        hold.waiting = [];
        hold.hasDropped = true;
      }
      hold.waiting.push(delivery);
      return true;
    }
    if (publication.offset === 0) return false;
    if (isReplayed(publication, hold.cursor)) return true;
    // From here on everything is newer.
    this.#holds.delete(publication.channel);
    return false;
  }

  /** Holds a channel and replays it soon. To be followed by the acknowledgement, then by `run`. */
  add(plan: RecoverPlan): void {
    this.cancel(plan.channel);
    const hold: Hold = {
      plan,
      cursor: plan.from,
      unnumbered: new Set(),
      waiting: [],
      hasDropped: false,
      isDone: false,
      isCancelled: false,
    };
    this.#holds.set(plan.channel, hold);
    this.#queue.push(hold);
  }

  /** Replays what was added. */
  run(): void {
    if (this.#isRunning) return;
    this.#isRunning = true;
    this.#work().catch((error) => {
      this.#options.logger.warn("replay failed", { error: messageOf(error) });
      this.#options.onFailed();
    }).finally(() => this.#isRunning = false);
  }

  /** The channel is not subscribed to any more. */
  cancel(channel: string): void {
    const hold = this.#holds.get(channel);
    if (hold === undefined) return;
    hold.isCancelled = true;
    this.#holds.delete(channel);
  }

  /** Cancels every channel that is not covered any more. */
  cancelUncovered(covers: (channel: string) => boolean): void {
    for (const channel of this.#holds.keys()) if (!covers(channel)) this.cancel(channel);
  }

  /** Ends all. */
  close(): void {
    this.#isClosed = true;
    for (const channel of this.#holds.keys()) this.cancel(channel);
  }

  async #work(): Promise<void> {
    for (let hold = this.#queue.shift(); hold; hold = this.#queue.shift()) {
      await this.#replay(hold);
    }
  }

  async #replay(hold: Hold): Promise<void> {
    const { broker, outbox, onFailed } = this.#options;
    const { channel } = hold.plan;
    let page = hold.plan.page;
    for (let isFirst = true; !hold.isCancelled && !this.#isClosed; isFirst = false) {
      page ??= await broker.history(channel, { since: hold.cursor, limit: REPLAY_PAGE });
      if (hold.isCancelled || this.#isClosed) return;
      if (page.gap && !isFirst) return onFailed();
      // What nodes without offsets wrote behind the cursor is in the next page once more.
      const publications = page.publications.filter(({ id }) => !hold.unnumbered.has(id));
      if (publications.length > 0) {
        if (!await this.#sendPage(hold, publications)) return;
      } else {
        await outbox.room();
        if (!hold.hasDropped) {
          // Where nothing is kept, what came meanwhile is the only copy.
          if (page.gap) hold.cursor = hold.plan.top;
          return this.#release(hold);
        }
        hold.waiting = [];
        hold.hasDropped = false;
      }
      page = undefined;
    }
  }

  async #sendPage(hold: Hold, publications: readonly Publication[]): Promise<boolean> {
    const { outbox, send, codec, form, now } = this.#options;
    for (let at = 0; at < publications.length;) {
      await outbox.room();
      if (hold.isCancelled || this.#isClosed) return false;
      const end = batchEnd(publications, at);
      const batch = publications.slice(at, end);
      const head = { id: crypto.randomUUID(), timeMs: now() };
      send({ bytes: codec.encodePublications(head, batch, { data: form, replay: true }) });
      for (const { id, offset, epoch } of batch) {
        if (offset === 0) {
          hold.unnumbered.add(id);
        } else {
          hold.unnumbered.clear();
          hold.cursor = { offset, epoch };
        }
      }
      at = end;
    }
    return true;
  }

  #release(hold: Hold): void {
    if (hold.isCancelled) return;
    hold.isDone = true;
    const { waiting } = hold;
    hold.waiting = [];
    for (const delivery of waiting) {
      if (this.#isClosed) return;
      if (this.takes(delivery)) continue;
      this.#options.send(delivery.frame(this.#options.codec));
    }
  }
}

function isReplayed({ offset, epoch }: Publication, cursor: StreamPosition): boolean {
  return offset !== 0 && epoch === cursor.epoch && offset <= cursor.offset;
}

function batchEnd(publications: readonly Publication[], from: number): number {
  let bytes = 0;
  let at = from;
  while (at < publications.length && at - from < BATCH_MESSAGES && bytes < BATCH_BYTES) {
    bytes += publications[at++]!.event.data.length;
  }
  return at;
}
