/**
 * Pipes: middleware that sees every message twice, on its way out of the program and on its way in.
 * The same pipes work around a `Messenger` and in the {@linkcode MessageBroker}, which carries registered
 * types of message over WebSockets.
 *
 * ```ts
 * import { defineMessage, MessageBroker } from "@keyop/messenger/pipes";
 *
 * const Word = defineMessage<{ word: string }>({ code: 10, name: "Word" });
 * await using server = new MessageBroker({
 *   messages: [Word],
 *   onMessage: (_connection, message) => console.log(message.value),
 * });
 * const { url } = await server.serve({ port: 0 });
 *
 * await using client = new MessageBroker({ messages: [Word] });
 * await client.connect(url);
 * await client.send(Word({ word: "Hello" }));
 * ```
 *
 * @module
 */
export {
  type Clock,
  type LogFields,
  type Logger,
  type LogLevel,
  MessengerError,
  PayloadInvalidError,
  type Random,
  type Timer,
} from "./src/base/mod.ts";
export {
  type BrokerOptions,
  type BrokerStats,
  ConnectFailedError,
  type Connection,
  ConnectionClosedError,
  type ConnectOptions,
  type ConnectTls,
  defineMessage,
  DuplicateMessageCodeError,
  type EncodingName,
  firstOf,
  InvalidConfigError,
  InvalidEncodingError,
  InvalidMessageCodeError,
  InvalidTopicError,
  MessageBroker,
  type MessageDefinition,
  type MessageOptions,
  type MessageType,
  NoConnectionsError,
  type Pattern,
  Pipe,
  PipeChain,
  type PipeConnection,
  type PipeEnds,
  type PipeHost,
  PipeMessage,
  type PipeMessageChange,
  type PipeSendOptions,
  publish,
  random,
  roundRobin,
  type ServeInfo,
  type ServeOptions,
  type ServeTls,
  TopicPipe,
  type TopicPipeOptions,
  TopicRefusedError,
  type TypedMessage,
} from "./src/pipes/mod.ts";
export {
  type AboutMessage,
  AroundPipe,
  circuitBreaker,
  type CircuitBreakerOptions,
  CircuitBreakerPipe,
  type CircuitBreakerStats,
  CircuitOpenError,
  type CircuitState,
  compress,
  type CompressOptions,
  CompressPipe,
  type CompressStats,
  DecompressionError,
  dedupe,
  type DedupeOptions,
  DedupePipe,
  type DedupeStats,
  encrypt,
  type EncryptOptions,
  filter,
  type FilterOptions,
  KeyExhaustedError,
  KeyRing,
  type KeyRingOptions,
  log,
  type LogOptions,
  map,
  type MapOptions,
  type Mapping,
  metrics,
  type MetricsOptions,
  MetricsPipe,
  type MetricsSeries,
  MissingSignatureError,
  NotEncryptedError,
  type Passing,
  PipeTimeoutError,
  type Predicate,
  rateLimit,
  RateLimitedError,
  type RateLimitOptions,
  RateLimitPipe,
  type RateLimitStats,
  type SecretKey,
  SequenceRecorder,
  type SequenceRecorderOptions,
  sign,
  type Signer,
  type SignOptions,
  type SpanMaker,
  type StartedSpan,
  TamperedMessageError,
  timeout,
  type TimeoutOptions,
  trace,
  type TraceOptions,
  UnknownKeyError,
  verify,
  type VerifyOptions,
  type Way,
  WrongSignerError,
} from "./src/pipes/ready/mod.ts";
export type {
  ParseFunction,
  PayloadSchema,
  StandardIssue,
  StandardResult,
  StandardSchema,
} from "./src/registry/mod.ts";
