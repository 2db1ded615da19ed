import { create, toBinary } from "@bufbuild/protobuf";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { Buffer } from "node:buffer";
import { connect } from "node:http2";
import { credentials } from "@grpc/grpc-js";
import { systemClock } from "../../../src/base/mod.ts";
import { client } from "../../../src/gateway/proto/mod.ts";
import { type GatewayParts, GatewayRuntime } from "../../../src/gateway/runtime.ts";
import { Disconnect, openAuthorizer } from "../../../src/gateway/session/mod.ts";
import {
  GatewayListenError,
  listenForGrpc,
  messagingService,
} from "../../../src/gateway/transport/mod.ts";
import { makeCa } from "../../helpers/certs.ts";
import { until } from "../../helpers/until.ts";
import { dataOf } from "../helpers/client.ts";
import { GrpcTestClient } from "../helpers/grpc_client.ts";

const FLUSH_TIMEOUT_MS = 200;

interface GrpcGateway extends AsyncDisposable {
  readonly runtime: GatewayRuntime;
  readonly address: string;
}

async function grpcGateway(
  parts: Partial<Omit<GatewayParts, "servers">> = {},
  tls?: { cert: string; key: string },
): Promise<GrpcGateway> {
  const runtime = await GatewayRuntime.start({
    authorizer: openAuthorizer,
    drainTimeoutMs: 2000,
    ...parts,
    servers: [(hub) =>
      listenForGrpc({
        name: "grpc",
        address: { host: "127.0.0.1", port: 0 },
        tls,
        messageBytesMax: hub.limits.frameBytes,
        services: [messagingService(hub, parts.clock ?? systemClock, FLUSH_TIMEOUT_MS)],
      })],
  });
  return {
    runtime,
    address: runtime.addresses["grpc"]!,
    [Symbol.asyncDispose]: () => runtime.close(),
  };
}

Deno.test("a gRPC client connects, subscribes, publishes and gets its publication", async () => {
  await using gateway = await grpcGateway();
  await using client = await GrpcTestClient.connected(gateway.address, { client_id: "c" });
  assert(client.sessionId.length > 0);
  const ack = await client.ask({ id: "s", subscribe: { subscriptions: [{ channel: "room" }] } });
  assertEquals(ack.subscribe_ack, { subscriptions: [{ channel: "room" }] });
  client.send({
    id: "p",
    channel: "room",
    publish: { id: "e", source: "here", type: "t", text_data: "hello" },
  });
  const frames = [await client.next(), await client.next()];
  const publication = frames.find((frame) => frame.publication)!;
  assertEquals(frames.find((frame) => frame.publish_ack)?.publish_ack, { offset: "1" });
  assertEquals(dataOf(publication.publication.messages[0]), "hello");
});

Deno.test("a half-close of the client ends its session, with status OK", async () => {
  await using gateway = await grpcGateway();
  await using client = await GrpcTestClient.connected(gateway.address);
  assertEquals(gateway.runtime.stats().connected, 1);
  client.stream.end();
  assertEquals((await client.ended).code, 0);
  assertEquals(gateway.runtime.stats().connections, 0);
});

Deno.test("a cancelled stream ends its session", async () => {
  await using gateway = await grpcGateway();
  const client = await GrpcTestClient.connected(gateway.address);
  await client[Symbol.asyncDispose]();
  await until("the session to end", () => gateway.runtime.stats().connections === 0);
});

Deno.test("a disconnect is the last frame, with its code, and the stream ends with OK at once", async () => {
  await using gateway = await grpcGateway();
  await using client = await GrpcTestClient.connected(gateway.address);
  gateway.runtime.hub.session(client.sessionId)!.end(new Disconnect(3503, "force disconnect"));
  // What is sent after it is not executed.
  client.send({ id: "late", channel: "room", publish: { id: "e", type: "t", text_data: "x" } });
  const { id, error, metadata } = await client.next();
  assert(id.length > 0);
  assertEquals(metadata, undefined);
  assertEquals(error, {
    code: "DISCONNECT_ERROR",
    type: "transport_error",
    message: "force disconnect",
    metadata: { disconnect_code: 3503 },
  });
  assertEquals((await client.ended).code, 0);
  assertEquals(client.frames.length, 2);
  assertEquals(gateway.runtime.stats().publicationsTotal, 0);
});

Deno.test("a frame before connect ends the stream with 3502", async () => {
  await using gateway = await grpcGateway();
  await using client = new GrpcTestClient(gateway.address);
  client.send({ id: "1", channel: "a", publish: { id: "e", type: "t" } });
  const { error } = await client.next();
  assertEquals([error.message, error.metadata], ["stale", { disconnect_code: 3502 }]);
  assertEquals((await client.ended).code, 0);
});

Deno.test("a frame that fails gets an error, and the stream goes on", async () => {
  await using gateway = await grpcGateway();
  await using client = await GrpcTestClient.connected(gateway.address);
  client.sendRaw(new Uint8Array([0xff, 0xff]));
  assertEquals((await client.next()).error.code, "BAD_REQUEST");
  const { error } = await client.ask({ id: "2", channel: "a..b", publish: { id: "e", type: "t" } });
  assertEquals([error.code, error.type], ["BAD_REQUEST", "request_error"]);
  assertEquals((await client.ask({ id: "3", ping: {} })).pong, {});
});

Deno.test("a frame that is too long ends the stream with RESOURCE_EXHAUSTED", async () => {
  await using gateway = await grpcGateway();
  await using client = await GrpcTestClient.connected(gateway.address);
  client.sendRaw(new Uint8Array(65_537));
  assertEquals((await client.ended).code, 8);
  await until("the session to end", () => gateway.runtime.stats().connections === 0);
});

Deno.test("frames of a fast sender are all answered, in their order", async () => {
  await using gateway = await grpcGateway();
  await using client = await GrpcTestClient.connected(gateway.address);
  const ids = Array.from({ length: 2000 }, (_, n) => `p${n}`);
  for (const id of ids) client.send({ id, ping: {} });
  for (const id of ids) assertEquals((await client.next()).id, id);
});

Deno.test("a client that reads nothing is closed as a slow consumer and holds up nobody", async () => {
  await using gateway = await grpcGateway({
    limits: { outboundFrames: 50, outboundBytes: 500_000, writeTimeoutMs: 0 },
  });
  await using slow = await GrpcTestClient.connected(gateway.address);
  await using quick = await GrpcTestClient.connected(gateway.address);
  for (const client of [slow, quick]) {
    await client.ask({ id: "s", subscribe: { subscriptions: [{ channel: "room" }] } });
  }
  slow.stream.pause();
  const text = "x".repeat(30_000);
  let sent = 0;
  while (gateway.runtime.stats().connections === 2 && sent < 500) {
    const id = `p${sent++}`;
    const ack = await quick.ask({
      id,
      channel: "room",
      publish: { id, type: "t", text_data: text },
    });
    assertEquals(ack.publish_ack, { offset: String(sent) });
  }
  assertEquals(gateway.runtime.stats().connections, 1, `after ${sent} publications`);
  // What waits for it is not kept for ever.
  const { code } = await slow.ended;
  assert(code !== 0, "it was cut before it read what was sent");
});

Deno.test("a gateway that stops ends its streams with 3000 and waits for them", async () => {
  const gateway = await grpcGateway();
  await using client = await GrpcTestClient.connected(gateway.address);
  const closing = gateway[Symbol.asyncDispose]();
  const { error } = await client.next();
  assertEquals([error.message, error.metadata], ["connection closed", { disconnect_code: 3000 }]);
  assertEquals((await client.ended).code, 0);
  await closing;
  await using late = new GrpcTestClient(gateway.address);
  assertEquals((await late.ended).code, 14, "UNAVAILABLE");
});

Deno.test("streams go through TLS", async () => {
  const ca = await makeCa();
  const identity = await ca.issue("gateway", { sans: ["DNS:localhost"] });
  await using gateway = await grpcGateway({}, identity);
  const port = gateway.address.split(":").at(-1);
  await using client = new GrpcTestClient(
    `localhost:${port}`,
    credentials.createSsl(Buffer.from(ca.cert)),
  );
  assert((await client.ask({ id: "1", connect: {} })).connected);
});

Deno.test("the content type application/grpc+proto is as good as application/grpc", async () => {
  await using gateway = await grpcGateway();
  const session = connect(`http://${gateway.address}`);
  const request = session.request({
    ":method": "POST",
    ":path": "/messageloop.v1.MessagingService/MessageLoop",
    "content-type": "application/grpc+proto",
    "te": "trailers",
  });
  const ended = Promise.withResolvers<string>();
  request.on("response", (headers) => {
    assertEquals(headers[":status"], 200);
    assertStringIncludes(String(headers["content-type"]), "application/grpc");
  });
  request.on("trailers", (trailers) => ended.resolve(String(trailers["grpc-status"])));
  request.on("error", ended.reject);
  let bytes = 0;
  request.on("data", (part: Uint8Array) => bytes += part.length);
  const ping = toBinary(
    client.InboundMessageSchema,
    create(client.InboundMessageSchema, { id: "1", envelope: { case: "ping", value: {} } }),
  );
  const frame = new Uint8Array(5 + ping.length);
  frame[4] = ping.length;
  frame.set(ping, 5);
  request.end(frame);
  assertEquals(await ended.promise, "0");
  assert(bytes > 5, "a pong came");
  session.close();
});

Deno.test("an address that is taken is one clear error", async () => {
  await using gateway = await grpcGateway();
  const port = Number(gateway.address.split(":").at(-1));
  const error = await assertRejects(
    () =>
      listenForGrpc({
        name: "grpc",
        address: { host: "127.0.0.1", port },
        messageBytesMax: 1000,
        services: [],
      }),
    GatewayListenError,
  );
  assertEquals(error.address, `127.0.0.1:${port}`);
});
