/**
 * What every room may use: errors, logging, time, randomness, names, addresses. Needs no permission.
 *
 * @module
 */
export { type Address, formatAddress, isLoopback, parseAddress } from "./address.ts";
export { Backoff, type BackoffOptions } from "./backoff.ts";
export * from "./errors.ts";
export { type Clock, delay, systemClock, type Timer } from "./clock.ts";
export {
  correlationId,
  hasContext,
  serviceName,
  withContext,
  withCorrelationId,
  withoutContext,
  withServiceName,
} from "./context.ts";
export {
  consoleLogger,
  type ConsoleLoggerOptions,
  guardedLogger,
  type LogFields,
  type Logger,
  type LogLevel,
  silentLogger,
} from "./logger.ts";
export {
  DEAD_LETTER_SUFFIX,
  deadLetterChannelOf,
  isDeadLetterChannel,
  isValidName,
  validateChannelName,
  validatePublishChannel,
  validateSubscriberId,
} from "./names.ts";
export { type Random, systemRandom } from "./random.ts";
export { RetryLater } from "./retry_later.ts";
