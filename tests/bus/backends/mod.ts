import type { BusBackend } from "../suite.ts";
import { memoryBackend } from "./memory.ts";
import { messengerBackend } from "./messenger.ts";
import { natsBackend } from "./nats.ts";
import { redisBackend } from "./redis.ts";
import { sqliteBackend } from "./sqlite.ts";

/** Every backend, in the order of the docs. */
export const BUS_BACKENDS: readonly BusBackend[] = [
  memoryBackend,
  sqliteBackend,
  natsBackend,
  redisBackend,
  messengerBackend,
];
