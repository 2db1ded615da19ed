/**
 * The bus: publish, stream, request and serve over several transports.
 *
 * @module
 */
export type {
  Bus,
  BusAnswer,
  BusContext,
  BusHandler,
  BusHeaders,
  BusMessage,
  BusPublishOptions,
  BusReply,
  BusRequestOptions,
  BusServeOptions,
  BusStats,
  BusStreamOptions,
  BusSubscription,
} from "./bus.ts";
export {
  BusClosedError,
  BusConnectionError,
  BusPayloadInvalidError,
  BusStorageError,
  InvalidBusUrlError,
  InvalidSubjectError,
  NoResponderError,
  PayloadTooLargeError,
  RemoteError,
  ReplyOverflowError,
  RequestTimeoutError,
} from "./errors.ts";
export { InMemoryBus, type InMemoryBusOptions } from "./in_memory_bus.ts";
export { MessengerBus } from "./messenger_bus.ts";
export { NatsBus, type NatsBusOptions } from "./nats_bus.ts";
export type { NatsTls } from "./nats_tls.ts";
export { openBus } from "./open_bus.ts";
export { RedisBus, type RedisBusOptions } from "./redis_bus.ts";
export { SqliteBus, type SqliteBusOptions } from "./sqlite_bus.ts";
export { validateSubject } from "./subject_name.ts";
export type {
  BusTransport,
  Frame,
  IncomingRequest,
  OutgoingRequest,
  ReplyFrame,
  SentRequest,
  TransportSubscription,
} from "./transport.ts";
export { type BusOptions, TransportBus } from "./transport_bus.ts";
export {
  subject,
  type SubjectSchemas,
  type TypedHandler,
  type TypedMessage,
  type TypedStreamOptions,
  type TypedSubject,
  type TypedSubscription,
} from "./typed_subject.ts";
