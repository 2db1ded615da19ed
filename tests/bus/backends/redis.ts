import { RedisBus } from "@keyop/messenger/bus";
import { RedisServer } from "../../helpers/redis_server.ts";
import { SharedServer } from "../../helpers/shared_server.ts";
import type { BusBackend } from "../suite.ts";

const servers = new SharedServer(() => RedisServer.start());

/** Buses over a real Redis server. */
export const redisBackend: BusBackend = {
  name: "redis",
  abilities: {
    knowsServers: false,
    keepsRequests: true,
    keepsMessages: false,
    dropsMessages: true,
    reachesProcesses: true,
  },
  notes: {
    knowsServers: "a request that nobody serves waits for a server until its time is up",
    keepsMessages:
      "a reader is at most 1,024 messages behind; more are dropped, counted and logged; what Redis " +
      "drops by its output buffer limit is logged and counted as one",
  },
  async place() {
    const { server, release } = await servers.take();
    return {
      open: (options) => RedisBus.connect(server.url, options),
      processUrl: () => Promise.resolve(server.url),
      [Symbol.asyncDispose]: release,
    };
  },
};
