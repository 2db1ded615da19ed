/** A server that sends back what comes, or sends to all: `server_process.ts KIND ENCODING 0`. */
// @ts-types="@types/ws"
import { WebSocketServer } from "ws";
import type { AddressInfo } from "node:net";
import {
  MessageBroker,
  Pipe,
  type PipeConnection,
  type PipeMessage,
  type PipeSendOptions,
} from "@keyop/messenger/pipes";
import { answer, requests } from "../lib/child.ts";
import { fromArgs } from "./args.ts";
import { READING, Reading, type Reading as Value } from "./messages.ts";

/** What the process can be asked. */
export type ServerRequest =
  /** Sends to every connection, a message after the other. @returns The number of times that one was encoded. */
  { readonly do: "fan"; readonly count: number };

const PIPES = 3;
const PORT_ANY = 0;
const TIMEOUT_MS = 3_600_000;

/** Lets everything pass. */
class Pass extends Pipe {
  override handle(connection: PipeConnection, message: PipeMessage): Promise<void> {
    return super.handle(connection, message);
  }
  override send(
    message: PipeMessage,
    connections: readonly PipeConnection[],
    options?: PipeSendOptions,
  ): Promise<void> {
    return super.send(message, connections, options);
  }
}

const { kind, encoding } = fromArgs(Deno.args);
const fan = kind === "bare" ? await serveBare() : await serveBroker();
for await (const { count } of requests<ServerRequest>()) answer(await fan(count));
Deno.exit(0);

async function serveBare(): Promise<(count: number) => Promise<unknown>> {
  const server = new WebSocketServer({
    host: "127.0.0.1",
    port: PORT_ANY,
    perMessageDeflate: false,
  });
  server.on("connection", (socket) => socket.on("message", (data) => socket.send(data)));
  await new Promise<void>((resolve) => server.on("listening", () => resolve()));
  answer({ port: (server.address() as AddressInfo).port });
  const bytes = new Uint8Array(4 + JSON.stringify(READING).length);
  return async (count) => {
    for (let n = 0; n < count; n++) {
      const sent = Array.from(
        server.clients,
        (client) => new Promise<void>((resolve) => client.send(bytes, () => resolve())),
      );
      await Promise.all(sent);
    }
    return {};
  };
}

async function serveBroker(): Promise<(count: number) => Promise<unknown>> {
  const pipes = kind === "broker" ? [] : Array.from({ length: PIPES }, () => new Pass());
  const broker: MessageBroker = new MessageBroker({
    messages: [Reading],
    encodings: [encoding],
    pipes,
    // Bare clients have no heartbeat, and wait for their turn.
    timeoutMs: TIMEOUT_MS,
    onMessage: (connection, message) => broker.send(message, [connection]),
  });
  answer({ port: (await broker.serve({ port: PORT_ANY })).port });
  return async (count) => {
    let encoded = 0;
    const reading = Reading({
      ...READING,
      // JSON asks for it each time that the value is encoded.
      toJSON: () => (encoded++, READING),
    } as Value);
    for (let n = 0; n < count; n++) {
      await broker.send(reading);
      await broker.flush();
    }
    return { encoded: encoded / count };
  };
}
