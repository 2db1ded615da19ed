/**
 * A server to be measured, in a process of its own: `server_process.ts bare|gateway`. It answers with
 * its port, and then what it is asked over its input.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
// @ts-types="@types/ws"
import { type WebSocket, WebSocketServer } from "ws";
import { systemClock } from "../../src/base/mod.ts";
import { MemoryBroker } from "../../src/gateway/broker/mod.ts";
import { makeEvent } from "../../src/gateway/event.ts";
import { GatewayRuntime } from "../../src/gateway/runtime.ts";
import { openAuthorizer } from "../../src/gateway/session/mod.ts";
import { listenForClients } from "../../src/gateway/transport/mod.ts";
import { answer, requests } from "../lib/child.ts";

/** What the process can be asked. */
export type ServerRequest =
  | { readonly do: "memory" }
  /** Publishes so many messages to a channel. */
  | {
    readonly do: "fill";
    readonly channel: string;
    readonly count: number;
    readonly bytes: number;
  };

/** What it answers to `memory`. */
export interface ServerMemory {
  readonly rssBytes: number;
}

const HISTORY = 100_000;

const server = Deno.args[0] === "bare" ? await bare() : await gateway();
answer({ port: server.port });
for await (const request of requests<ServerRequest>()) {
  if (request.do === "memory") {
    // What was only needed to connect is no part of an idle connection.
    (globalThis as { gc?: () => void }).gc?.();
    await new Promise<void>((resolve) => setTimeout(resolve, 300));
    (globalThis as { gc?: () => void }).gc?.();
    answer({ rssBytes: Deno.memoryUsage().rss } satisfies ServerMemory);
  } else {
    await server.fill(request.channel, request.count, request.bytes);
    answer({});
  }
}
Deno.exit(0);

interface Measured {
  readonly port: number;
  fill(channel: string, count: number, bytes: number): Promise<void>;
}

/** The least that a fan-out can be: every frame of anybody goes to everybody who is there. */
async function bare(): Promise<Measured> {
  const http = createServer();
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: 65_536,
  });
  const all = new Set<WebSocket>();
  http.on("upgrade", (request, socket, head) => {
    sockets.handleUpgrade(request, socket, head, (websocket: WebSocket) => {
      websocket.on("message", (data: Uint8Array, isBinary: boolean) => {
        // A first frame of one byte subscribes.
        if (data.length === 1) all.add(websocket);
        else for (const receiver of all) receiver.send(data, { binary: isBinary });
      });
      websocket.on("close", () => all.delete(websocket));
      websocket.on("error", () => {});
    });
  });
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", () => resolve()));
  return {
    port: (http.address() as AddressInfo).port,
    fill: () => Promise.reject(new Error("a bare server keeps nothing")),
  };
}

async function gateway(): Promise<Measured> {
  const broker = new MemoryBroker({ historySize: HISTORY });
  const runtime = await GatewayRuntime.start({
    authorizer: openAuthorizer,
    broker,
    servers: [(hub) =>
      listenForClients({
        hub,
        address: { host: "127.0.0.1", port: 0 },
        path: "/ws",
        origins: { allowedOrigins: [], allowAllOrigins: false },
        sse: false,
        readTimeoutMs: 10_000,
        clock: systemClock,
        logger: { debug() {}, info() {}, warn: console.error, error: console.error },
      })],
  });
  return {
    port: Number(runtime.addresses["websocket"]!.split(":").at(-1)),
    async fill(channel, count, bytes) {
      const event = makeEvent({ type: "bench", data: new Uint8Array(bytes).fill(65) });
      for (let n = 0; n < count; n++) await broker.publish(channel, event);
    },
  };
}
