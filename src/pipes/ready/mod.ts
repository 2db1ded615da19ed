/**
 * Pipes that users expect to find, for brokers and messengers alike. Needs no permission.
 *
 * @module
 */
export {
  circuitBreaker,
  type CircuitBreakerOptions,
  CircuitBreakerPipe,
  type CircuitBreakerStats,
  type CircuitState,
} from "./circuit_breaker.ts";
export { AroundPipe, type Passing } from "./around_pipe.ts";
export type { Way } from "./checks.ts";
export { compress, type CompressOptions, CompressPipe, type CompressStats } from "./compress.ts";
export { dedupe, type DedupeOptions, DedupePipe, type DedupeStats } from "./dedupe.ts";
export { encrypt, type EncryptOptions } from "./encrypt.ts";
export {
  type AboutMessage,
  CircuitOpenError,
  DecompressionError,
  KeyExhaustedError,
  MissingSignatureError,
  NotEncryptedError,
  PipeTimeoutError,
  RateLimitedError,
  TamperedMessageError,
  UnknownKeyError,
  WrongSignerError,
} from "./errors.ts";
export { filter, type FilterOptions, type Predicate } from "./filter.ts";
export { KeyRing, type KeyRingOptions, type SecretKey } from "./key_ring.ts";
export { log, type LogOptions } from "./log.ts";
export { map, type MapOptions, type Mapping } from "./map.ts";
export { metrics, type MetricsOptions, MetricsPipe, type MetricsSeries } from "./metrics.ts";
export {
  rateLimit,
  type RateLimitOptions,
  RateLimitPipe,
  type RateLimitStats,
} from "./rate_limit.ts";
export { SequenceRecorder, type SequenceRecorderOptions } from "./sequence_recorder.ts";
export { sign, type SignOptions } from "./sign.ts";
export type { SpanMaker, StartedSpan } from "./span_maker.ts";
export { timeout, type TimeoutOptions } from "./timeout.ts";
export { trace, type TraceOptions } from "./trace.ts";
export { type Signer, verify, type VerifyOptions } from "./verify.ts";
