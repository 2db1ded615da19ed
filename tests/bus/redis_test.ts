import {
  BusConnectionError,
  InvalidBusUrlError,
  openBus,
  RedisBus,
  RequestTimeoutError,
} from "@keyop/messenger/bus";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Buffer } from "node:buffer";
import { Redis } from "ioredis";
import { eventually } from "../helpers/eventually.ts";
import { LinkProxy } from "../helpers/link_proxy.ts";
import { TestPki } from "../helpers/pki.ts";
import { RecordingLogger } from "../helpers/recording_logger.ts";
import { hasRedisServer, RedisServer } from "../helpers/redis_server.ts";
import { freePort } from "../helpers/server_process.ts";
import { tempDir } from "../helpers/temp.ts";
import { aborted, numbers, publishAll, serveAs, StuckHandler, take, text } from "./rules/tools.ts";

const ignore = !hasRedisServer;
const LOST = "lost a connection to Redis";
const AGAIN = "is connected to Redis again";
/** Connections of a bus that streams, asks and serves one subject: commands, streams, replies, server. */
const CONNECTIONS = 4;

function redisTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `Redis: ${name}`, ignore, fn });
}

redisTest(
  "a server that is down, and a wrong password, are named without the password",
  async () => {
    const down = await assertRejects(
      () => RedisBus.connect("redis://me:secret@127.0.0.1:1"),
      BusConnectionError,
    );
    assertEquals(
      down.message,
      "No connection to redis://127.0.0.1:1: nobody listens there; start the server, or correct the address",
    );
    await using server = await RedisServer.start({ password: "right" });
    await (await openBus(server.url)).close();
    for (const url of [`redis://${server.address}`, `redis://:wrong@${server.address}`]) {
      const error = await assertRejects(() => RedisBus.connect(url), BusConnectionError);
      assertStringIncludes(error.message, "it refuses user or password");
    }
  },
);

redisTest("TLS with client certificates works, and what is refused is an error", async () => {
  await using dir = await tempDir();
  const pki = await TestPki.make(dir.path);
  const other = await TestPki.make(dir.path, "other");
  const { cert, key, ca } = await pki.issue("server", { san: ["127.0.0.1"] });
  const client = await pki.issue("client");
  const port = freePort();
  await using _server = await RedisServer.start({
    // deno-fmt-ignore
    args: [
      "--tls-port", String(port), "--tls-cert-file", cert, "--tls-key-file", key,
      "--tls-ca-cert-file", ca, "--tls-auth-clients", "yes",
    ],
  });
  const url = `rediss://127.0.0.1:${port}`;
  const parameters = `?ca=${client.ca}&cert=${client.cert}&key=${client.key}`;
  await using bus = await openBus(url + parameters);
  await serveAs(bus, "r", "r");
  assertEquals(text(await bus.request("r", "1")), "r:1");
  await assertRejects(() => openBus(`${url}?ca=${client.ca}`), BusConnectionError);
  await assertRejects(() => openBus(url), BusConnectionError);
  const tls = { ca: other.caPem };
  await assertRejects(() => RedisBus.connect(url, { tls }), BusConnectionError);
});

redisTest("a URL or a number that is none is refused", async () => {
  await assertRejects(() => RedisBus.connect("http://127.0.0.1"), InvalidBusUrlError);
  await assertRejects(() => openBus("redis://127.0.0.1?x=1"), InvalidBusUrlError, "parameter");
  for (const maxPayloadBytes of [0, 1.5, 2 ** 29]) {
    const connecting = () => RedisBus.connect("redis://127.0.0.1:1", { maxPayloadBytes });
    await assertRejects(connecting, RangeError, "maxPayloadBytes");
  }
});

redisTest("a restarted server finds streams and servers as they were", async () => {
  await using server = await RedisServer.start();
  const logger = new RecordingLogger();
  await using bus = await RedisBus.connect(server.url, { logger });
  const stream = await bus.stream("s");
  await serveAs(bus, "r", "r");
  assertEquals(text(await bus.request("r", "0")), "r:0");
  await server.kill();
  await logger.until(LOST, CONNECTIONS);
  await assertRejects(() => bus.publish("s", "lost"), BusConnectionError, "the server is down");
  await assertRejects(() => bus.request("r", "lost"), BusConnectionError);
  await assertRejects(() => bus.stream("t"), BusConnectionError);
  await server.restart();
  await logger.until(AGAIN, CONNECTIONS);
  // The client renews its subscriptions once it is connected.
  await eventually("the stream to be subscribed again", async () => {
    const watcher = new Redis(server.url);
    const counts = await watcher.pubsub("NUMSUB", "bus:stream:s");
    watcher.disconnect();
    return Number(counts[1]) === 1;
  });
  await bus.publish("s", "found");
  assertEquals(await take(stream, 1), ["found"]);
  assertEquals(text(await bus.request("r", "1")), "r:1");
});

redisTest(
  "a durable server keeps a request through its restart, and a late server answers",
  async () => {
    await using server = await RedisServer.start({ durable: true });
    const logger = new RecordingLogger();
    await using bus = await RedisBus.connect(server.url, { logger });
    const asking = bus.request("r", "1", { timeoutMs: 60_000 });
    await using watcher = await watch(server);
    await eventually(
      "the request to be there",
      async () => await watcher.llen("bus:requests:r") === 1,
    );
    await server.restart();
    await logger.until(AGAIN, 2);
    await serveAs(bus, "r", "late");
    assertEquals(text(await asking), "late:1");
  },
);

redisTest(
  "connections that are cut are made again, and the answer comes all the same",
  async () => {
    await using server = await RedisServer.start();
    await using proxy = LinkProxy.start(server.address);
    const logger = new RecordingLogger();
    await using near = await RedisBus.connect(server.url);
    await using far = await RedisBus.connect(`redis://${proxy.address}`, { logger });
    const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
    const { promise: answer, resolve: give } = Promise.withResolvers<string>();
    await far.serve("r", () => {
      arrive();
      return answer;
    });
    const asking = near.request("r", "1");
    await arrived;
    proxy.down();
    await logger.until(LOST);
    give("late");
    proxy.heal();
    assertEquals(text(await asking), "late");
  },
);

redisTest(
  "what Redis drops by its output buffer limit is reported, and other streams go on",
  async () => {
    await using server = await RedisServer.start({
      args: ["--client-output-buffer-limit", "pubsub 1mb 0 0"],
    });
    await using proxy = LinkProxy.start(server.address);
    const logger = new RecordingLogger();
    await using reader = await RedisBus.connect(`redis://${proxy.address}`, { logger });
    await using writer = await RedisBus.connect(server.url);
    const stream = await reader.stream("s");
    const other = await writer.stream("s");
    proxy.stall("down");
    let isCutOff = false;
    const cutOff = (async () => {
      await using watcher = await watch(server);
      await eventually("Redis to end the connection", async () => {
        const clients = String(await watcher.call("CLIENT", "LIST", "TYPE", "pubsub"));
        return clients.split("\n").filter((line) => line !== "").length === 1;
      });
      isCutOff = true;
    })();
    // The system's own buffers take some of it before Redis has to.
    const data = "x".repeat(64 * 1024);
    for (let sent = 0; !isCutOff; sent++) {
      assert(sent < 2_000, "125 MiB were sent and nobody was cut off");
      await writer.publish("s", data);
      assertEquals((await take(other, 1))[0]!.length, data.length);
    }
    await cutOff;
    proxy.heal();
    await logger.until("its output buffer was full");
    await logger.until(AGAIN);
    assertEquals(stream.dropped > 0, true);
  },
);

redisTest(
  "replies for a caller that is gone expire, and so do requests that nobody took",
  async () => {
    await using server = await RedisServer.start();
    await using watcher = await watch(server);
    const server1 = await RedisBus.connect(server.url, { logger: new RecordingLogger() });
    const { promise: answer, resolve: give } = Promise.withResolvers<string>();
    const arrived = Promise.withResolvers<void>();
    await server1.serve("r", () => {
      arrived.resolve();
      return answer;
    });
    // A caller that vanishes without a word.
    const key = "bus:replies:gone";
    const entry = Buffer.from(`${JSON.stringify({ id: "1", to: key, headers: {} })}\nx`);
    await watcher.rpush(
      "bus:requests:r",
      Buffer.concat([Buffer.from(String(Date.now() + 60_000)), entry]),
    );
    await arrived.promise;
    give("nobody reads this");
    await server1.close();
    await eventually("the reply to be there", async () => await watcher.llen(key) === 1);
    const left = await watcher.pttl(key);
    assert(left > 0 && left <= 60_000, `the replies expire in ${left} ms`);

    await using caller = await RedisBus.connect(server.url);
    const asking = caller.request("nobody", "1", { timeoutMs: 300 });
    await assertRejects(() => asking, RequestTimeoutError);
    await eventually(
      "the request to be gone",
      async () => await watcher.exists("bus:requests:nobody") === 0,
    );
  },
);

redisTest("a caller that closes takes its requests and replies with it", async () => {
  await using server = await RedisServer.start();
  await using watcher = await watch(server);
  const caller = await RedisBus.connect(server.url);
  const failing = assertRejects(() => caller.request("r", "1", { timeoutMs: 60_000 }));
  await eventually(
    "the request to be there",
    async () => await watcher.llen("bus:requests:r") === 1,
  );
  await caller.close();
  await failing;
  await eventually("nothing to be left", async () => (await watcher.keys("bus:*")).length === 0);
});

redisTest("a caller that gives up aborts the handler in another process's bus", async () => {
  await using server = await RedisServer.start();
  await using caller = await RedisBus.connect(server.url);
  await using serving = await RedisBus.connect(server.url);
  const stuck = new StuckHandler();
  await serving.serve("r", stuck.handle);
  const failing = assertRejects(
    () => caller.request("r", "", { timeoutMs: 200 }),
    RequestTimeoutError,
  );
  await aborted(await stuck.begun);
  await failing;
});

redisTest("other clients publish and listen, and what is no request is left out", async () => {
  await using server = await RedisServer.start();
  await using watcher = await watch(server);
  const logger = new RecordingLogger();
  await using bus = await RedisBus.connect(server.url, { logger });
  const stream = await bus.stream("s");
  await watcher.publish("bus:stream:s", "from outside");
  assertEquals(await take(stream, 1), ["from outside"]);
  await serveAs(bus, "r", "r");
  for (const bad of ["", "x", "\n", `${Date.now()}{}\n`, `${Date.now() + 9e5}[1]\nx`, "null\n"]) {
    await watcher.rpush("bus:requests:r", bad);
    await watcher.publish("bus:control:r", bad);
  }
  assertEquals(text(await bus.request("r", "1")), "r:1");
  assertEquals(logger.matching("leaves out a request").length, 6);
});

redisTest(
  "requests beyond 10,000 that nobody serves are refused, and the others served",
  async () => {
    await using server = await RedisServer.start();
    await using watcher = await watch(server);
    await using bus = await RedisBus.connect(server.url);
    const entry = `${Date.now() + 60_000}${
      JSON.stringify({ id: "1", to: "bus:replies:x", headers: {} })
    }\n`;
    for (let n = 0; n < 10; n++) {
      await watcher.rpush("bus:requests:r", ...Array.from({ length: 1_000 }, () => entry));
    }
    await assertRejects(() => bus.request("r", "1"), BusConnectionError, "start more servers");
    await serveAs(bus, "r", "r");
    await eventually(
      "the requests to be served",
      async () => await watcher.exists("bus:requests:r") === 0,
    );
    assertEquals(text(await bus.request("r", "1")), "r:1");
  },
);

redisTest("prefixes keep buses on one server apart", async () => {
  await using server = await RedisServer.start();
  await using one = await RedisBus.connect(server.url, { prefix: "one:" });
  await using two = await RedisBus.connect(server.url, { prefix: "two:" });
  const stream = await two.stream("s");
  await one.publish("s", "1");
  await publishAll(two, "s", numbers(3));
  assertEquals(await take(stream, 3), numbers(3));
});

redisTest("a slow reader of many replies holds up no other caller and loses nothing", async () => {
  await using server = await RedisServer.start();
  await using caller = await RedisBus.connect(server.url);
  await using serving = await RedisBus.connect(server.url);
  await serveAs(serving, "r", "r");
  await serving.serve("count", async function* () {
    for (let n = 0; n < 5_000; n++) yield String(n);
  });
  const slow = caller.requestMany("count", "", { timeoutMs: 60_000 })[Symbol.asyncIterator]();
  assertEquals(text((await slow.next()).value!), "0");
  const quick = await Array.fromAsync(caller.requestMany("count", "", { timeoutMs: 60_000 }));
  assertEquals(quick.map(text), numbers(5_000));
  assertEquals(text(await caller.request("r", "1")), "r:1");
  for (let n = 1; n < 5_000; n++) assertEquals(text((await slow.next()).value!), String(n));
  assertEquals((await slow.next()).done, true);
});

redisTest("a bus closes although its server is silent", async () => {
  await using server = await RedisServer.start();
  const logger = new RecordingLogger();
  const bus = await RedisBus.connect(server.url, { logger });
  await bus.stream("s");
  await serveAs(bus, "r", "r");
  assertEquals(text(await bus.request("r", "1")), "r:1");
  server.pause();
  await bus.close();
  server.resume();
});

async function watch(server: RedisServer): Promise<Redis & AsyncDisposable> {
  const client = new Redis(server.url, { lazyConnect: true });
  client.on("error", () => {});
  await client.connect();
  return Object.assign(client, {
    [Symbol.asyncDispose]: () => Promise.resolve(client.disconnect()),
  });
}
