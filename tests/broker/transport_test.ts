import { assert, assertEquals, assertLess, assertRejects } from "@std/assert";
import {
  type BrokerOptions,
  ConnectFailedError,
  InvalidEncodingError,
} from "../../src/pipes/mod.ts";
import { generateCa, generateInstance } from "../../src/tls/mod.ts";
import { turn } from "../helpers/fake_clock.ts";
import { until } from "../helpers/until.ts";
import { connect, frame, observe, type Observed, rawPeer, serve, Text, Word } from "./parts.ts";

/** An authority, and certificates that it has signed. */
async function pki(...names: readonly string[]) {
  const ca = await generateCa({ days: 2 });
  const issued = await Promise.all(names.map(async (name) => {
    const { certPem, keyPem } = await generateInstance({
      caCertPem: ca.certPem,
      caKeyPem: ca.keyPem,
      name,
      days: 1,
      san: ["127.0.0.1", "localhost"],
    });
    return { cert: certPem, key: keyPem, ca: ca.certPem };
  }));
  return issued as [typeof issued[0], ...typeof issued];
}

Deno.test("with mutual TLS both ends know each other's name", async () => {
  const [hub, kitchen] = await pki("hub", "kitchen");
  await using server = await serve({}, { tls: hub });
  assert(server.url.startsWith("wss://127.0.0.1:"));
  await using client = await connect(server.url, {}, { tls: kitchen! });
  assertEquals(client.connection.peer, "hub");
  assertEquals(server.broker.connections[0]!.peer, "kitchen");
  await client.broker.send(Word({ word: "Hello" }));
  await server.broker.send(Word({ word: "World" }));
  await until("both", () => server.received.length === 1 && client.received.length === 1);
});

Deno.test("with mutual TLS a client without a certificate, or with a foreign one, is refused", async () => {
  const [hub] = await pki("hub");
  const [stranger] = await pki("stranger");
  await using server = await serve({}, { tls: hub });
  await assertRejects(
    () => connect(server.url, {}, { tls: { ca: hub.ca } }),
    ConnectFailedError,
  );
  await assertRejects(
    () => connect(server.url, {}, { tls: { ...stranger, ca: hub.ca } }),
    ConnectFailedError,
    "the server may have refused our certificate",
  );
  await assertRejects(
    () => connect(server.url, {}, { tls: stranger }),
    ConnectFailedError,
    "the server's certificate is not from our CA",
  );
  await assertRejects(() => connect(server.url.replace("wss", "ws")), ConnectFailedError);
  assertEquals(server.broker.length, 0);
});

Deno.test("a client may ask for the name in the server's certificate", async () => {
  const [hub, kitchen] = await pki("hub", "kitchen");
  await using server = await serve({}, { tls: hub });
  await using _client = await connect(server.url, {}, { tls: { ...kitchen!, name: "hub" } });
  await assertRejects(
    () => connect(server.url, {}, { tls: { ...kitchen!, name: "attic" } }),
    ConnectFailedError,
    'the server\'s certificate is of "hub", not of "attic"',
  );
});

Deno.test("TLS without an authority asks for no certificate", async () => {
  const [{ cert, key, ca }] = await pki("hub");
  await using server = await serve({}, { tls: { cert, key } });
  await using client = await connect(server.url, {}, { tls: { ca } });
  assertEquals(client.connection.peer, "hub");
  assert(server.broker.connections[0]!.peer.startsWith("127.0.0.1:"));
  await client.broker.send(Word({ word: "Hello" }));
  await until("it", () => server.received.length === 1);
});

/** A broker behind a `Deno.serve` of its user. */
function handled(options: Partial<BrokerOptions> = {}): Observed & AsyncDisposable & {
  readonly url: string;
} {
  const observed = observe(options);
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen() {} },
    (request, info) =>
      new URL(request.url).pathname === "/hello"
        ? new Response("Hello")
        : observed.broker.handler(request, info),
  );
  return {
    ...observed,
    url: `ws://127.0.0.1:${server.addr.port}/words`,
    async [Symbol.asyncDispose]() {
      await observed.broker.close();
      await server.shutdown();
    },
  };
}

for (const encoding of ["application/json", "application/msgpack", "application/cbor"] as const) {
  Deno.test(`behind an existing server messages go both ways in ${encoding}`, async () => {
    await using server = handled({
      onMessage: (connection, message) =>
        connection.send(Word({ word: (message.value as { word: string }).word + " World" })),
    });
    await using client = await connect(server.url, {}, { encoding });
    await client.broker.send(Word({ word: "Hello" }));
    await until("the answer", () => client.received.length === 1);
    assertEquals(client.received, ['1 {"word":"Hello World"}']);
    await server.broker.flush();
    assert(server.broker.connections[0]!.peer.startsWith("127.0.0.1:"));
    const response = await fetch(server.url.replace("ws:", "http:").replace("words", "hello"));
    assertEquals(await response.text(), "Hello");
  });
}

Deno.test("behind an existing server the runtime's own WebSocket can be the client", async () => {
  await using server = handled();
  const socket = new WebSocket(server.url, ["application.cbor", "application.json"]);
  socket.binaryType = "arraybuffer";
  const message = Promise.withResolvers<Uint8Array>();
  const closed = Promise.withResolvers<CloseEvent>();
  socket.onmessage = ({ data }) => message.resolve(new Uint8Array(data));
  socket.onclose = closed.resolve;
  await until("the connection", () => server.broker.length === 1);
  assertEquals(server.broker.connections[0]!.encoding, "application/cbor");
  await server.broker.send(Text("x"));
  assertEquals(await message.promise, frame(11, Uint8Array.of(0x61, 0x78)));
  socket.send(frame(11, Uint8Array.of(0x61, 0x79)) as Uint8Array<ArrayBuffer>);
  await until("the answer", () => server.received.length === 1);
  socket.close(1000, "enough");
  await closed.promise;
  await until("its end", () => server.ends.length === 1);
  assertEquals(server.ends, ["1000 enough"]);
});

Deno.test("behind an existing server refusals are the same", async () => {
  await using server = handled({ maxConnections: 1, encodings: ["application/json"] });
  const http = server.url.replace("ws:", "http:");
  const plain = await fetch(http);
  await plain.body?.cancel();
  assertEquals([plain.status, plain.headers.get("upgrade")], [426, "websocket"]);
  await assertRejects(
    () => connect(server.url, {}, { encoding: "application/cbor" }),
    InvalidEncodingError,
    "application.json",
  );
  await using first = await connect(server.url);
  const error = await assertRejects(() => connect(server.url), ConnectFailedError);
  assertEquals(error.status, 503);
  await first.broker.close();
  await until("its end", () => server.ends.length === 1);
  await using _second = await connect(server.url);
});

Deno.test("behind an existing server a peer that does what it must not is cut off", async () => {
  await using server = handled({ maxMessageSize: 1_000 });
  for (
    const [message, code, error] of [
      [frame(77, "{}"), 4003, "Message code 77"],
      [Uint8Array.of(1), 4002, "no code"],
      ["text", 4003, "only binary"],
      [frame(10, "{"), 4007, "is not application/json"],
      [frame(11, `"${"x".repeat(1_000)}"`), 4009, "too big"],
    ] as const
  ) {
    await using peer = await rawPeer(server.url);
    peer.socket.send(message);
    assertEquals((await peer.closed).code, code);
    const last = server.errors.pop()!;
    assert(last.includes(error), last);
  }
  await until("their ends", () => server.ends.length === 5);
  assertEquals([server.received, server.broker.length], [[], 0]);
});

Deno.test("behind an existing server a peer that stops reading is cut off; others get all", async () => {
  const block = "x".repeat(64 * 1024);
  await using server = handled({ sendBufferSize: 32 });
  await using client = await connect(server.url);
  await using peer = await rawPeer(server.url);
  peer.socket.pause();
  let sent = 0;
  while (server.errors.length === 0) {
    assertLess(sent, 2_000);
    await server.broker.send(Text(`${sent++} ${block}`));
  }
  await server.broker.send(Text("last"));
  await until("all", () => client.received.at(-1) === '1 "last"');
  assertEquals(client.received.length, sent + 1);
  assert(server.errors[0]!.includes("(1013): 32 messages are not read"), server.errors[0]);
  peer.socket.terminate();
});

Deno.test("behind an existing server one that floods a slow handler is cut off", async () => {
  const gate = Promise.withResolvers<void>();
  await using server = handled({ onMessage: () => gate.promise });
  await using peer = await rawPeer(server.url);
  for (let n = 0; server.errors.length === 0; n++) {
    assertLess(n, 2_000);
    for (let burst = 0; burst < 10; burst++) peer.socket.send(frame(11, `"${n}"`));
    await turn(1);
  }
  assert(server.errors[0]!.includes("faster than they are handled"), server.errors[0]);
  gate.resolve();
});
