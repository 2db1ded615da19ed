/**
 * Measures, and prints what was found. See README.md beside this file.
 *
 * `deno task bench [--only NAME]... [--rounds N] [--quick] [--json] [--check]`
 */
import { busMessenger } from "./bus_messenger.ts";
import { busNats } from "./bus_nats.ts";
import { busRedis } from "./bus_redis.ts";
import { deliverBacklog, deliverDurably } from "./deliver.ts";
import { federation } from "./federation.ts";
import { gatewayFanOut, gatewayIdle, gatewayLatency, gatewayReplay } from "./gateway.ts";
import { busMemory } from "./bus_memory.ts";
import { busSqlite } from "./bus_sqlite.ts";
import { gatewayHistory, gatewayPatterns } from "./gateway_brokers.ts";
import { askAll } from "./lib/main.ts";
import { memory } from "./memory.ts";
import { pipes, pipesFanOut } from "./pipes.ts";
import { messengerPipes } from "./messenger_pipes.ts";
import { publishAlways } from "./publish_always.ts";
import { publishPeriodic } from "./publish_periodic.ts";

Deno.exit(
  await askAll(Deno.args, [
    publishPeriodic,
    publishAlways,
    deliverBacklog,
    deliverDurably,
    busMemory,
    busSqlite,
    busNats,
    busRedis,
    busMessenger,
    federation,
    memory,
    messengerPipes,
    gatewayFanOut,
    gatewayIdle,
    gatewayLatency,
    gatewayReplay,
    pipes,
    pipesFanOut,
    gatewayPatterns,
    gatewayHistory,
  ]),
);
