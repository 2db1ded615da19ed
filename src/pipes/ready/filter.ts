import { InvalidConfigError } from "../errors.ts";
import type { Pipe } from "../pipe.ts";
import type { PipeMessage } from "../pipe_message.ts";
import { AroundPipe, type Passing } from "./around_pipe.ts";

/** Whether a message may pass. */
export type Predicate = (message: PipeMessage) => boolean | Promise<boolean>;

/** What {@linkcode filter} lets pass. */
export interface FilterOptions {
  /** Of what is sent. @default everything */
  readonly send?: Predicate;
  /** Of what is received. @default everything */
  readonly handle?: Predicate;
}

/**
 * A pipe that stops messages. What it stops on the way in is done with, as if it had been handled;
 * what it stops on the way out is not sent: around a messenger `publish` rejects with
 * `PublishStoppedError`.
 *
 * @param passes Which messages pass, both ways, or one function for each way. What it throws fails the
 *   message.
 * @returns The pipe.
 * @throws {InvalidConfigError} When there is no such function.
 *
 * @example Only readings that are above zero reach the handlers
 * ```ts
 * import { filter } from "@keyop/messenger/pipes";
 *
 * filter({ handle: ({ value }) => (value as { celsius: number }).celsius > 0 });
 * ```
 */
export function filter(passes: Predicate | FilterOptions): Pipe {
  return new FilterPipe(
    typeof passes === "function" ? { send: passes, handle: passes } : passes,
  );
}

class FilterPipe extends AroundPipe {
  readonly #passes: FilterOptions;

  constructor(passes: FilterOptions) {
    super();
    for (const predicate of [passes.send, passes.handle]) {
      if (predicate === undefined || typeof predicate === "function") continue;
      throw new InvalidConfigError("Cannot make the filter pipe: give functions");
    }
    this.#passes = passes;
  }

  protected override async around(message: PipeMessage, passing: Passing): Promise<void> {
    const predicate = this.#passes[passing.way];
    if (predicate === undefined || await predicate(message)) await passing.pass(message);
  }
}
