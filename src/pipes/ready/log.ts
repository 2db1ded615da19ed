import {
  type Clock,
  guardedLogger,
  type Logger,
  type LogLevel,
  messageOf,
  systemClock,
} from "../../base/mod.ts";
import { InvalidConfigError } from "../errors.ts";
import type { Pipe } from "../pipe.ts";
import type { PipeMessage } from "../pipe_message.ts";
import { AroundPipe, type Passing } from "./around_pipe.ts";

/** Options of {@linkcode log}. */
export interface LogOptions {
  /** Where the lines go. */
  readonly logger: Logger;
  /** Level of a message that passed; one that failed is an error. @default {"info"} */
  readonly level?: LogLevel;
  /** Whether the values are logged as well. They may be secret, and long. @default {false} */
  readonly values?: boolean;
  /** Measures; for tests. @default the computer's */
  readonly clock?: Clock;
}

/**
 * A pipe that logs one line for each message that has passed, each way: its type, channel and id, how
 * many milliseconds everything behind the pipe took, and what failed.
 *
 * @param options Where to, and what.
 * @returns The pipe.
 * @throws {InvalidConfigError} When there is no such level.
 *
 * @example
 * ```ts
 * import { consoleLogger } from "@keyop/messenger";
 * import { log } from "@keyop/messenger/pipes";
 *
 * log({ logger: consoleLogger(), values: true });
 * ```
 */
export function log(options: LogOptions): Pipe {
  return new LogPipe(options);
}

class LogPipe extends AroundPipe {
  readonly #logger: Logger;
  readonly #level: LogLevel;
  readonly #values: boolean;
  readonly #clock: Clock;

  constructor({ logger, level = "info", values = false, clock = systemClock }: LogOptions) {
    super();
    if (typeof logger?.[level] !== "function") {
      throw new InvalidConfigError(
        `Cannot make the log pipe with level ${level}: give a logger, and "debug", "info", "warn" ` +
          'or "error"',
      );
    }
    this.#logger = guardedLogger(logger);
    this.#level = level;
    this.#values = values;
    this.#clock = clock;
  }

  protected override async around(message: PipeMessage, passing: Passing): Promise<void> {
    const began = this.#clock.monotonic();
    const { type, channel, headers, value } = message;
    const fields = () => ({
      type,
      channel,
      id: headers.id,
      connection: passing.connection?.id,
      ms: Math.round((this.#clock.monotonic() - began) * 1_000) / 1_000,
      ...(this.#values && { value }),
    });
    const what = passing.way === "send" ? "sent" : "handled";
    try {
      await passing.pass(message);
    } catch (error) {
      this.#logger.error(`could not be ${what}`, { ...fields(), error: messageOf(error) });
      throw error;
    }
    this.#logger[this.#level](what, fields());
  }
}
