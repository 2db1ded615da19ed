/** Measures the bus over Redis beside Redis's own client; started by `bench/bus_redis.ts`. */
import { RedisBus } from "@keyop/messenger/bus";
import { silentLogger } from "@keyop/messenger";
import { Buffer } from "node:buffer";
import { Redis } from "ioredis";
import { RedisServer } from "../../tests/helpers/redis_server.ts";
import { answer } from "../lib/child.ts";
import type { Scale } from "../lib/question.ts";
import { measureInTurn } from "../lib/rounds.ts";
import { inFlight, PAYLOAD_BYTES, timed } from "./calls.ts";

const PUBLISH = "limit: publish of ioredis, 256 at a time";
const REQUEST = "limit: RPUSH and BLPOP of ioredis, there and back, one by one";

const scale = JSON.parse(Deno.args[0]!) as Scale;
const { quick } = scale;
const messages = quick ? 512 : 25_600;
const calls = quick ? 16 : 2_000;
await using server = await RedisServer.start();
const bare = new Redis(server.url);
const waiting = new Redis(server.url);
const serving = new Redis(server.url);
const bus = await RedisBus.connect(server.url, { logger: silentLogger });
const data = Buffer.alloc(PAYLOAD_BYTES, "x");
let isServing = true;
const served = (async () => {
  while (isServing) {
    const popped = await serving.blpopBuffer("there", 1);
    if (popped !== null) await serving.rpush("back", popped[1]);
  }
})();
await bus.serve("bus", () => data);

answer(
  await measureInTurn([
    {
      what: PUBLISH,
      count: messages,
      run: () => timed(() => inFlight(messages, 256, () => bare.publish("nobody", data))),
    },
    {
      what: "bus over Redis: publish, 256 at a time",
      count: messages,
      limit: PUBLISH,
      run: () => timed(() => inFlight(messages, 256, () => bus.publish("nobody", data))),
    },
    {
      what: REQUEST,
      count: calls,
      run: () =>
        timed(() =>
          inFlight(calls, 1, async () => {
            await bare.rpush("there", data);
            await waiting.blpopBuffer("back", 10);
          })
        ),
    },
    {
      what: "bus over Redis: request, one by one",
      count: calls,
      limit: REQUEST,
      run: () => timed(() => inFlight(calls, 1, () => bus.request("bus", data))),
    },
    {
      what: "bus over Redis: request, 64 at a time",
      count: calls,
      limit: REQUEST,
      run: () => timed(() => inFlight(calls, 64, () => bus.request("bus", data))),
    },
  ], scale),
);
isServing = false;
await served;
for (const client of [bare, waiting, serving]) client.disconnect();
await bus.close();
