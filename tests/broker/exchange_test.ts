import { assert, assertEquals, assertRejects, assertThrows } from "@std/assert";
import { z } from "zod";
import { PayloadInvalidError } from "../../src/base/mod.ts";
import {
  ConnectFailedError,
  type Connection,
  ConnectionClosedError,
  defineMessage,
  DuplicateMessageCodeError,
  type EncodingName,
  firstOf,
  InvalidConfigError,
  InvalidEncodingError,
  InvalidMessageCodeError,
  MessageBroker,
  NoConnectionsError,
  roundRobin,
} from "../../src/pipes/mod.ts";
import { until } from "../helpers/until.ts";
import { connect, frame, observe, rawPeer, serve, Text, Word } from "./parts.ts";

const ENCODINGS: readonly EncodingName[] = [
  "application/json",
  "application/msgpack",
  "application/cbor",
];

for (const encoding of ENCODINGS) {
  Deno.test(`messages go both ways in ${encoding}`, async () => {
    await using server = await serve({
      onMessage: (connection, message) =>
        Word.is(message)
          ? connection.send(Word({ word: `${message.value.word} World` }))
          : undefined,
    });
    await using client = await connect(server.url, {}, { encoding });
    assertEquals(client.connection.encoding, encoding);
    await client.broker.send(Word({ word: "Hello" }));
    await until("the answer", () => client.received.length === 1);
    assertEquals(client.received, ['1 {"word":"Hello World"}']);
  });
}

Deno.test("clients of different encodings share a server, which encodes once for each", async () => {
  await using server = await serve();
  await using json = await connect(server.url, {}, { encoding: "application/json" });
  await using cbor = await connect(server.url, {}, { encoding: "application/cbor" });
  await using both = await connect(server.url, {}, {
    encoding: ["application/msgpack", "application/json"],
  });
  assertEquals(server.broker.connections.map(({ encoding }) => encoding), [
    "application/json",
    "application/cbor",
    "application/msgpack",
  ]);
  await server.broker.send(Word({ word: "all" }));
  const clients = [json, cbor, both];
  await until("all", () => clients.every(({ received }) => received.length === 1));
  for (const { received } of clients) assertEquals(received, ['1 {"word":"all"}']);
});

Deno.test("a message to a hundred connections is encoded once for each encoding", async () => {
  await using server = await serve();
  let encoded = 0;
  const counting = {
    word: "once",
    toJSON() {
      encoded++;
      return { word: "once" };
    },
  };
  const clients = await Promise.all(
    Array.from({ length: 100 }, () => connect(server.url, {}, { encoding: "application/json" })),
  );
  await server.broker.send(Word(counting));
  await until("all", () => clients.every(({ received }) => received.length === 1));
  assertEquals([encoded, server.broker.length], [1, 100]);
  assertEquals(server.broker.stats().sent, 100);
  await Promise.all(clients.map(({ broker }) => broker.close()));
});

Deno.test("on the wire a message is its code, big-endian, and its value", async () => {
  await using server = await serve();
  await using peer = await rawPeer(server.url);
  assertEquals(peer.socket.protocol, "application.json");
  peer.socket.send(frame(10, '{"word":"raw"}'));
  await until("the message", () => server.received.length === 1);
  assertEquals(server.received, ['1 {"word":"raw"}']);
  await server.broker.send(Word({ word: "back" }));
  await until("the answer", () => peer.messages.length === 1);
  assertEquals(peer.messages, [frame(10, '{"word":"back"}')]);
});

Deno.test("a type's own encoding is used on any connection", async () => {
  const Fixed = defineMessage<{ n: number }>({
    code: 20,
    name: "Fixed",
    encoding: "application/cbor",
  });
  const messages = [Word, Fixed];
  await using server = await serve({ messages, encodings: ["application/json"] });
  await using client = await connect(server.url, { messages, encodings: ["application/json"] });
  await using raw = await rawPeer(server.url);
  await server.broker.send(Fixed({ n: 1 }));
  await server.broker.send(Word({ word: "json" }));
  await until("both", () => client.received.length === 2 && raw.messages.length === 2);
  assertEquals(client.received, ['1 {"n":1}', '1 {"word":"json"}']);
  assertEquals(raw.messages[0], frame(20, Uint8Array.of(0xa1, 0x61, 0x6e, 0x01)));
  await client.broker.send(Fixed({ n: 2 }));
  await until("the answer", () => server.received.length === 1);
  assertEquals(server.received, ['1 {"n":2}']);
});

Deno.test("a connection without a common encoding is refused with 406", async () => {
  await using server = await serve({ encodings: ["application/json"] });
  const error = await assertRejects(
    () => connect(server.url, {}, { encoding: "application/cbor" }),
    InvalidEncodingError,
    "application.json",
  );
  assertEquals(error.code, "invalid_encoding");
  const response = await upgradeStatus(server.url, {});
  assert(response.startsWith("HTTP/1.1 406 "), response);
});

Deno.test("a client that offers the name with its slash is answered with it", async () => {
  await using server = await serve();
  const response = await upgradeStatus(server.url, {
    "sec-websocket-protocol": "application/msgpack, application/json",
  });
  assert(response.startsWith("HTTP/1.1 101 "), response);
  assert(response.includes("Sec-WebSocket-Protocol: application/msgpack"), response);
  await until("its end", () => server.ends.length === 1);
});

Deno.test("only the path that is served is answered", async () => {
  await using server = await serve({}, { path: "/words" });
  assert(server.url.endsWith("/words"));
  await using client = await connect(`${server.url}?token=1`);
  assertEquals(client.broker.length, 1);
  const error = await assertRejects(
    () => connect(server.url.replace("words", "other")),
    ConnectFailedError,
    "Only /words is here",
  );
  assertEquals(error.status, 404);
});

Deno.test("one connection too many is answered 503, and has a place once another has gone", async () => {
  await using server = await serve({ maxConnections: 2 });
  await using first = await connect(server.url);
  await using _second = await connect(server.url);
  const error = await assertRejects(() => connect(server.url), ConnectFailedError, "no room");
  assertEquals([error.status, error.code], [503, "connect_failed"]);
  await first.broker.close();
  await until("its end", () => server.ends.length === 1);
  await using _third = await connect(server.url);
  assertEquals(server.broker.length, 2);
});

Deno.test("without connections nothing can be sent", async () => {
  await using server = await serve();
  await assertRejects(() => server.broker.send(Word({ word: "" })), NoConnectionsError);
  const client = await connect(server.url);
  await client.broker.close();
  await assertRejects(() => client.broker.send(Word({ word: "" })), NoConnectionsError);
  await assertRejects(() => client.connection.send(Word({ word: "" })), ConnectionClosedError);
});

Deno.test("a type that is not registered cannot be sent", async () => {
  await using server = await serve();
  await using client = await connect(server.url);
  const Other = defineMessage({ code: 99, name: "Other" });
  for (const send of [client.broker, client.connection]) {
    const error = await assertRejects(
      () => send.send(Other(1)),
      InvalidMessageCodeError,
      '"Other" is not registered',
    );
    assertEquals(error.messageCode, 99);
  }
  await assertRejects(() => client.broker.send({} as never), InvalidMessageCodeError);
});

Deno.test("two types with one code, or one with the heartbeat's, are refused", () => {
  const make = (...codes: number[]) => () =>
    observe({ messages: codes.map((code, index) => defineMessage({ code, name: `T${index}` })) });
  const error = assertThrows(make(10, 10), DuplicateMessageCodeError, '"T0" and "T1"');
  assertEquals([error.messageCode, error.code], [10, "duplicate_message_code"]);
  assertThrows(make(1), DuplicateMessageCodeError, "heartbeat");
  assertThrows(
    () => observe({ messages: [10, 11].map((code) => defineMessage({ code, name: "Same" })) }),
    InvalidConfigError,
    '"Same"',
  );
  assertThrows(() => observe({ messages: [{} as never] }), InvalidConfigError, "defineMessage");
});

Deno.test("limits that are out of their range are refused by name", () => {
  for (
    const options of [
      { maxConnections: 0 },
      { maxMessageSize: 4 },
      { timeoutMs: 1.5 },
      { sendBufferSize: NaN },
      { encodings: [] },
    ]
  ) {
    const [name] = Object.keys(options);
    assertThrows(() => observe(options), InvalidConfigError, name);
  }
  assertThrows(() => observe({ encodings: ["text/xml" as never] }), InvalidEncodingError, "xml");
  assertThrows(() => new MessageBroker({} as never), InvalidConfigError, "messages");
});

Deno.test("values are checked when they are sent and when they are received", async () => {
  const Count = defineMessage({
    code: 30,
    name: "Count",
    schema: z.object({ count: z.number().int().default(0) }),
  });
  await using server = await serve({ messages: [Count] });
  await using client = await connect(server.url, { messages: [Count] });
  await assertRejects(
    () => client.broker.send(Count({ count: "two" } as never)),
    PayloadInvalidError,
    "count",
  );
  await assertRejects(
    () => client.connection.send(Count({ count: 0.5 })),
    PayloadInvalidError,
    "count",
  );
  await client.broker.send(Count({} as never));
  await using peer = await rawPeer(server.url);
  peer.socket.send(frame(30, '{"count":"three"}'));
  peer.socket.send(frame(30, '{"count":4,"more":true}'));
  await until("both", () => server.received.length === 2);
  assertEquals(server.received, ['1 {"count":0}', '2 {"count":4}']);
  assertEquals(server.errors.length, 1);
  assert(server.errors[0]!.startsWith("PayloadInvalidError: "), server.errors[0]);
  assertEquals(server.broker.length, 2, "the peer stays connected");
});

Deno.test("an asynchronous schema keeps the order", async () => {
  const Slow = defineMessage<number>({
    code: 31,
    name: "Slow",
    schema: (async (value: unknown) => {
      await Promise.resolve();
      if (value === 2) throw new Error("two");
      return (value as number) * 10;
    }) as never,
  });
  await using server = await serve({ messages: [Slow] });
  await using peer = await rawPeer(server.url);
  for (const n of [1, 2, 3]) peer.socket.send(frame(31, String(n)));
  await until("all", () => server.received.length === 2);
  assertEquals(server.received, ["1 10", "1 30"]);
  assertEquals(server.errors, ['PayloadInvalidError: Payload of type "Slow" is invalid: two']);
  await server.broker.send(Slow(5));
  await until("it", () => peer.messages.length === 1);
  assertEquals(peer.messages, [frame(31, "50")]);
});

Deno.test("what an encoding cannot carry, or is too long, is not sent", async () => {
  await using server = await serve();
  await using client = await connect(server.url, { maxMessageSize: 1_000 });
  const cyclic: { word: string; self?: unknown } = { word: "" };
  cyclic.self = cyclic;
  await assertRejects(
    () => client.broker.send(Word(cyclic)),
    PayloadInvalidError,
    "application/json: ",
  );
  await assertRejects(
    () => client.broker.send(Text("x".repeat(995))),
    PayloadInvalidError,
    "1001 bytes",
  );
  await client.broker.send(Text("x".repeat(994)));
  await until("it", () => server.received.length === 1);
});

Deno.test("the pattern chooses among the connections that a message may go to", async () => {
  await using server = await serve({ pattern: roundRobin() });
  const clients = [await connect(server.url), await connect(server.url), await connect(server.url)];
  for (const word of ["a", "b", "c", "d"]) await server.broker.send(Word({ word }));
  const got = () => clients.map(({ received }) => received.map((line) => line.at(-3)).join(""));
  await until("all", () => got().join("").length === 4);
  assertEquals(got(), ["ad", "b", "c"]);
  const [, second] = server.broker.connections;
  await server.broker.send(Word({ word: "e" }), [second!]);
  await second!.send(Word({ word: "f" }));
  await until("both", () => got()[1]!.length === 3);
  assertEquals(got(), ["ad", "bef", "c"]);
  await Promise.all(clients.map(({ broker }) => broker.close()));
});

Deno.test("a pattern of one's own may choose nobody, and none of others", async () => {
  const foreign: Connection[] = [];
  await using server = await serve({ pattern: () => foreign });
  await using client = await connect(server.url);
  await server.broker.send(Word({ word: "nobody" }));
  assertEquals(server.broker.stats().sent, 0);
  foreign.push(client.connection);
  await assertRejects(
    () => server.broker.send(Word({ word: "x" })),
    InvalidConfigError,
    "not of this broker",
  );
});

Deno.test("firstOf sends to those that came first", async () => {
  await using server = await serve({ pattern: firstOf(1) });
  await using first = await connect(server.url);
  await using second = await connect(server.url);
  await server.broker.send(Word({ word: "one" }));
  await until("the first", () => first.received.length === 1);
  await first.broker.close();
  await until("its end", () => server.broker.length === 1);
  await server.broker.send(Word({ word: "two" }));
  await until("both", () => second.received.length === 1);
  assertEquals([first.received.length, second.received], [1, ['1 {"word":"two"}']]);
});

Deno.test("statistics count messages and bytes, without heartbeats", async () => {
  await using server = await serve();
  await using client = await connect(server.url);
  await client.broker.send(Word({ word: "Hello" }));
  await client.broker.send(Word({ word: "again" }));
  await until("both", () => server.received.length === 2);
  await server.broker.send(Word({ word: "x" }));
  await until("it", () => client.received.length === 1);
  const bytes = 4 + '{"word":"Hello"}'.length;
  assertEquals(client.broker.stats(), {
    connections: 1,
    sent: 2,
    received: 1,
    bytesSent: 2 * bytes,
    bytesReceived: bytes - 4,
  });
  assertEquals(server.broker.stats(), {
    connections: 1,
    sent: 1,
    received: 2,
    bytesSent: bytes - 4,
    bytesReceived: 2 * bytes,
  });
});

Deno.test("flush settles once everything has left", async () => {
  await using server = await serve();
  await using client = await connect(server.url);
  await client.broker.flush();
  const sent = Array.from({ length: 300 }, (_, n) => client.broker.send(Text(`${n}`)));
  await client.broker.flush();
  await Promise.all(sent);
  await until("all", () => server.received.length === 300);
  assertEquals(server.received.at(-1), '1 "299"');
});

Deno.test("what was sent before closing arrives, in order, and both ends say why it ended", async () => {
  await using server = await serve();
  const client = await connect(server.url);
  for (let n = 0; n < 100; n++) client.broker.send(Text(`${n}`));
  await client.broker.close();
  await until("its end", () => server.ends.length === 1);
  assertEquals(server.received, Array.from({ length: 100 }, (_, n) => `1 "${n}"`));
  assertEquals(server.ends, ["1000 the broker closes"]);
  assertEquals((await client.connection.closed).closeCode, 1000);
  assertEquals([client.connection.isOpen, client.broker.length], [false, 0]);
});

Deno.test("what a peer sent before it left is handled, and then its end is told", async () => {
  const gate = Promise.withResolvers<void>();
  const steps: unknown[] = [];
  await using server = await serve({
    maxConnections: 1,
    onMessage: async (_connection, message) => {
      await gate.promise;
      steps.push(message.value);
    },
    onDisconnect: () => void steps.push("end"),
  });
  const client = await connect(server.url);
  for (const text of ["a", "b", "c"]) await client.broker.send(Text(text));
  await client.broker.close();
  await until("its end", () => server.broker.length === 0);
  await using _next = await connect(server.url);
  assertEquals(steps, []);
  gate.resolve();
  await until("all", () => steps.length === 4);
  assertEquals(steps, ["a", "b", "c", "end"]);
});

Deno.test("a server that closes says so, and takes nobody any more", async () => {
  const server = await serve();
  await using client = await connect(server.url);
  await server.broker.close();
  assertEquals((await client.connection.closed).closeCode, 1001);
  await assertRejects(() => connect(server.url), ConnectFailedError, "nothing listens");
  await assertRejects(() => server.broker.serve({ port: 0 }), InvalidConfigError, "closed");
});

Deno.test("a connection can be closed with a code of one's own", async () => {
  await using server = await serve();
  await using client = await connect(server.url);
  await assertRejects(() => client.connection.close(1002), RangeError, "3000 to 4999");
  await client.connection.close(4001, "enough");
  await until("its end", () => server.ends.length === 1);
  assertEquals(server.ends, ["4001 enough"]);
});

Deno.test("a client may connect again once its connection has ended, and not before", async () => {
  await using server = await serve();
  await using client = await connect(server.url);
  await assertRejects(() => client.broker.connect(server.url), InvalidConfigError, "is connected");
  await assertRejects(() => client.broker.serve({ port: 0 }), InvalidConfigError, "a client");
  await server.broker.connections[0]!.close();
  await client.connection.closed;
  const again = await client.broker.connect(server.url);
  await again.send(Word({ word: "again" }));
  await until("it", () => server.received.length === 1);
  assertEquals(server.received, ['2 {"word":"again"}']);
});

Deno.test("connecting says what is wrong", async () => {
  const { broker } = observe({ timeoutMs: 200 });
  for (const url of ["http://127.0.0.1:1", "127.0.0.1:80", ""]) {
    await assertRejects(() => broker.connect(url), InvalidConfigError, "ws://host:port");
  }
  await assertRejects(
    () => broker.connect("ws://127.0.0.1:1/", { encoding: "text/plain" as never }),
    InvalidEncodingError,
    "text/plain",
  );
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const silent = `ws://127.0.0.1:${(listener.addr as Deno.NetAddr).port}/`;
  const accepted = listener.accept();
  await assertRejects(() => broker.connect(silent), ConnectFailedError, "no answer within 200 ms");
  const reason = new Error("changed my mind");
  const aborted = AbortSignal.abort(reason);
  assertEquals(await assertRejects(() => broker.connect(silent, { signal: aborted })), reason);
  (await accepted).close();
  listener.close();
  await assertRejects(() => broker.connect(silent), ConnectFailedError, "nothing listens");
  await broker.close();
});

Deno.test("a plain WebSocket server that knows no encodings is told apart", async () => {
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const { response, socket } = Deno.upgradeWebSocket(request, { idleTimeout: 0 });
    socket.onerror = () => {};
    return response;
  });
  const { broker } = observe();
  await assertRejects(
    () => broker.connect(`ws://127.0.0.1:${server.addr.port}/`),
    InvalidEncodingError,
    "subprotocol",
  );
  await broker.close();
});

Deno.test("a port that is taken is named", async () => {
  await using server = await serve();
  const { broker } = observe();
  await assertRejects(
    () => broker.serve({ port: server.port }),
    InvalidConfigError,
    `Cannot listen on 127.0.0.1:${server.port}`,
  );
  await assertRejects(() => broker.serve({ port: 0, path: "x" }), InvalidConfigError, '"/"');
  await broker.close();
});

Deno.test("what a handler throws is told, and the next message is handled", async () => {
  let handled = 0;
  await using server = await serve({
    onMessage: (_connection, message) => {
      handled++;
      if (message.value === "now") throw new Error("at once");
      return Promise.reject(new Error("later"));
    },
  });
  await using client = await connect(server.url);
  await client.broker.send(Text("now"));
  await client.broker.send(Text("later"));
  await until("both", () => server.errors.length === 2);
  assertEquals([server.errors, handled], [["Error: at once", "Error: later"], 2]);
  assertEquals(server.broker.length, 1);
});

Deno.test("hooks see a connection before its first message and after its last", async () => {
  const steps: string[] = [];
  await using server = await serve({
    onConnect: ({ id, direction }) => void steps.push(`connect ${id} ${direction}`),
    onMessage: ({ id }) => void steps.push(`message ${id}`),
    onDisconnect: ({ id }) => {
      steps.push(`disconnect ${id}`);
      throw new Error("in a hook");
    },
  });
  const client = await connect(server.url);
  assertEquals(client.connection.direction, "dialled");
  await client.broker.send(Word({ word: "x" }));
  await client.broker.close();
  await until("all", () => steps.length === 3);
  assertEquals(steps, ["connect 1 accepted", "message 1", "disconnect 1"]);
  assertEquals(server.errors, ["Error: in a hook"]);
});

Deno.test("an aborted signal ends the waiting", async () => {
  await using server = await serve();
  await using client = await connect(server.url, { sendBufferSize: 1_000 });
  const reason = new Error("enough");
  const signal = AbortSignal.abort(reason);
  const send = () => client.broker.send(Text("x"), undefined, { signal });
  assertEquals(await assertRejects(send), reason);
  const controller = new AbortController();
  const waiting = Array.from(
    { length: 600 },
    (_, n) => client.connection.send(Text(`${n}`), { signal: controller.signal }),
  );
  const last = assertRejects(() => waiting[599]!, Error, "enough");
  controller.abort(reason);
  await last;
  await Promise.allSettled(waiting);
  await until("all the same", () => server.received.length === 600);
});

/** Asks for an upgrade by hand. @returns The head of the answer. */
async function upgradeStatus(url: string, headers: Record<string, string>): Promise<string> {
  const { hostname, port, pathname } = new URL(url);
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const lines = Object.entries({
    host: hostname,
    upgrade: "websocket",
    connection: "Upgrade",
    "sec-websocket-version": "13",
    "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    ...headers,
  }).map(([name, value]) => `${name}: ${value}\r\n`);
  const request = `GET ${pathname} HTTP/1.1\r\n${lines.join("")}\r\n`;
  await connection.write(new TextEncoder().encode(request));
  const buffer = new Uint8Array(2_000);
  const count = await connection.read(buffer);
  return new TextDecoder().decode(buffer.subarray(0, count ?? 0));
}
