import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Gateway, type GatewayConfig } from "../../gateway.ts";
import { tempDir } from "../helpers/temp.ts";
import { GoPeer } from "./go_peer.ts";

// An independent peer behaves as the Go SDK does: one subprotocol, ids of nanoseconds, strict decoding, data as
// bytes with its content type. It stands on Go's own WebSocket, gRPC and protobuf libraries.

const TRANSPORTS = ["json", "proto", "grpc"] as const;

const skip = await GoPeer.missing();
if (skip !== undefined) console.log(`skipped: the peers in Go, since ${skip}`);

const binary = await tempDir();
globalThis.addEventListener("unload", () => Deno.removeSync(binary.path, { recursive: true }));
if (skip === undefined) await GoPeer.build(binary.path);

function test(name: string, run: () => Promise<void>): void {
  Deno.test({ name, ignore: skip !== undefined, fn: run });
}

function open(more: GatewayConfig = {}): Promise<Gateway> {
  return Gateway.open({
    ...more,
    server: { http: { enabled: false }, requireAuth: false, ...more.server },
    transport: { websocket: { addr: "127.0.0.1:0" }, grpc: { addr: "127.0.0.1:0" } },
  });
}

function addressOf(gateway: Gateway, transport: typeof TRANSPORTS[number]): string {
  const { grpc, websocket } = gateway.addresses;
  return transport === "grpc" ? grpc! : `ws://${websocket}/ws`;
}

for (const transport of TRANSPORTS) {
  test(`a Go client connects, subscribes, publishes, receives and calls over ${transport}`, async () => {
    await using gateway = await open();
    await using peer = new GoPeer(binary.path, [
      ...["-transport", transport, "-address", addressOf(gateway, transport)],
      ...["-channel", "room", "-publish", "3", "-expect", "3", "-rpc", "echo", "-auto", "extra"],
    ]);
    const ready = await peer.line();
    assertEquals(ready.subprotocol, transport === "grpc" ? "" : `messageloop+${transport}`);
    assert(ready.session_id.length > 0);
    peer.goOn();
    const result = await peer.line();
    assertEquals(result.errors, []);
    assertEquals(result.subscriptions, [{ channel: "extra" }]);
    assertEquals(
      result.received,
      [0, 1, 2].map((n) => ({
        channel: "room",
        source: "room",
        mlchannel: "room",
        offset: String(n + 1),
        type: "reading",
        content_type: "application/json",
        data: JSON.stringify({ from: transport, n }),
      })),
    );
    // No backend at all: the call comes back as it was.
    assertEquals(result.rpc, { data: "question", type: "echo", source: "sdk", mlreply: true });
    assertEquals(result.pong, true);
    peer.goOn();
    assertEquals((await peer.line()).end, transport === "grpc" ? "EOF" : "closed");
    assertEquals(await peer.exit(), 0);
  });
}

test("Go clients on all three transports receive what each of them publishes, in one order", async () => {
  await using gateway = await open();
  const each = 50;
  const peers = TRANSPORTS.map((transport) =>
    new GoPeer(binary.path, [
      ...["-transport", transport, "-address", addressOf(gateway, transport)],
      ...["-channel", "room", "-publish", String(each), "-expect", String(3 * each)],
    ])
  );
  try {
    for (const peer of peers) assertEquals((await peer.line()).ready, true);
    for (const peer of peers) peer.goOn();
    const results = await Promise.all(peers.map((peer) => peer.line()));
    for (const { errors, received } of results) {
      assertEquals(errors, []);
      assertEquals(received, results[0]!.received);
      assertEquals(
        received.map(({ offset }: { offset: string }) => Number(offset)),
        Array.from({ length: 3 * each }, (_, n) => n + 1),
      );
    }
    for (const peer of peers) peer.goOn();
    for (const peer of peers) {
      await peer.line();
      assertEquals(await peer.exit(), 0);
    }
  } finally {
    for (const peer of peers) await peer[Symbol.asyncDispose]();
  }
});

test("a Go client sees a disconnect of the gateway as each transport tells it", async () => {
  for (const transport of TRANSPORTS) {
    const gateway = await open();
    await using peer = new GoPeer(binary.path, [
      ...["-transport", transport, "-address", addressOf(gateway, transport)],
    ]);
    await peer.line();
    peer.goOn();
    await peer.line();
    await gateway.close();
    const { end, errors } = await peer.line();
    if (transport === "grpc") {
      assertEquals(end, "EOF");
      assertEquals(errors, ["DISCONNECT_ERROR/transport_error: connection closed"]);
    } else {
      assertStringIncludes(end, "3000");
      assertStringIncludes(end, "connection closed");
    }
  }
});

test("a backend in Go answers logins, subscriptions, notifications and calls", async () => {
  await using backend = new GoPeer(binary.path, ["-backend"]);
  const { listening } = await backend.line();
  await using gateway = await open({
    server: { http: { enabled: false } },
    proxy: [{ name: "go", endpoint: listening, grpc: { insecure: true }, routes: [{}] }],
  });
  const hooks = ["Authenticate", "OnConnected", "SubscribeAcl", "OnSubscribed", "RPC"];
  hooks.push("OnUnsubscribed", "OnDisconnected");
  for (const transport of TRANSPORTS) {
    const common = ["-transport", transport, "-address", addressOf(gateway, transport)];
    await using peer = new GoPeer(binary.path, [
      ...common,
      ...["-token", "letmein", "-client", transport, "-channel", "room", "-rpc", "ask"],
    ]);
    await peer.line();
    peer.goOn();
    const { rpc, errors } = await peer.line();
    assertEquals(errors, []);
    assertEquals([rpc.data, rpc.type, rpc.mlreply], ["question", "ask", true]);
    peer.goOn();
    await peer.line();
    assertEquals(await peer.exit(), 0);
    const calls = [];
    for (const _ of hooks) calls.push(await backend.line());
    assertEquals(calls.map(({ call }) => call).sort(), hooks.toSorted());
    for (const { call, hook, session, client, user } of calls) {
      assertEquals(hook, [call]);
      assertEquals(session, true);
      assertEquals(client, [transport]);
      assertEquals(user, [call === "Authenticate" ? "" : `user-${transport}`]);
    }

    await using refused = new GoPeer(binary.path, [...common, "-token", "wrong"]);
    const { refused: end, errors: why } = await refused.line();
    assertEquals(why[0], "BAD_TOKEN/auth_error: who are you");
    if (transport === "grpc") {
      assertEquals([why[1], end], [
        "DISCONNECT_ERROR/transport_error: invalid token",
        "EOF",
      ]);
    } else assertStringIncludes(end, "3500");
    assertEquals((await backend.line()).call, "Authenticate");
  }
});
