import { InvalidConfigError } from "../errors.ts";
import type { Pipe } from "../pipe.ts";
import { PipeMessage } from "../pipe_message.ts";
import { AroundPipe, type Passing } from "./around_pipe.ts";

/** Makes another message of a message, with `message.with(…)`. */
export type Mapping = (message: PipeMessage) => PipeMessage | Promise<PipeMessage>;

/** How {@linkcode map} changes messages. */
export interface MapOptions {
  /** What is sent. @default as it is */
  readonly send?: Mapping;
  /** What is received. @default as it is */
  readonly handle?: Mapping;
}

/**
 * A pipe that changes messages.
 *
 * @param mappings A function for each way. What it throws fails the message.
 * @returns The pipe.
 * @throws {InvalidConfigError} When there is no such function.
 *
 * @example Temperatures are sent in kelvin and handled in degrees Celsius
 * ```ts
 * import { map } from "@keyop/messenger/pipes";
 *
 * map({
 *   send: (message) => message.with(message.value as number + 273.15),
 *   handle: (message) => message.with(message.value as number - 273.15),
 * });
 * ```
 */
export function map(mappings: MapOptions): Pipe {
  return new MapPipe(mappings);
}

class MapPipe extends AroundPipe {
  readonly #mappings: MapOptions;

  constructor(mappings: MapOptions) {
    super();
    for (const mapping of [mappings.send, mappings.handle]) {
      if (mapping === undefined || typeof mapping === "function") continue;
      throw new InvalidConfigError("Cannot make the map pipe: give functions");
    }
    this.#mappings = mappings;
  }

  protected override async around(message: PipeMessage, passing: Passing): Promise<void> {
    const mapped = await (this.#mappings[passing.way]?.(message) ?? message);
    if (!(mapped instanceof PipeMessage)) {
      throw new InvalidConfigError(
        "Cannot pass on what the map pipe's function gave: give message.with(…)",
      );
    }
    await passing.pass(mapped);
  }
}
