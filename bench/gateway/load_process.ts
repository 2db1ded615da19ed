/** Clients of a server to be measured, in a process of their own: `load_process.ts bare|json|proto PORT`. */
import { create, toBinary } from "@bufbuild/protobuf";
import { client, CloudEventSchema } from "../../src/gateway/proto/mod.ts";
import { answer, requests } from "../lib/child.ts";
import { RawClient } from "./raw_client.ts";

/** What the process can be asked. */
export type LoadRequest =
  /** Opens clients that are subscribed to one channel, or only connected. */
  | { readonly do: "open"; readonly count: number; readonly subscribe: boolean }
  /** Publishes as fast as all can take it. */
  | { readonly do: "flood"; readonly count: number; readonly bytes: number }
  /** Publishes at a pace and measures how long each delivery takes. */
  | { readonly do: "pace"; readonly count: number; readonly everyMs: number }
  /** Takes all of a channel's history, from its beginning. */
  | { readonly do: "replay"; readonly count: number };

/** How long something took. */
export interface LoadTime {
  readonly ms: number;
}

/** How long deliveries took, and how many there were a second. */
export interface LoadPace {
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly perSecond: number;
}

const CHANNEL = "bench";
/** Messages that may be under way. */
const WINDOW = 8;
/** Connections that are opened at a time. */
const OPENING = 50;

const [kind, port] = [Deno.args[0] as "bare" | "json" | "proto", Number(Deno.args[1])];
const isText = kind !== "proto";
const subprotocol = `messageloop+${kind === "proto" ? "proto" : "json"}`;
const encoder = new TextEncoder();
const clients: RawClient[] = [];
let deliveries = 0;
let onDelivery: (payload: Uint8Array) => void = () => {};
/** Frames shorter than this are answers to requests. */
const DELIVERY_BYTES_MIN = 300;

for await (const request of requests<LoadRequest>()) {
  if (request.do === "open") answer(await open(request.count, request.subscribe));
  else if (request.do === "flood") answer(await flood(request.count, request.bytes));
  else if (request.do === "pace") answer(await pace(request.count, request.everyMs));
  else answer(await replay(request.count));
}
Deno.exit(0);

async function open(count: number, subscribe: boolean): Promise<LoadTime> {
  const began = performance.now();
  for (let done = 0; done < count; done += OPENING) {
    const some = Array.from({ length: Math.min(OPENING, count - done) }, () => openOne(subscribe));
    clients.push(...await Promise.all(some));
  }
  return { ms: performance.now() - began };
}

/** One client; opened when its last request is answered. */
async function openOne(subscribe: boolean): Promise<RawClient> {
  const ready = Promise.withResolvers<void>();
  let answers = 0;
  const awaited = kind === "bare" ? 0 : subscribe ? 2 : 1;
  const opened = await RawClient.open(port, subprotocol, (length, payload) => {
    if (length < DELIVERY_BYTES_MIN) {
      if (++answers === awaited) ready.resolve();
      return;
    }
    deliveries++;
    onDelivery(payload);
  });
  if (kind === "bare") {
    if (subscribe) await opened.send(new Uint8Array([1]), false);
    return opened;
  }
  await opened.send(frame({ case: "connect", value: create(client.ConnectSchema) }), isText);
  if (subscribe) {
    const subscriptions = [
      create(client.SubscriptionSchema, { channel: CHANNEL, ephemeral: true }),
    ];
    const value = create(client.SubscribeSchema, { subscriptions });
    await opened.send(frame({ case: "subscribe", value }), isText);
  }
  await ready.promise;
  return opened;
}

async function flood(count: number, bytes: number): Promise<LoadTime> {
  const receivers = clients.length;
  const publisher = await openOne(false);
  const payload = published("A".repeat(bytes));
  const done = Promise.withResolvers<void>();
  const first = deliveries;
  let sent = 0;
  const began = performance.now();
  const sendMore = () => {
    const whole = Math.floor((deliveries - first) / receivers);
    while (sent < count && sent - whole < WINDOW) {
      sent++;
      publisher.send(payload, isText);
    }
    if (whole === count) done.resolve();
  };
  onDelivery = () => {
    if ((deliveries - first) % receivers === 0) sendMore();
  };
  sendMore();
  await done.promise;
  const ms = performance.now() - began;
  onDelivery = () => {};
  publisher.close();
  return { ms };
}

async function pace(count: number, everyMs: number): Promise<LoadPace> {
  const receivers = clients.length;
  const publisher = await openOne(false);
  const times: number[] = [];
  const sentAt: number[] = [];
  const counts = new Map<number, number>();
  const done = Promise.withResolvers<void>();
  onDelivery = (payload) => {
    const n = numberOf(payload);
    times.push(performance.now() - sentAt[n]!);
    counts.set(n, (counts.get(n) ?? 0) + 1);
    if (times.length === count * receivers) done.resolve();
  };
  const began = performance.now();
  for (let n = 0; n < count; n++) {
    const wait = began + n * everyMs - performance.now();
    if (wait > 0) await new Promise((resolve) => setTimeout(resolve, wait));
    // From when it should have been sent: a sender that is held up does not hide it.
    sentAt[n] = Math.min(performance.now(), began + n * everyMs + 1);
    publisher.send(published(`N${String(n).padStart(8, "0")}N${"A".repeat(290)}`), isText);
  }
  await done.promise;
  const seconds = (performance.now() - began) / 1_000;
  onDelivery = () => {};
  publisher.close();
  times.sort((a, b) => a - b);
  return {
    p50Ms: times[Math.floor(times.length * 0.5)]!,
    p99Ms: times[Math.floor(times.length * 0.99)]!,
    perSecond: times.length / seconds,
  };
}

/** The number that a paced message carries in its id, which no codec changes. */
function numberOf(payload: Uint8Array): number {
  // `"id":"#00000012#"` or the same text in protobuf.
  for (let at = 0; at < payload.length; at++) {
    if (payload[at] === 0x23 && payload[at + 9] === 0x23) {
      let n = 0;
      for (let digit = at + 1; digit < at + 9; digit++) n = n * 10 + payload[digit]! - 0x30;
      return n;
    }
  }
  throw new Error("a delivery carries no number");
}

/** A frame that publishes a text. What follows the N in the text goes into the id as well. */
function published(text: string): Uint8Array {
  const number = /^N(\d{8})N/.exec(text)?.[1];
  const id = number === undefined ? "an id of a message" : `#${number}#`;
  if (kind === "bare") {
    // As long as what the gateway delivers for it.
    return encoder.encode(`{"id":"${id}","pad":"${"p".repeat(360)}","data":"${btoa(text)}"}`);
  }
  const value = create(CloudEventSchema, {
    id,
    source: "bench",
    type: "bench",
    data: { case: "binaryData", value: encoder.encode(text) },
  });
  return frame({ case: "publish", value }, CHANNEL);
}

async function replay(count: number): Promise<LoadTime> {
  const done = Promise.withResolvers<void>();
  const needle = encoder.encode(kind === "proto" ? String(count) : `"offset":"${count}"`);
  const began = performance.now();
  const one = await RawClient.open(port, subprotocol, (length, payload) => {
    // The acknowledgement names the last offset too.
    if (length >= DELIVERY_BYTES_MIN && includes(payload, needle)) done.resolve();
  });
  await one.send(frame({ case: "connect", value: create(client.ConnectSchema) }), isText);
  const subscriptions = [create(client.SubscriptionSchema, { channel: CHANNEL, ephemeral: true })];
  const value = create(client.SubscribeSchema, { subscriptions });
  const metadata = { "keyop-recover": "1", [`keyop-since.${CHANNEL}`]: ":0" };
  await one.send(frame({ case: "subscribe", value }, "", metadata), isText);
  await done.promise;
  const ms = performance.now() - began;
  one.close();
  return { ms };
}

/** Whether bytes end with, or have near their end, some others: the last message of a frame. */
function includes(bytes: Uint8Array, needle: Uint8Array): boolean {
  for (let at = bytes.length - needle.length; at >= Math.max(0, bytes.length - 1_200); at--) {
    let same = 0;
    while (same < needle.length && bytes[at + same] === needle[same]) same++;
    if (same === needle.length) return true;
  }
  return false;
}

function frame(
  envelope: client.InboundMessage["envelope"],
  channel = "",
  metadata: Record<string, string> = {},
): Uint8Array {
  const message = create(client.InboundMessageSchema, { id: "1", channel, metadata, envelope });
  return kind === "proto" ? toBinary(client.InboundMessageSchema, message) : jsonFrame(message);
}

function jsonFrame(message: client.InboundMessage): Uint8Array {
  const { envelope, channel, metadata, id } = message;
  const body = envelope.case === "publish"
    ? {
      publish: {
        id: envelope.value.id,
        source: envelope.value.source,
        type: envelope.value.type,
        binary_data: (envelope.value.data.value as Uint8Array).toBase64(),
      },
    }
    : envelope.case === "subscribe"
    ? {
      subscribe: {
        subscriptions: envelope.value.subscriptions.map(({ channel, ephemeral }) => ({
          channel,
          ephemeral,
        })),
      },
    }
    : { connect: {} };
  return encoder.encode(JSON.stringify({ id, channel, metadata, ...body }));
}
