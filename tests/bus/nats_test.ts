import {
  BusConnectionError,
  NatsBus,
  openBus,
  PayloadTooLargeError,
  RemoteError,
} from "@keyop/messenger/bus";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { connect } from "@nats-io/transport-node";
import { LinkProxy } from "../helpers/link_proxy.ts";
import { hasNatsServer, NatsServer } from "../helpers/nats_server.ts";
import { TestPki } from "../helpers/pki.ts";
import { RecordingLogger } from "../helpers/recording_logger.ts";
import { tempDir } from "../helpers/temp.ts";
import { aborted, numbers, serveAs, StuckHandler, take, text } from "./rules/tools.ts";

const ignore = !hasNatsServer;
const LOST = "lost the connection to NATS";
const AGAIN = "is connected to NATS again";

function natsTest(name: string, fn: () => Promise<void>): void {
  Deno.test({ name: `NATS: ${name}`, ignore, fn });
}

async function refused(options: Parameters<typeof NatsBus.connect>[0]): Promise<string> {
  const error = await assertRejects(() => NatsBus.connect(options), BusConnectionError);
  assertEquals(error.code, "bus_connection_failed");
  return error.message;
}

natsTest("a server that is down is named, without the password", async () => {
  const message = await refused("nats://me:secret@127.0.0.1:1");
  assertEquals(
    message,
    "No connection to nats://127.0.0.1:1: nobody listens there; start the server, or correct the address",
  );
});

natsTest("something that is no NATS server is named", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const connection of listener) {
      await connection.write(new TextEncoder().encode("HTTP/1.1 400 Bad Request\r\n\r\n"));
      connection.close();
    }
  })();
  assertStringIncludes(await refused(`nats://127.0.0.1:${listener.addr.port}`), "no NATS server");
  listener.close();
  await serving;
});

natsTest(
  "a token and a user are taken from options or the URL, wrong ones are refused",
  async () => {
    await using withToken = await NatsServer.start({ token: "t0ken" });
    await (await NatsBus.connect({ servers: withToken.url, token: "t0ken" })).close();
    await (await openBus(`nats://t0ken@${withToken.address}`)).close();
    const message = await refused({ servers: withToken.url, token: "wrong" });
    assertStringIncludes(message, "it refuses the token, or user and password");
    await refused(withToken.url);

    await using withUser = await NatsServer.start({ user: { name: "me", password: "p@ss" } });
    const servers = withUser.url;
    await (await NatsBus.connect({ servers, user: "me", password: "p@ss" })).close();
    await (await openBus(`nats://me:p%40ss@${withUser.address}`)).close();
    await refused({ servers, user: "me", password: "wrong" });
  },
);

natsTest("TLS with client certificates works, and each refusal is an error", async () => {
  await using dir = await tempDir();
  const pki = await TestPki.make(dir.path);
  const other = await TestPki.make(dir.path, "other");
  const files = await pki.issue("client");
  const [cert, key, ca] = await Promise.all(
    [files.cert, files.key, files.ca].map((path) => Deno.readTextFile(path)),
  ) as [string, string, string];
  await using server = await NatsServer.start({
    tls: await pki.issue("server", { san: ["127.0.0.1"] }),
    verify: true,
    token: "t",
  });
  await using bus = await NatsBus.connect({
    servers: server.url,
    token: "t",
    tls: { ca, cert, key },
  });
  await serveAs(bus, "r", "r");
  assertEquals(text(await bus.request("r", "1")), "r:1");
  const parameters = `?ca=${files.ca}&cert=${files.cert}&key=${files.key}`;
  await using byUrl = await openBus(`tls://t@${server.address}${parameters}`);
  assertEquals(text(await byUrl.request("r", "2")), "r:2");

  const servers = server.url;
  assertStringIncludes(await refused({ servers, token: "t", tls: { ca } }), "client certificate");
  await refused({ servers, token: "t", tls: { ca: other.caPem, cert, key } });
  await refused({ servers, token: "t" });
  const named = { servers: `localhost:${server.port}`, token: "t", tls: { ca, cert, key } };
  assertStringIncludes(await refused(named), "altnames");
  await using plain = await NatsServer.start();
  assertStringIncludes(await refused({ servers: plain.url, tls: { ca } }), "tls");
});

natsTest("a restarted server finds streams and servers as they were", async () => {
  await using server = await NatsServer.start();
  const logger = new RecordingLogger();
  const options = { servers: server.url, logger, reconnectWaitMs: 20, drainMs: 0 };
  await using bus = await NatsBus.connect(options);
  const stream = await bus.stream("s");
  await serveAs(bus, "r", "r");
  const stuck = new StuckHandler();
  await bus.serve("hangs", stuck.handle);
  const waiting = assertRejects(() => bus.request("hangs", ""), BusConnectionError);
  const signal = await stuck.begun;
  await server.kill();
  await waiting;
  await logger.until(LOST);
  await assertRejects(() => bus.publish("s", "lost"), BusConnectionError, "the server is down");
  await assertRejects(() => bus.request("r", "lost"), BusConnectionError);
  await assertRejects(() => bus.stream("t"), BusConnectionError);
  await server.restart();
  await logger.until(AGAIN);
  await bus.publish("s", "found");
  assertEquals(await take(stream, 1), ["found"]);
  assertEquals(text(await bus.request("r", "1")), "r:1");
  // The caller has its error and waits no more: the handler learns of it.
  await aborted(signal);
});

natsTest("a connection that is cut is made again, and the answer comes all the same", async () => {
  await using server = await NatsServer.start();
  await using proxy = LinkProxy.start(server.address);
  const logger = new RecordingLogger();
  await using near = await NatsBus.connect({ servers: server.url });
  await using far = await NatsBus.connect({
    servers: `nats://${proxy.address}`,
    logger,
    reconnectWaitMs: 20,
  });
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
});

natsTest("a bus closes while its server is down", async () => {
  const server = await NatsServer.start();
  const logger = new RecordingLogger();
  const bus = await NatsBus.connect({ servers: server.url, logger });
  const stream = await bus.stream("s");
  await bus.serve("r", () => "1");
  await server[Symbol.asyncDispose]();
  await logger.until(LOST);
  await bus.close();
  await stream.closed;
});

natsTest("a payload over the server's limit is an error, and everything else goes on", async () => {
  await using server = await NatsServer.start({ maxPayload: 1_000 });
  await using bus = await NatsBus.connect({ servers: server.url, logger: new RecordingLogger() });
  assertEquals(bus.stats().maxPayloadBytes, 1_000);
  const stream = await bus.stream("s");
  const error = await assertRejects(
    () => bus.publish("s", new Uint8Array(1_001)),
    PayloadTooLargeError,
  );
  assertEquals([error.bytes, error.maxBytes], [1_001, 1_000]);
  const headers = { long: "x".repeat(500) };
  const data = new Uint8Array(900);
  await assertRejects(() => bus.publish("s", data, { headers }), PayloadTooLargeError);
  await assertRejects(() => bus.request("s", data, { headers }), PayloadTooLargeError);
  await bus.serve("long", () => "x".repeat(1_001));
  await assertRejects(() => bus.request("long", ""), RemoteError, "1000 at most");
  await bus.publish("s", "1");
  assertEquals(await take(stream, 1), ["1"]);
});

natsTest("a subject that the server forbids ends its subscription alone", async () => {
  await using server = await NatsServer.start({
    config: [
      `authorization { users: [ { user: me, password: p, permissions: {`,
      `  subscribe: { deny: "secret" } } } ] }`,
    ],
  });
  const logger = new RecordingLogger();
  await using bus = await NatsBus.connect({
    servers: server.url,
    user: "me",
    password: "p",
    logger,
  });
  const open = await bus.stream("open");
  const secret = await bus.stream("secret");
  const error = await assertRejects(() => secret.closed, BusConnectionError);
  assertStringIncludes(error.message, "Permissions Violation");
  await bus.publish("open", "1");
  assertEquals(await take(open, 1), ["1"]);
});

natsTest("any other NATS client publishes, listens, asks and answers", async () => {
  await using server = await NatsServer.start();
  await using bus = await NatsBus.connect({ servers: server.url, logger: new RecordingLogger() });
  const other = await connect({ servers: server.url });
  const stream = await bus.stream("s");
  other.publish("s", "from outside");
  assertEquals(await take(stream, 1), ["from outside"]);

  const subscription = other.subscribe("t", { max: 1 });
  await other.flush();
  await bus.publish("t", "from the bus", { headers: { "correlation-id": "c1" } });
  for await (const message of subscription) {
    assertEquals(message.string(), "from the bus");
    assertEquals(message.headers?.get("correlation-id"), "c1");
  }

  await serveAs(bus, "r", "r");
  const reply = await other.request("r", "1", { timeout: 10_000 });
  assertEquals(reply.string(), "r:1");
  await bus.serve("fails", () => {
    throw new Error("no luck");
  });
  const failure = await other.request("fails", "", { timeout: 10_000 });
  assertEquals(failure.headers?.get("Nats-Service-Error"), "no luck");

  other.subscribe("theirs", { callback: (_error, message) => void message.respond("plain") });
  await other.flush();
  assertEquals(text(await bus.request("theirs", "")), "plain");
  assertEquals((await Array.fromAsync(bus.requestMany("theirs", ""))).map(text), ["plain"]);
  await other.close();
});

natsTest("times that are none are refused", async () => {
  await assertRejects(() => NatsBus.connect({ connectTimeoutMs: 0 }), RangeError);
  await assertRejects(() => NatsBus.connect({ reconnectWaitMs: NaN }), RangeError);
});

natsTest("messages beyond what fits the system's buffers wait, and all arrive", async () => {
  await using server = await NatsServer.start();
  await using proxy = LinkProxy.start(server.address);
  await using bus = await NatsBus.connect({ servers: `nats://${proxy.address}` });
  await using reader = await NatsBus.connect({ servers: server.url });
  const stream = await reader.stream("s");
  const data = new Uint8Array(512 * 1024);
  proxy.stall("up");
  let sent = 0;
  const publishing = (async () => {
    for (; sent < 64; sent++) await bus.publish("s", data);
  })();
  const closing = bus.stream("other");
  await new Promise<void>((resolve) => setTimeout(resolve, 0));
  assert(sent < 64, "32 MiB were taken although nothing passes");
  proxy.heal();
  await Promise.all([publishing, closing]);
  let received = 0;
  for await (const bytes of stream) {
    received += bytes.length;
    if (received === 64 * data.length) break;
  }
});

natsTest("a slow reader of many replies holds up no other caller and loses nothing", async () => {
  await using server = await NatsServer.start();
  await using caller = await NatsBus.connect(server.url);
  await using serving = await NatsBus.connect(server.url);
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

natsTest("a bus closes although its server is silent", async () => {
  await using server = await NatsServer.start();
  const logger = new RecordingLogger();
  const bus = await NatsBus.connect({ servers: server.url, logger });
  await bus.stream("s");
  await serveAs(bus, "r", "r");
  assertEquals(text(await bus.request("r", "1")), "r:1");
  server.pause();
  await bus.close();
  server.resume();
});
