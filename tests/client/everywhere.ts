/**
 * What the client does in every runtime, for tests that bundle it: two clients, messages one way, a
 * break in the middle, and what the reader got.
 *
 * @module
 */
import { GatewayClient, type GatewayClientOptions } from "../../client.ts";
import { protobufCodec } from "../../client_protobuf.ts";

/** How to connect. */
export interface EverywhereOptions {
  readonly url: string;
  readonly transport?: "auto" | "websocket" | "sse";
  readonly protobuf?: boolean;
}

/** What the reader got. */
export interface EverywhereResult {
  readonly transport: string;
  readonly numbers: readonly number[];
  readonly echo: unknown;
  readonly viewers: number;
  readonly recovered: boolean;
  readonly gaps: number;
}

/** Publishes 1 to 20 to itself; `breakNow` is called half way and ends the reader's connection. */
export async function everywhere(
  { url, transport = "auto", protobuf = false }: EverywhereOptions,
  breakNow: (sessionId: string) => void | Promise<void>,
): Promise<EverywhereResult> {
  const options: GatewayClientOptions = {
    transport,
    reconnectBaseMs: 10,
    reconnectMaxMs: 100,
    ...(protobuf ? { codec: protobufCodec } : {}),
  };
  const reader = new GatewayClient(url, options);
  const writer = new GatewayClient(url, options);
  try {
    let used = "";
    let recovered = false;
    let gaps = 0;
    reader.on("connected", ({ transport }) => used = transport);
    reader.on("recovered", () => recovered = true);
    reader.on("gap", () => gaps++);
    await Promise.all([reader, writer].map((each) => each.connect()));
    const numbers: number[] = [];
    let finish = () => {};
    const done = new Promise<void>((resolve) => finish = resolve);
    const channel = reader.channel<number>("numbers");
    await channel.subscribe(({ data }) => {
      if (numbers.push(data) === 20) finish();
    });
    const { occupancy } = await channel.presence();
    for (let n = 1; n <= 20; n++) {
      if (n === 10) await breakNow(reader.sessionId!);
      await writer.channel<number>("numbers").publish(n);
    }
    await done;
    const echo = await reader.rpc("jobs", "echo", { text: "hé" });
    return { transport: used, numbers, echo, viewers: occupancy, recovered, gaps };
  } finally {
    reader.close();
    writer.close();
  }
}
