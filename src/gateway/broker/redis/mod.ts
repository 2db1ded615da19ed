/**
 * The broker on Redis; apart from the others, since its client asks for permissions.
 *
 * @module
 */
export { RedisBroker, type RedisBrokerOptions } from "./redis_broker.ts";
export type { RedisAddress } from "./redis_link.ts";
