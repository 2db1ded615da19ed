import { InvalidConfigError } from "./errors.ts";
import { Pipe, type PipeConnection, type PipeHost, type PipeSendOptions } from "./pipe.ts";
import type { PipeMessage } from "./pipe_message.ts";

/** What a chain leads to on either side. */
export interface PipeEnds {
  /** Behind the last pipe, on the way in. */
  handle(connection: PipeConnection, message: PipeMessage): Promise<void>;
  /** Before the first pipe, on the way out. */
  send(
    message: PipeMessage,
    connections: readonly PipeConnection[],
    options?: PipeSendOptions,
  ): Promise<void>;
  /**
   * What a message becomes that a pipe sends: one that came in, and goes out as an answer, may need an
   * identity of its own. Left out, it stays the same.
   */
  outgoing?(message: PipeMessage): PipeMessage;
}

/** The pipes of one broker or messenger, in order, between the wire and the program. */
export class PipeChain {
  readonly #pipes: readonly Pipe[];
  readonly #ends: PipeEnds;

  /**
   * Makes the chain; its pipes are told nothing yet.
   *
   * @param pipes The pipes; the first is nearest to the wire.
   * @param ends The wire and the program.
   * @throws {InvalidConfigError} When one is no pipe, or is in it twice.
   */
  constructor(pipes: readonly Pipe[], ends: PipeEnds) {
    for (const [index, pipe] of pipes.entries()) {
      if (!(pipe instanceof Pipe)) {
        throw new InvalidConfigError(`Cannot use pipe ${index}: it does not extend Pipe`);
      }
      if (pipes.indexOf(pipe) !== index) {
        throw new InvalidConfigError(
          `Cannot use the pipe ${pipe.constructor.name} twice in a row of pipes: make another one`,
        );
      }
    }
    this.#pipes = [...pipes];
    this.#ends = ends;
  }

  /** How many pipes there are. */
  get length(): number {
    return this.#pipes.length;
  }

  /** A message comes from the wire. */
  handle(connection: PipeConnection, message: PipeMessage): Promise<void> {
    return this.#handleFrom(0, connection, message);
  }

  /** A message comes from the program. */
  send(
    message: PipeMessage,
    connections: readonly PipeConnection[],
    options?: PipeSendOptions,
  ): Promise<void> {
    return this.#sendFrom(this.#pipes.length - 1, message, connections, options);
  }

  /** The pipe passes a message on, inwards. */
  passIn(pipe: Pipe, connection: PipeConnection, message: PipeMessage): Promise<void> {
    return this.#handleFrom(this.#indexOf(pipe) + 1, connection, message);
  }

  /** The pipe passes a message on, outwards. */
  passOut(
    pipe: Pipe,
    message: PipeMessage,
    connections: readonly PipeConnection[],
    options?: PipeSendOptions,
  ): Promise<void> {
    const outgoing = this.#ends.outgoing?.(message) ?? message;
    return this.#sendFrom(this.#indexOf(pipe) - 1, outgoing, connections, options);
  }

  /** Tells every pipe. */
  attached(host: PipeHost): void {
    for (const pipe of this.#pipes) pipe.attached(host);
  }

  /** Tells every pipe. */
  opened(connection: PipeConnection, host: PipeHost): void {
    for (const pipe of this.#pipes) pipe.opened(connection, host);
  }

  /** Tells every pipe. */
  closed(connection: PipeConnection, host: PipeHost): void {
    for (const pipe of this.#pipes) pipe.closed(connection, host);
  }

  /** Tells every pipe. */
  detached(host: PipeHost): void {
    for (const pipe of this.#pipes) pipe.detached(host);
  }

  #handleFrom(index: number, connection: PipeConnection, message: PipeMessage): Promise<void> {
    const next = index < this.#pipes.length ? this.#pipes[index]! : this.#ends;
    try {
      return next.handle(connection, message);
    } catch (error) {
      // Whoever passes a message on need not ask whether the next is an asynchronous function.
      return Promise.reject(error);
    }
  }

  #sendFrom(
    index: number,
    message: PipeMessage,
    connections: readonly PipeConnection[],
    options: PipeSendOptions | undefined,
  ): Promise<void> {
    const next = index >= 0 ? this.#pipes[index]! : this.#ends;
    try {
      return next.send(message, connections, options);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #indexOf(pipe: Pipe): number {
    // They are few: a search built in costs more to call.
    for (let index = 0; index < this.#pipes.length; index++) {
      if (this.#pipes[index] === pipe) return index;
    }
    throw new InvalidConfigError(
      `The pipe ${pipe.constructor.name} cannot pass on a message that travels along other pipes: ` +
        "give it to that broker or messenger",
    );
  }
}
