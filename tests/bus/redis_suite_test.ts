import { redisBackend } from "./backends/redis.ts";
import { testBus } from "./suite.ts";

testBus(redisBackend);
