// @ts-types="@types/ws"
import { WebSocket } from "ws";
import { silentLogger } from "../../src/base/mod.ts";
import {
  type BrokerOptions,
  type Connection,
  type ConnectOptions,
  defineMessage,
  MessageBroker,
  type ServeInfo,
  type ServeOptions,
} from "../../src/pipes/mod.ts";

/** What most tests send. */
export const Word = defineMessage<{ word: string }>({ code: 10, name: "Word" });
/** For what is large. */
export const Text = defineMessage<string>({ code: 11, name: "Text" });

/** A broker that keeps what it was told. */
export interface Observed {
  readonly broker: MessageBroker;
  /** Values received, with the connection's id before each. */
  readonly received: string[];
  /** What went to `onError`, as `name: message`. */
  readonly errors: string[];
  /** Why connections ended, as `code reason`. */
  readonly ends: string[];
}

/** Makes a broker that knows the types above and answers nothing. */
export function observe(options: Partial<BrokerOptions> = {}): Observed {
  const received: string[] = [];
  const errors: string[] = [];
  const ends: string[] = [];
  const broker = new MessageBroker({
    messages: [Word, Text],
    logger: silentLogger,
    onMessage: (connection, message) => {
      received.push(`${connection.id} ${JSON.stringify(message.value)}`);
    },
    onError: (error) => errors.push(`${(error as Error).name}: ${(error as Error).message}`),
    onDisconnect: (_connection, { closeCode, message }) => {
      ends.push(`${closeCode} ${message.slice(message.lastIndexOf("): ") + 3)}`);
    },
    ...options,
  });
  return { broker, received, errors, ends };
}

/** A server on a free port. */
export async function serve(
  options: Partial<BrokerOptions> = {},
  serving: Partial<ServeOptions> = {},
): Promise<Observed & ServeInfo & AsyncDisposable> {
  const observed = observe(options);
  const info = await observed.broker.serve({ port: 0, ...serving });
  return { ...observed, ...info, [Symbol.asyncDispose]: () => observed.broker.close() };
}

/** A client of a server. */
export async function connect(
  url: string,
  options: Partial<BrokerOptions> = {},
  connecting: ConnectOptions = {},
): Promise<Observed & { readonly connection: Connection } & AsyncDisposable> {
  const observed = observe(options);
  const connection = await observed.broker.connect(url, connecting);
  return { ...observed, connection, [Symbol.asyncDispose]: () => observed.broker.close() };
}

/** A peer that a test plays by hand. */
export interface RawPeer extends AsyncDisposable {
  readonly socket: WebSocket;
  /** Every message that came, as bytes. */
  readonly messages: Uint8Array[];
  /** Settles with the close code. */
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
}

/** Connects without a broker. */
export async function rawPeer(url: string, protocol = "application.json"): Promise<RawPeer> {
  const socket = new WebSocket(url, [protocol], { perMessageDeflate: false });
  const messages: Uint8Array[] = [];
  socket.on("message", (data: Uint8Array) => messages.push(Uint8Array.from(data)));
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on("close", (code, reason) => resolve({ code, reason: String(reason) }));
  });
  await new Promise<void>((resolve, reject) => {
    socket.on("open", () => resolve());
    socket.on("error", reject);
  });
  return {
    socket,
    messages,
    closed,
    async [Symbol.asyncDispose]() {
      socket.terminate();
      await closed;
    },
  };
}

/** A message as it is on the wire. */
export function frame(code: number, body: string | Uint8Array = ""): Uint8Array {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const message = new Uint8Array(4 + bytes.length);
  new DataView(message.buffer).setUint32(0, code);
  message.set(bytes, 4);
  return message;
}
