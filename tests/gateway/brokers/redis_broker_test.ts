import { hasRedisServer } from "../../helpers/redis_server.ts";
import { RedisBed } from "./redis_bed.ts";
import { testBroker } from "./suite.ts";

testBroker({
  name: "redis",
  can: { dense: true, anyName: true, shared: true, durable: true },
  ignore: !hasRedisServer,
  bed: () => RedisBed.start(),
});
