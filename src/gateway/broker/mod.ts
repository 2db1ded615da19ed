/**
 * Brokers: where publications go, where they come from, and what is kept of them.
 *
 * @module
 */
export {
  BEGINNING,
  type Broker,
  type BrokerEvents,
  type BrokerPublished,
  type BrokerPublishOptions,
  HISTORY_PAGE_MAX,
  type HistoryFilter,
  type HistoryPage,
  type Member,
  type MembersPage,
  type Publication,
  type StreamPosition,
} from "./broker.ts";
export { BrokerUnavailableError, EventRefusedError } from "./errors.ts";
export { isBeginning } from "./history_ring.ts";
export { MemoryBroker, type MemoryBrokerOptions } from "./memory_broker.ts";
export { MessengerBroker, type MessengerBrokerOptions } from "./messenger_broker.ts";
export { GATEWAY_EVENT_TYPE } from "./record_codec.ts";
