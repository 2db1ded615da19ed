import { runChild } from "./lib/child.ts";
import type { Finding, Question } from "./lib/question.ts";

/** What the bus costs over Redis. */
export const busRedis: Question = {
  name: "bus-redis",
  asks: "How near does the bus over Redis come to Redis's own client?",
  run: (scale) =>
    runChild<Finding[]>({
      path: "bench/bus/over_redis.ts",
      args: [JSON.stringify(scale)],
      permissions: [
        "--allow-net=127.0.0.1",
        "--allow-run=redis-server",
        "--allow-env",
        "--allow-read",
        "--allow-write=.tmp",
      ],
    }),
};
