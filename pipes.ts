/**
 * Pipes: middleware that sees every message twice, on its way out of the program and on its way in.
 * The same pipes work around a `Messenger` and in the typed broker of this module.
 *
 * @module
 */
export { MessengerError } from "./src/base/mod.ts";
export {
  ConnectionClosedError,
  DuplicateMessageCodeError,
  InvalidConfigError,
  InvalidEncodingError,
  InvalidMessageCodeError,
  NoConnectionsError,
  Pipe,
  PipeChain,
  type PipeConnection,
  type PipeEnds,
  type PipeHost,
  PipeMessage,
  type PipeMessageChange,
  type PipeSendOptions,
} from "./src/pipes/mod.ts";
