/**
 * Middleware that sees every message twice, and typed messages over connections. Pipes need no
 * permission; the broker needs net.
 *
 * @module
 */
export type { BrokerOptions } from "./broker_options.ts";
export type { Connection } from "./connection.ts";
export {
  defineMessage,
  type MessageDefinition,
  type MessageOptions,
  type MessageType,
  type TypedMessage,
} from "./define_message.ts";
export type { EncodingName } from "./encoding.ts";
export type { ConnectOptions, ConnectTls, ServeInfo, ServeOptions, ServeTls } from "./endpoint.ts";
export {
  ConnectFailedError,
  ConnectionClosedError,
  DuplicateMessageCodeError,
  InvalidConfigError,
  InvalidEncodingError,
  InvalidMessageCodeError,
  InvalidTopicError,
  NoConnectionsError,
  TopicRefusedError,
} from "./errors.ts";
export { type BrokerStats, MessageBroker } from "./message_broker.ts";
export { firstOf, type Pattern, publish, random, roundRobin } from "./patterns.ts";
export { Pipe, type PipeConnection, type PipeHost, type PipeSendOptions } from "./pipe.ts";
export { PipeChain, type PipeEnds } from "./pipe_chain.ts";
export { PipeMessage, type PipeMessageChange } from "./pipe_message.ts";
export { TopicPipe, type TopicPipeOptions } from "./topic_pipe.ts";
