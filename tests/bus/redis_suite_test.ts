import { hasRedisServer } from "../helpers/redis_server.ts";
import { redisBackend } from "./backends/redis.ts";
import { testBus } from "./suite.ts";

if (hasRedisServer) testBus(redisBackend);
