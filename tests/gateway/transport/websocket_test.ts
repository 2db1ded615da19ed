import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { assert, assertEquals, assertRejects } from "@std/assert";
import { client as proto } from "../../../src/gateway/proto/mod.ts";
import {
  GatewayListenError,
  isOriginAllowed,
  listenForClients,
  negotiate,
} from "../../../src/gateway/transport/mod.ts";
import { makeCa } from "../../helpers/certs.ts";
import { until } from "../../helpers/until.ts";
import { type Json, TestClient } from "../helpers/client.ts";
import { testGateway } from "../helpers/gateway.ts";
import { RawSocket } from "../helpers/raw_socket.ts";

const OFFERS: readonly (readonly [readonly string[], string, "json" | "proto"])[] = [
  [["messageloop"], "messageloop", "json"],
  [["messageloop+json"], "messageloop+json", "json"],
  [["messageloop+proto"], "messageloop+proto", "proto"],
  [[], "", "json"],
  [["messageloop+proto", "messageloop+json"], "messageloop+proto", "proto"],
  [["messageloop+json", "messageloop+proto"], "messageloop+json", "json"],
  [["messageloop", "messageloop+proto"], "messageloop", "json"],
  [["unknown", "messageloop+proto"], "messageloop+proto", "proto"],
];

for (const [offered, answered, codec] of OFFERS) {
  Deno.test(`offering [${offered}] answers "${answered}" and speaks ${codec}`, async () => {
    await using gateway = await testGateway();
    await using client = await TestClient.open(gateway.url, { subprotocols: offered, codec });
    assertEquals(client.socket.protocol, answered);
    client.send({ id: "p", ping: {} });
    assertEquals((await client.next()).pong, {});
    assertEquals(client.binary, [codec === "proto"]);
  });
}

Deno.test("when no offer matches, no subprotocol is answered and JSON is spoken", async () => {
  await using gateway = await testGateway();
  using socket = await RawSocket.open(gateway.port, {
    "Sec-WebSocket-Protocol": "graphql-ws, json, constructor",
  });
  assert(socket.head.startsWith("HTTP/1.1 101"));
  assert(!/sec-websocket-protocol/i.test(socket.head));
  await socket.frame(1, `{"id":"p","ping":{}}`);
  const frame = await socket.next();
  assertEquals(frame!.opcode, 1);
  assertEquals(negotiate(["constructor", "__proto__"]).subprotocol, undefined);
});

Deno.test("either frame type is taken and decoded with the negotiated codec", async () => {
  await using gateway = await testGateway();
  await using json = await TestClient.open(gateway.url);
  json.sendRaw(new TextEncoder().encode(`{"id":"binary","ping":{}}`));
  assertEquals((await json.next()).id, "binary");
  // "\n\u0001t" and a ping are text as well.
  using proto = await RawSocket.open(gateway.port, {
    "Sec-WebSocket-Protocol": "messageloop+proto",
  });
  await proto.frame(1, pingBytes("t"));
  const answer = await proto.next();
  assertEquals([answer!.opcode, outboundOf(answer!.payload).id], [2, "t"]);
});

function pingBytes(id: string): Uint8Array {
  const envelope = { case: "ping" as const, value: {} };
  return toBinary(proto.InboundMessageSchema, create(proto.InboundMessageSchema, { id, envelope }));
}

function outboundOf(bytes: Uint8Array): Json {
  return fromBinary(proto.OutboundMessageSchema, bytes);
}

Deno.test("there is no compression, even when it is offered", async () => {
  await using gateway = await testGateway();
  using socket = await RawSocket.open(gateway.port, {
    "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
  });
  assert(!/sec-websocket-extensions/i.test(socket.head));
});

Deno.test("fragments are joined, with control frames between them", async () => {
  await using gateway = await testGateway();
  using socket = await RawSocket.open(gateway.port);
  await socket.frame(1, `{"id":"fr`, false);
  await socket.frame(9, "are you there");
  await socket.frame(0, `ag","ping"`, false);
  await socket.frame(0, `:{}}`);
  const pong = await socket.next();
  assertEquals([pong!.opcode, new TextDecoder().decode(pong!.payload)], [10, "are you there"]);
  assertEquals(JSON.parse(new TextDecoder().decode((await socket.next())!.payload)).id, "frag");
});

const ORIGINS: readonly (readonly [string | undefined, string, boolean])[] = [
  [undefined, "none", true],
  ["http://127.0.0.1:PORT", "the same host and port", true],
  ["https://app.example", "an allowed one", true],
  ["https://deep.sub.example.org", "one below an allowed name", true],
  ["https://example.org", "the allowed name itself, where only those below are", false],
  ["http://app.example", "an allowed name over another scheme", false],
  ["https://app.example.evil.com", "a name that begins like an allowed one", false],
  ["https://notsub.example.org.evil.com", "a name that goes on behind an allowed one", false],
  ["http://127.0.0.1:1", "another port", false],
  ["http://evil.com", "another host", false],
  ["null", "a page without an origin", false],
  ["://", "no origin at all", false],
];

for (const [origin, name, allowed] of ORIGINS) {
  Deno.test(`origin: ${name} is ${allowed ? "taken" : "refused with 403"}`, async () => {
    await using gateway = await testGateway({
      server: {
        origins: {
          allowedOrigins: ["https://app.example", "https://*.example.org"],
          allowAllOrigins: false,
        },
      },
    });
    const header = origin?.replace("PORT", String(gateway.port));
    using socket = await RawSocket.open(gateway.port, header ? { Origin: header } : {});
    assert(socket.head.startsWith(allowed ? "HTTP/1.1 101" : "HTTP/1.1 403"), socket.head);
  });
}

Deno.test("all origins may be allowed", () => {
  const rules = { allowedOrigins: [], allowAllOrigins: true };
  assert(isOriginAllowed("null", "a", rules));
});

Deno.test("an undecodable frame is a BAD_REQUEST with a fresh id, and the connection stays", async () => {
  await using gateway = await testGateway();
  for (const codec of ["json", "proto"] as const) {
    await using client = await TestClient.connected(gateway.url, {}, { codec });
    client.sendRaw(new Uint8Array([0xff, 0xff]));
    const { id, error, metadata } = await client.next();
    assertEquals([error.code, error.type, metadata], ["BAD_REQUEST", "client_error", undefined]);
    assert(id.length === 36);
    assertEquals(await client.settle(), []);
  }
});

Deno.test("a frame without an envelope, or with an unknown one, is a BAD_REQUEST", async () => {
  await using gateway = await testGateway();
  await using json = await TestClient.connected(gateway.url);
  for (const frame of [`{"id":"e"}`, `{"id":"e","teleport":{}}`]) {
    json.sendRaw(frame);
    const { id, error } = await json.next();
    assertEquals([id, error.code, error.type], ["e", "BAD_REQUEST", "client_error"]);
  }
  await using binary = await TestClient.connected(gateway.url, {}, { codec: "proto" });
  binary.sendRaw(new Uint8Array());
  assertEquals((await binary.next()).error.code, "BAD_REQUEST");
  binary.sendRaw(new Uint8Array([0xfa, 0x3f, 1, 65]));
  assertEquals((await binary.next()).error.code, "BAD_REQUEST");
});

for (
  const [sent, echoed] of [[1000, 1000], [1001, 1001], [3456, 3456], [undefined, 1005]] as const
) {
  Deno.test(`a peer that closes with ${sent ?? "no code"} gets it echoed`, async () => {
    await using gateway = await testGateway();
    await using client = await TestClient.connected(gateway.url);
    if (sent === undefined) client.socket.close();
    else client.socket.close(sent, "bye");
    assertEquals((await client.ended).code, echoed);
    await until("the session's end", () => gateway.hub.connections === 0);
  });
}

Deno.test("fifty closes by the gateway reach a built-in WebSocket clean, with code and reason", async () => {
  await using gateway = await testGateway();
  for (let n = 0; n < 50; n++) {
    const socket = new WebSocket(gateway.url, "messageloop+json");
    const { promise, resolve } = Promise.withResolvers<CloseEvent>();
    socket.onclose = resolve;
    const frames: Json[] = [];
    socket.onmessage = ({ data }) => {
      frames.push(JSON.parse(data));
      if (frames[0].connected) {
        gateway.hub.admin.disconnect([frames[0].connected.session_id], 3503, "");
      }
    };
    socket.onopen = () => socket.send(`{"connect":{}}`);
    const { code, reason, wasClean } = await promise;
    assertEquals([code, reason, wasClean], [3503, "force disconnect", true], `run ${n}`);
  }
});

Deno.test("a reason is cut to 123 bytes, between characters", async () => {
  await using gateway = await testGateway();
  await using client = await TestClient.connected(gateway.url);
  gateway.hub.admin.disconnect([client.sessionId], 4000, "ä".repeat(100));
  assertEquals(await client.ended, { code: 4000, reason: "ä".repeat(61) });
});

Deno.test("a peer that never answers a close is cut soon, and nobody waits for it", async () => {
  await using gateway = await testGateway();
  using socket = await RawSocket.open(gateway.port);
  await socket.frame(1, `{"connect":{}}`);
  const { connected } = JSON.parse(new TextDecoder().decode((await socket.next())!.payload));
  const began = performance.now();
  gateway.hub.admin.disconnect([connected.session_id], 0, "");
  assertEquals(gateway.hub.connections, 0);
  assert(performance.now() - began < 500);
  assertEquals(await socket.closeCode(), 3000);
  // It is cut although its peer says nothing.
  assertEquals(await socket.next(), undefined);
});

Deno.test("other paths are 404, and the path without an upgrade 426", async () => {
  await using gateway = await testGateway();
  const at = (path: string) => fetch(`http://127.0.0.1:${gateway.port}${path}`);
  for (
    const [path, status] of [["/", 404], ["/ws/x", 404], ["/ws", 426], ["/ws?x=1", 426]] as const
  ) {
    const response = await at(path);
    await response.body?.cancel();
    assertEquals(response.status, status, path);
  }
  await assertRejects(() => TestClient.open(gateway.url.replace("/ws", "/other")));
  await using client = await TestClient.open(`${gateway.url}?token=x`);
  assertEquals(await client.settle(), []);
});

Deno.test("a connection that asks for nothing is cut after the read timeout", async () => {
  await using gateway = await testGateway({ server: { readTimeoutMs: 50 } });
  using connection = await Deno.connect({ hostname: "127.0.0.1", port: gateway.port });
  assertEquals(await connection.read(new Uint8Array(1)).catch(() => null), null);
});

Deno.test("TLS: the same over wss", async () => {
  const tls = await (await makeCa()).issue("gateway");
  await using gateway = await testGateway({ server: { tls } });
  await using client = await TestClient.connected(gateway.url, {}, {
    ws: { ca: tls.ca },
  });
  await client.subscribe("a");
  await client.publish("a", "x");
  assertEquals((await client.close()).code, 1000);
});

Deno.test("a port that is taken is one clear error", async () => {
  await using gateway = await testGateway();
  const options = {
    hub: gateway.hub,
    address: { host: "127.0.0.1", port: gateway.port },
    path: "/ws",
    origins: { allowedOrigins: [], allowAllOrigins: false },
    sse: false,
    readTimeoutMs: 0,
    clock: gateway.hub.clock,
    logger: gateway.hub.logger,
  };
  const error = await assertRejects(() => listenForClients(options), GatewayListenError);
  assertEquals(error.code, "gateway_listen_failed");
  assert(error.message.includes(String(gateway.port)));
});
