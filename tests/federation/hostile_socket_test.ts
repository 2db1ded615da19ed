import { assertEquals, assertLess, assertStringIncludes } from "@std/assert";
// @ts-types="@types/ws"
import { WebSocket } from "ws";
import { silentLogger, systemClock } from "../../src/base/mod.ts";
import {
  dialWebSocket,
  type Link,
  type LinkServer,
  listenWebSocket,
  type WebSocketServerOptions,
} from "../../src/federation/mod.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { startProxy } from "../helpers/proxy.ts";
import { Recorder } from "../conformance/link_suite.ts";
import { until } from "../helpers/until.ts";

async function listen(
  options: Partial<WebSocketServerOptions> = {},
): Promise<{ server: LinkServer; links: Link[] }> {
  const links: Link[] = [];
  const server = await listenWebSocket({
    address: { host: "127.0.0.1", port: 0 },
    credentials: undefined,
    minVersion: "1.3",
    maxConnections: 10,
    maxFrameBytes: 100_000,
    upgradeTimeoutMs: 10_000,
    clock: systemClock,
    logger: silentLogger,
    onLink: (link) => links.push(link),
    ...options,
  });
  return { server, links };
}

function connect(server: LinkServer): Promise<Deno.Conn> {
  const [hostname, port] = server.address.split(":");
  return Deno.connect({ hostname: hostname!, port: Number(port) });
}

/** Reads until the other side closes. */
async function readAll(connection: Deno.Conn): Promise<string> {
  const chunks: Uint8Array[] = [];
  try {
    for await (const chunk of connection.readable) chunks.push(chunk);
  } catch {
    // A reset is an end as well.
  }
  return chunks.map((chunk) => new TextDecoder().decode(chunk)).join("");
}

/** Ends a link at both ends, of which the accepted one comes last in the list. */
async function closeBoth(dialled: Link, accepted: readonly Link[]): Promise<void> {
  const other = accepted[accepted.length - 1]!;
  dialled.close(1000, "");
  other.close(1000, "");
  await Promise.all([dialled.closed, other.closed]);
}

const dialling = {
  name: undefined,
  credentials: undefined,
  minVersion: "1.3",
  maxFrameBytes: 100_000,
  timeoutMs: 10_000,
  clock: systemClock,
} as const;

Deno.test("a connection that never becomes a WebSocket is cut in time", async () => {
  const clock = new FakeClock();
  const { server } = await listen({ clock });
  const [silent, slow] = [await connect(server), await connect(server)];
  await slow.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n"));
  await until("both", () => server.connections === 2);
  await clock.advance(10_000);
  await readAll(silent);
  await readAll(slow);
  await until("none", () => server.connections === 0);
  await server.close();
  assertEquals(clock.running, []);
});

Deno.test("a request that is no WebSocket is answered with 426 and closed", async () => {
  const { server, links } = await listen();
  const connection = await connect(server);
  await connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  assertStringIncludes(await readAll(connection), "426");
  assertEquals(links, []);
  await server.close();
});

Deno.test("bytes that are no HTTP are cut", async () => {
  const { server, links } = await listen();
  const connection = await connect(server);
  await connection.write(crypto.getRandomValues(new Uint8Array(1_000)));
  await readAll(connection);
  assertEquals(links, []);
  await server.close();
});

Deno.test("connections beyond the limit are cut, and there is room again when others have gone", async () => {
  const { server, links } = await listen({ maxConnections: 2 });
  const first = await connect(server);
  const second = await connect(server);
  await until("both", () => server.connections === 2);
  await readAll(await connect(server));
  assertEquals(server.connections, 2);
  first.close();
  await until("room", () => server.connections === 1);
  const signal = new AbortController().signal;
  const link = await dialWebSocket({ ...dialling, addr: server.address, signal });
  await closeBoth(link, links);
  second.close();
  await server.close();
});

Deno.test("any path is accepted", async () => {
  const { server, links } = await listen();
  const socket = new WebSocket(`ws://${server.address}/some/path?x=1`);
  await new Promise((resolve) => socket.on("open", resolve));
  links[0]!.close(1000, "");
  await links[0]!.closed;
  await server.close();
});

Deno.test("a frame longer than the limit ends the link with 1009", async () => {
  const { server, links } = await listen();
  const signal = new AbortController().signal;
  const link = await dialWebSocket({ ...dialling, addr: server.address, signal });
  await until("the link", () => links.length === 1);
  const recorder = new Recorder();
  links[0]!.listen(recorder);
  link.listen(new Recorder());
  link.send(new Uint8Array(100_001));
  assertEquals((await links[0]!.closed).code, 1009);
  assertEquals((await link.closed).code, 1009);
  assertEquals(recorder.frames, []);
  await server.close();
});

Deno.test("frames that are no WebSocket frames end the link, and only the link", async () => {
  const clock = new FakeClock();
  const { server, links } = await listen({ clock });
  const raw = await connect(server);
  await raw.write(new TextEncoder().encode(
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  ));
  await until("the link", () => links.length === 1);
  links[0]!.listen(new Recorder());
  // A text frame without a mask, and one of 2^63 bytes.
  await raw.write(new Uint8Array([0x81, 1, 65, 0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 0]));
  await until("the wait for the other side", () => clock.running.includes(2_000));
  await clock.advance(2_000);
  await links[0]!.closed;
  await readAll(raw);
  const signal = new AbortController().signal;
  const next = await dialWebSocket({ ...dialling, addr: server.address, signal });
  await closeBoth(next, links);
  await server.close();
});

Deno.test("a peer that has gone silent is found by its missing answers to pings", async () => {
  const clock = new FakeClock();
  const { server, links } = await listen({ clock });
  const proxy = startProxy(server.address);
  const signal = new AbortController().signal;
  const link = await dialWebSocket({ ...dialling, clock, addr: proxy.address, signal });
  await until("the link", () => links.length === 1);
  for (const one of [link, links[0]!]) one.listen(new Recorder());
  let ended = 0;
  for (const one of [link, links[0]!]) one.closed.then(() => ended++);
  for (let minute = 0; minute < 3; minute++) {
    for (let third = 0; third < 3; third++) {
      await clock.advance(20_000);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
  assertEquals(ended, 0, "a peer that answers is alive");
  proxy.freeze();
  for (let third = 0; third < 4; third++) {
    await clock.advance(20_000);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assertEquals(await link.closed, { code: 1006, reason: "the peer does not answer" });
  assertEquals((await links[0]!.closed).code, 1006);
  await proxy.close();
  await server.close();
  assertEquals(clock.running, []);
});

Deno.test("a peer that does not answer a close is cut after 2 s", async () => {
  const clock = new FakeClock();
  const { server, links } = await listen({ clock });
  const proxy = startProxy(server.address);
  const signal = new AbortController().signal;
  const link = await dialWebSocket({ ...dialling, clock, addr: proxy.address, signal });
  await until("the link", () => links.length === 1);
  proxy.freeze();
  link.close(1000, "bye");
  let ended = false;
  link.closed.then(() => ended = true);
  await clock.advance(1_999);
  assertEquals(ended, false);
  await clock.advance(1);
  assertEquals(await link.closed, { code: 1000, reason: "bye" });
  proxy.cut();
  links[0]!.listen(new Recorder());
  await links[0]!.closed;
  await proxy.close();
  await server.close();
});

Deno.test("dialling gives up in time, or when it is told to, and leaves nothing behind", async () => {
  const clock = new FakeClock();
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const addr = `127.0.0.1:${(listener.addr as Deno.NetAddr).port}`;
  const signal = new AbortController().signal;
  const late = dialWebSocket({ ...dialling, clock, addr, signal }).then(() => "", String);
  await clock.advance(10_000);
  assertStringIncludes(await late, "no answer within 10000 ms");
  const giveUp = new AbortController();
  const aborted = dialWebSocket({ ...dialling, clock, addr, signal: giveUp.signal })
    .then(() => "", String);
  giveUp.abort(new Error("told to"));
  assertStringIncludes(await aborted, "told to");
  assertEquals(clock.running, []);
  listener.close();
  assertStringIncludes(
    await dialWebSocket({ ...dialling, addr, signal }).then(() => "", String),
    "nothing listens",
  );
  assertStringIncludes(
    await dialWebSocket({ ...dialling, addr: "nowhere", signal }).then(() => "", String),
    '"nowhere" is not an address',
  );
});

Deno.test("a flood of pings from a peer that reads nothing does not pile up answers", async () => {
  const { server, links } = await listen();
  const raw = await connect(server);
  await raw.write(new TextEncoder().encode(
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
  ));
  await until("the link", () => links.length === 1);
  links[0]!.listen(new Recorder());
  let ended = false;
  links[0]!.closed.then(() => ended = true);
  // A ping of 125 bytes with a mask of zeros, some thousand times.
  const ping = new Uint8Array(131);
  ping.set([0x89, 0xfd]);
  const pings = new Uint8Array(131 * 500);
  for (let n = 0; n < 500; n++) pings.set(ping, n * 131);
  const before = Deno.memoryUsage().external;
  let sent = 0;
  try {
    while (!ended && sent < 100_000_000) {
      const timeout = new Promise<number>((resolve) => setTimeout(() => resolve(0), 500));
      const count = await Promise.race([raw.write(pings), timeout]);
      if (count === 0) break;
      sent += count;
    }
  } catch {
    // Cut for it, which is as good as held back.
  }
  assertLess(Deno.memoryUsage().external - before, 50_000_000);
  raw.close();
  await links[0]!.closed;
  await server.close();
});
