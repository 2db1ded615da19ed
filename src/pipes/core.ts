/**
 * The pipes alone, without the broker and what it loads: all that a messenger needs of this room, so
 * that one without links asks for no permission of theirs. A second front door, as `mod.ts` is the first.
 *
 * @module
 */
export { InvalidConfigError } from "./errors.ts";
export { Pipe, type PipeConnection, type PipeHost, type PipeSendOptions } from "./pipe.ts";
export { PipeChain, type PipeEnds } from "./pipe_chain.ts";
export { chainOfMessage, PipeMessage, type PipeMessageChange } from "./pipe_message.ts";
