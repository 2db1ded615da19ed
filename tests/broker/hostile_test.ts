import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import { ConnectionClosedError } from "../../src/pipes/mod.ts";
import { FakeClock, turn } from "../helpers/fake_clock.ts";
import { until } from "../helpers/until.ts";
import { connect, frame, rawPeer, serve, Text, Word } from "./parts.ts";

const BLOCK = "x".repeat(64 * 1024);

/** What a peer sends that no broker would, and what becomes of it. */
const VIOLATIONS: readonly {
  readonly name: string;
  readonly message: Uint8Array | string;
  readonly protocol?: string;
  readonly code: number;
  readonly error: RegExp;
}[] = [
  {
    name: "an unknown code",
    message: frame(77, "{}"),
    code: 1003,
    error: /^ConnectionClosedError: .*\(1003\): Message code 77 is not registered here/,
  },
  {
    name: "a truncated header",
    message: Uint8Array.of(0, 0, 0),
    code: 1002,
    error: /a message of 3 bytes has no code/,
  },
  { name: "an empty message", message: new Uint8Array(), code: 1002, error: /0 bytes has no code/ },
  { name: "a text message", message: "hello", code: 1003, error: /only binary ones/ },
  {
    name: "a message that is not of its encoding",
    message: frame(10, "{word:"),
    code: 1007,
    error: /"Word" is not application\/json/,
  },
  { name: "a code without a value", message: frame(10), code: 1007, error: /"Word" is not/ },
  { name: "an oversized message", message: frame(11, BLOCK), code: 1009, error: /too big/ },
  {
    name: "claims of values that are not there",
    message: frame(10, new Uint8Array(1_000).fill(0xdd)),
    protocol: "application.msgpack",
    code: 1007,
    error: /claims/,
  },
  {
    name: "arrays within arrays without end",
    message: frame(10, new Uint8Array(50_000).fill(0x81)),
    protocol: "application.cbor",
    code: 1007,
    error: /"Word" is not application\/cbor/,
  },
];

for (const { name, message, protocol, code, error } of VIOLATIONS) {
  Deno.test(`a peer that sends ${name} is cut off with ${code}, and others are not`, async () => {
    await using server = await serve({ maxMessageSize: 60_000 });
    await using client = await connect(server.url);
    await using peer = await rawPeer(server.url, protocol);
    peer.socket.send(message);
    peer.socket.send(frame(10, '{"word":"too late"}'));
    assertEquals((await peer.closed).code, code);
    await until("its end", () => server.ends.length === 1);
    assertEquals(server.errors.length, 1);
    assert(error.test(server.errors[0]!), server.errors[0]);
    assertEquals(server.received, []);
    await client.broker.send(Word({ word: "well" }));
    await until("the other", () => server.received.length === 1);
    assertEquals(server.broker.length, 1);
  });
}

Deno.test("bytes that are no frames end the connection and nothing else", async () => {
  await using server = await serve();
  await using client = await connect(server.url);
  await using peer = await rawPeer(server.url);
  const { _socket: tcp } = peer.socket as unknown as {
    _socket: { write(bytes: Uint8Array): void };
  };
  tcp.write(new Uint8Array(100).fill(0xff));
  await peer.closed;
  await until("its end", () => server.ends.length === 1);
  assertEquals(server.ends[0]!.slice(0, 4), "1002");
  await client.broker.send(Word({ word: "well" }));
  await until("the other", () => server.received.length === 1);
});

Deno.test("a peer that stops reading is cut off once its buffer is full; others get all", async () => {
  const sendBufferSize = 32;
  await using server = await serve({ sendBufferSize });
  await using client = await connect(server.url);
  await using peer = await rawPeer(server.url);
  peer.socket.pause();
  const count = 400;
  for (let n = 0; n < count; n++) await server.broker.send(Text(`${n} ${BLOCK}`));
  await until("all", () => client.received.length === count);
  assertEquals(client.received.map((line) => Number(line.slice(3).split(" ")[0])), [
    ...Array(count).keys(),
  ]);
  await until("its end", () => server.ends.length === 1);
  assertEquals(server.ends, [`1013 ${sendBufferSize} messages are not read`]);
  assertEquals(server.broker.length, 1);
});

Deno.test("nobody who sends waits for a peer that stops reading, but once", async () => {
  const clock = new FakeClock();
  await using server = await serve({ sendBufferSize: 200, clock });
  await using peer = await rawPeer(server.url);
  peer.socket.pause();
  const [connection] = server.broker.connections;
  let waiting = 0;
  let sent = 0;
  // What the kernel takes is taken; then half of the buffer is filled, and the wait begins.
  while (!clock.running.includes(1_000)) {
    waiting++;
    connection!.send(Text(BLOCK)).then(() => waiting--);
    sent++;
    await turn(1);
  }
  assert(waiting > 0);
  await clock.advance(1_000);
  assertEquals(waiting, 0);
  for (let n = 0; n < 50; n++) await connection!.send(Text("more"));
  assertLess(sent, 1_000);
});

Deno.test("one that sends to a peer whose buffer is full learns that it is cut off", async () => {
  await using server = await serve({ sendBufferSize: 4 });
  await using peer = await rawPeer(server.url);
  peer.socket.pause();
  const [connection] = server.broker.connections;
  const results = await Promise.allSettled(
    Array.from({ length: 500 }, () => connection!.send(Text(BLOCK))),
  );
  const failed = results.filter((result) => result.status === "rejected");
  assertEquals(failed.length, 496);
  assert(failed.every(({ reason }) => reason instanceof ConnectionClosedError));
  assertEquals((await connection!.closed).closeCode, 1013);
  await assertRejects(() => server.broker.send(Text(""), [connection!]), ConnectionClosedError);
});

Deno.test("a peer that reads nothing for the whole timeout is cut off", async () => {
  const clock = new FakeClock();
  await using server = await serve({ clock, timeoutMs: 30_000 });
  await using peer = await rawPeer(server.url);
  // It goes on sending, so that only its not reading tells.
  const sending = setInterval(() => peer.socket.send(frame(1, "1")), 1);
  peer.socket.pause();
  const [connection] = server.broker.connections;
  // More than the kernel takes, yet less than the buffer does.
  for (let n = 0; n < 400; n++) connection!.send(Text(BLOCK));
  await turn(20);
  for (let beat = 0; connection!.isOpen; beat++) {
    assertLess(beat, 8);
    const { bytesReceived } = server.broker.stats();
    await until("a sign", () => server.broker.stats().bytesReceived > bytesReceived);
    await clock.advance(10_000);
  }
  clearInterval(sending);
  const { closeCode, message } = await connection!.closed;
  assertEquals(closeCode, 1013);
  assert(message.endsWith("the peer has read nothing for 30000 ms"), message);
});

Deno.test("a peer that never answers a heartbeat is cut off after the timeout", async () => {
  const clock = new FakeClock();
  await using server = await serve({ clock, timeoutMs: 30_000 });
  await using peer = await rawPeer(server.url);
  for (const beat of [1, 2, 3]) {
    await clock.advance(10_000);
    await until("a heartbeat", () => peer.messages.length === beat);
    assertEquals(server.broker.length, 1, `${beat}`);
  }
  assertEquals(peer.messages, [frame(1, "0"), frame(1, "0"), frame(1, "0")]);
  await clock.advance(10_000);
  await peer.closed;
  await until("its end", () => server.ends.length === 1);
  assertEquals(server.ends, ["1006 the peer has sent nothing for 30000 ms"]);
  assertEquals(clock.running, [], "without connections there is no heartbeat");
});

for (const encoding of ["application.json", "application.msgpack", "application.cbor"]) {
  Deno.test(`a heartbeat in ${encoding} is answered, and nobody else hears of it`, async () => {
    await using server = await serve();
    await using peer = await rawPeer(server.url, encoding);
    const [ask, answer] = encoding === "application.json"
      ? [frame(1, "0"), frame(1, "1")]
      : [frame(1, Uint8Array.of(0)), frame(1, Uint8Array.of(1))];
    peer.socket.send(ask);
    peer.socket.send(answer);
    peer.socket.send(frame(1, "whatever"));
    await until("the answer", () => peer.messages.length === 1);
    assertEquals(peer.messages, [answer]);
    assertEquals([server.received, server.errors], [[], []]);
    const { sent, received } = server.broker.stats();
    assertEquals([sent, received], [0, 0]);
  });
}

Deno.test("two brokers that have nothing to say stay connected", async () => {
  const clock = new FakeClock();
  await using server = await serve({ clock, timeoutMs: 3_000 });
  // The client's own heartbeat is far too rare for the server: what keeps it are its answers.
  await using client = await connect(server.url, { clock, timeoutMs: 300_000 });
  for (let beat = 0; beat < 20; beat++) {
    const before = server.broker.stats().bytesReceived;
    await clock.advance(1_000);
    await until("an answer", () => server.broker.stats().bytesReceived > before);
  }
  assertEquals([server.broker.length, client.broker.length], [1, 1]);
  assertEquals(server.errors, []);
});

Deno.test("messages that come faster than they are handled wait at the peer", async () => {
  const gate = Promise.withResolvers<void>();
  const handled: string[] = [];
  await using server = await serve({
    onMessage: async (_connection, message) => {
      await gate.promise;
      handled.push((message.value as string).split(" ", 1)[0]!);
    },
  });
  await using client = await connect(server.url, { sendBufferSize: 2_000 });
  const count = 1_000;
  let sent = 0;
  const sending = (async () => {
    for (; sent < count; sent++) await client.broker.send(Text(`${sent} ${BLOCK}`));
  })();
  // Once nothing comes in any more, far from all has: the rest waits in the kernel and at the peer.
  let before = -1;
  while (server.broker.stats().received !== before) {
    before = server.broker.stats().received;
    await turn(50);
  }
  assertLess(server.broker.stats().received, 200);
  gate.resolve();
  await sending;
  await until("all", () => handled.length === count);
  assertEquals(handled, Array.from({ length: count }, (_, n) => `${n}`));
});

Deno.test("a handler that answers without waiting does not cut off a peer that reads", async () => {
  await using server = await serve({
    sendBufferSize: 16,
    onMessage: (connection, message) => void connection.send(Text(message.value as string)),
  });
  await using client = await connect(server.url, { sendBufferSize: 5_000 });
  const count = 2_000;
  for (let n = 0; n < count; n++) client.broker.send(Text(`${n}`));
  await until("all", () => client.received.length === count);
  assertEquals(server.errors, []);
});

Deno.test("a peer that pings without end and never reads is cut off", async () => {
  await using server = await serve();
  await using client = await connect(server.url);
  await using peer = await rawPeer(server.url);
  peer.socket.pause();
  peer.socket.on("error", () => {});
  const ping = new Uint8Array(125);
  for (let n = 0; server.ends.length === 0; n++) {
    assertLess(n, 2_000);
    for (let burst = 0; burst < 500; burst++) peer.socket.ping(ping);
    await turn(2);
  }
  await client.broker.send(Word({ word: "well" }));
  await until("the other", () => server.received.length === 1);
  assertEquals(server.broker.length, 1);
});

Deno.test("a peer that connects and asks for nothing is cut off after the timeout", async () => {
  const clock = new FakeClock();
  await using server = await serve({ clock, timeoutMs: 5_000, maxConnections: 1 });
  using connection = await Deno.connect({ hostname: server.hostname, port: server.port });
  await clock.untilTimer(5_000);
  await clock.advance(5_000);
  const end = await connection.read(new Uint8Array(10)).catch(() => null);
  assertEquals(end, null);
});

Deno.test("a peer that never ends the connection in turn does not hold up closing", async () => {
  const clock = new FakeClock();
  const server = await serve({ clock });
  await using peer = await rawPeer(server.url);
  peer.socket.pause();
  const closing = server.broker.close();
  await clock.fire(2_000);
  await closing;
  assertEquals([server.broker.length, clock.running], [0, []]);
});
