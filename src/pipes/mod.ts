/**
 * Middleware that sees every message twice, and typed messages over connections. Pipes need no
 * permission; the broker needs net.
 *
 * @module
 */
export {
  ConnectionClosedError,
  DuplicateMessageCodeError,
  InvalidConfigError,
  InvalidEncodingError,
  InvalidMessageCodeError,
  NoConnectionsError,
} from "./errors.ts";
export { Pipe, type PipeConnection, type PipeHost, type PipeSendOptions } from "./pipe.ts";
export { PipeChain, type PipeEnds } from "./pipe_chain.ts";
export { PipeMessage, type PipeMessageChange } from "./pipe_message.ts";
