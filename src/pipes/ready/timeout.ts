import { type Clock, systemClock } from "../../base/mod.ts";
import { InvalidConfigError } from "../errors.ts";
import type { Pipe } from "../pipe.ts";
import type { PipeMessage } from "../pipe_message.ts";
import { AroundPipe, type Passing } from "./around_pipe.ts";
import { inRange } from "./checks.ts";
import { PipeTimeoutError } from "./errors.ts";

/** The longest time that a timer takes. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** Options of {@linkcode timeout}. At least one of the times is given. */
export interface TimeoutOptions {
  /** Milliseconds that sending may take, from 1. @default no limit */
  readonly sendMs?: number;
  /** Milliseconds that handling may take, from 1. @default no limit */
  readonly handleMs?: number;
  /** Measures; for tests. @default the computer's */
  readonly clock?: Clock;
}

/**
 * A pipe that gives up a message for which everything behind it takes too long: it fails with
 * {@linkcode PipeTimeoutError}. What is being sent is told by the signal of the pipes' options, and is not
 * stored any more; a handler cannot be stopped, and may run on while its message comes again.
 *
 * @param options How long.
 * @returns The pipe.
 * @throws {InvalidConfigError} When no time is given, or one is out of its range.
 *
 * @example
 * ```ts
 * import { timeout } from "@keyop/messenger/pipes";
 *
 * timeout({ handleMs: 30_000 });
 * ```
 */
export function timeout(options: TimeoutOptions): Pipe {
  return new TimeoutPipe(options);
}

class TimeoutPipe extends AroundPipe {
  readonly #limits: { readonly send: number | undefined; readonly handle: number | undefined };
  readonly #clock: Clock;

  constructor({ sendMs, handleMs, clock = systemClock }: TimeoutOptions) {
    super();
    if (sendMs === undefined && handleMs === undefined) {
      throw new InvalidConfigError("Cannot make the timeout pipe: give sendMs or handleMs");
    }
    if (sendMs !== undefined) inRange("timeout", "sendMs", sendMs, 1, TIMER_MAX_MS);
    if (handleMs !== undefined) inRange("timeout", "handleMs", handleMs, 1, TIMER_MAX_MS);
    this.#limits = { send: sendMs, handle: handleMs };
    this.#clock = clock;
  }

  protected override around(message: PipeMessage, passing: Passing): Promise<void> {
    const { way, signal } = passing;
    const limitMs = this.#limits[way];
    if (limitMs === undefined) return passing.pass(message);
    return new Promise((resolve, reject) => {
      const over = new AbortController();
      const timer = this.#clock.after(limitMs, () => {
        const error = new PipeTimeoutError(message, way, limitMs);
        over.abort(error);
        reject(error);
      });
      const signals = signal === undefined ? over.signal : AbortSignal.any([signal, over.signal]);
      passing.pass(message, signals).then(resolve, reject).finally(() => timer.cancel());
    });
  }
}
