/** Clients of a server that is measured: `load_process.ts KIND ENCODING PORT`. */
// @ts-types="@types/ws"
import { WebSocket } from "ws";
import { type Connection, MessageBroker } from "@keyop/messenger/pipes";
import { loadEncoding, subprotocolOf } from "../../src/pipes/encoding.ts";
import { answer, requests } from "../lib/child.ts";
import { fromArgs } from "./args.ts";
import { READING, Reading } from "./messages.ts";

/** What the process can be asked. */
export type LoadRequest =
  /** Connects so many more clients. */
  | { readonly do: "open"; readonly count: number }
  /** Sends through the first client, so many under way at a time, until as many came back. */
  | { readonly do: "echo"; readonly count: number; readonly window: number }
  /** Counts from now on until so many have come in over all clients. */
  | { readonly do: "expect"; readonly count: number }
  /** Waits until they have. */
  | { readonly do: "arrived" };

const { kind, encoding, port } = fromArgs(Deno.args);
const url = `ws://127.0.0.1:${port}/`;
const bytes = (await loadEncoding(encoding)).encode(Reading.code, READING).slice();
const senders: (() => void)[] = [];
let onMessage = () => {};
let arrived = Promise.resolve();

for await (const request of requests<LoadRequest>()) {
  if (request.do === "open") answer(await open(request.count));
  else if (request.do === "echo") answer(await echo(request.count, request.window));
  else if (request.do === "expect") answer(expect(request.count));
  else answer((await arrived, {}));
}
Deno.exit(0);

async function open(count: number): Promise<unknown> {
  for (let n = 0; n < count; n++) senders.push(await (kind === "bare" ? openBare() : openBroker()));
  return {};
}

function openBare(): Promise<() => void> {
  const socket = new WebSocket(url, [subprotocolOf(encoding)], { perMessageDeflate: false });
  socket.on("message", () => onMessage());
  return new Promise((resolve, reject) => {
    socket.on("open", () => resolve(() => socket.send(bytes)));
    socket.on("error", reject);
  });
}

async function openBroker(): Promise<() => void> {
  const broker = new MessageBroker({
    messages: [Reading],
    encodings: [encoding],
    onMessage: () => onMessage(),
  });
  const connection: Connection = await broker.connect(url);
  return () => void connection.send(Reading(READING));
}

function echo(count: number, window: number): Promise<{ ms: number }> {
  const [send] = senders;
  let sent = 0;
  let received = 0;
  return new Promise((resolve) => {
    const began = performance.now();
    onMessage = () => {
      if (sent < count) {
        sent++;
        send!();
      }
      if (++received === count) resolve({ ms: performance.now() - began });
    };
    for (; sent < Math.min(window, count); sent++) send!();
  });
}

function expect(count: number): unknown {
  let received = 0;
  arrived = new Promise((resolve) => {
    onMessage = () => {
      if (++received === count) resolve();
    };
  });
  return {};
}
