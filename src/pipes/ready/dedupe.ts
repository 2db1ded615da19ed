import { SEEN_IDS_CAPACITY_MAX, SeenIds } from "../../dedup/mod.ts";
import type { PipeConnection } from "../pipe.ts";
import type { PipeMessage } from "../pipe_message.ts";
import { AroundPipe, type Passing } from "./around_pipe.ts";
import { checkWay, minds, type Way, wholeInRange } from "./checks.ts";

/** Options of {@linkcode dedupe}. */
export interface DedupeOptions {
  /**
   * What two messages have in common that are one; undefined for a message that is not looked at. Keep
   * it short: it is kept in memory.
   * @default the message's id; a broker's messages have none
   */
  readonly key?: (message: PipeMessage) => string | undefined;
  /**
   * How many keys are remembered for each connection, and for what is sent; the oldest are forgotten.
   * 1 to 10,000,000; each takes 40 bytes from the start. @default {10_000}
   */
  readonly capacity?: number;
  /** Which way is looked at. @default {"handle"} */
  readonly way?: Way;
}

/** What a {@linkcode DedupePipe} has done. */
export interface DedupeStats {
  /** Messages that passed. */
  readonly passed: number;
  /** Messages that came again and were stopped. */
  readonly stopped: number;
}

/** Stops what has passed before. Made by {@linkcode dedupe}. */
export class DedupePipe extends AroundPipe {
  readonly #key: (message: PipeMessage) => string | undefined;
  readonly #capacity: number;
  readonly #way: Way;
  /** One memory for each subscriber, who gets what others have got as well. */
  readonly #handled = new WeakMap<PipeConnection, SeenIds>();
  #sent: SeenIds | undefined;
  #passed = 0;
  #stopped = 0;

  /**
   * Makes the pipe.
   *
   * @param options What is one, and how much is remembered.
   * @throws {InvalidConfigError} When an option is out of its range.
   */
  constructor(options: DedupeOptions = {}) {
    super();
    const { key = ({ headers }) => headers.id, capacity = 10_000, way = "handle" } = options;
    this.#capacity = wholeInRange("dedupe", "capacity", capacity, 1, SEEN_IDS_CAPACITY_MAX);
    this.#way = checkWay("dedupe", way);
    this.#key = key;
  }

  /** What the pipe has done. */
  stats(): DedupeStats {
    return { passed: this.#passed, stopped: this.#stopped };
  }

  /** Looks at one message. */
  protected override async around(message: PipeMessage, passing: Passing): Promise<void> {
    const key = minds(this.#way, passing.way) ? this.#key(message) : undefined;
    if (key === undefined) return await passing.pass(message);
    const seen = this.#seen(passing.connection);
    if (!seen.add(key)) {
      this.#stopped++;
      return;
    }
    this.#passed++;
    try {
      await passing.pass(message);
    } catch (error) {
      // It has not been handled: when it comes again, it is the first.
      seen.delete(key);
      this.#passed--;
      throw error;
    }
  }

  #seen(connection: PipeConnection | undefined): SeenIds {
    if (connection === undefined) return this.#sent ??= new SeenIds(this.#capacity);
    let seen = this.#handled.get(connection);
    if (seen === undefined) this.#handled.set(connection, seen = new SeenIds(this.#capacity));
    return seen;
  }
}

/**
 * A pipe that stops a message that has passed before: delivery is at least once, and this makes it
 * once as far as the memory reaches. It is a memory of this process: after a restart it is empty.
 *
 * @param options What is one, and how much is remembered.
 * @returns The pipe, with `stats()`.
 * @throws {InvalidConfigError} When an option is out of its range.
 *
 * @example An order is handled once, whatever its message's id is
 * ```ts
 * import { dedupe } from "@keyop/messenger/pipes";
 *
 * dedupe({ key: ({ value }) => (value as { orderId: string }).orderId });
 * ```
 */
export function dedupe(options: DedupeOptions = {}): DedupePipe {
  return new DedupePipe(options);
}
