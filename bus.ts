/**
 * One interface to publish, stream, request and serve over several transports, so that a program can
 * begin inside one process and end on a cluster without a change in its code.
 *
 * ```ts
 * import { InMemoryBus } from "@keyop/messenger/bus";
 *
 * await using bus = new InMemoryBus();
 * const readings = await bus.stream("readings");
 * await bus.publish("readings", JSON.stringify({ celsius: 21.5 }));
 * for await (const reading of readings) {
 *   console.log(new TextDecoder().decode(reading));
 *   break;
 * }
 * ```
 *
 * @module
 */
export {
  type Bus,
  type BusAnswer,
  BusClosedError,
  BusConnectionError,
  type BusContext,
  type BusHandler,
  type BusHeaders,
  type BusMessage,
  type BusOptions,
  BusPayloadInvalidError,
  type BusPublishOptions,
  type BusReply,
  type BusRequestOptions,
  type BusServeOptions,
  type BusStats,
  BusStorageError,
  type BusStreamOptions,
  type BusSubscription,
  type BusTransport,
  type Frame,
  type IncomingRequest,
  InMemoryBus,
  type InMemoryBusOptions,
  InvalidBusUrlError,
  InvalidSubjectError,
  MessengerBus,
  NatsBus,
  type NatsBusOptions,
  type NatsTls,
  NoResponderError,
  openBus,
  type OutgoingRequest,
  PayloadTooLargeError,
  RedisBus,
  type RedisBusOptions,
  RemoteError,
  type ReplyFrame,
  ReplyOverflowError,
  RequestTimeoutError,
  type SentRequest,
  SqliteBus,
  type SqliteBusOptions,
  subject,
  type SubjectSchemas,
  TransportBus,
  type TransportSubscription,
  type TypedHandler,
  type TypedMessage,
  type TypedStreamOptions,
  type TypedSubject,
  type TypedSubscription,
} from "./src/bus/mod.ts";
export {
  type Clock,
  type LogFields,
  type Logger,
  MessengerError,
  type Timer,
} from "./src/base/mod.ts";
export type {
  ParseFunction,
  PayloadSchema,
  StandardIssue,
  StandardResult,
  StandardSchema,
} from "./src/registry/mod.ts";
