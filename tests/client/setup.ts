import { GatewayClient, type GatewayClientOptions } from "../../client.ts";
import { type Peer, ScriptedGateway, type SentFrame } from "./scripted_gateway.ts";

/** Waits are short, so that tests are. */
export const QUICK: GatewayClientOptions = {
  transport: "websocket",
  reconnectBaseMs: 5,
  reconnectMaxMs: 20,
};

/** A client that has connected to a scripted gateway. */
export interface Scene extends AsyncDisposable {
  readonly gateway: ScriptedGateway;
  readonly client: GatewayClient;
  readonly peer: Peer;
  /** What the client said first. */
  readonly connect: SentFrame;
  /** What the client has told as errors. */
  readonly errors: unknown[];
}

/** Connects. */
export async function connected(options: GatewayClientOptions = {}): Promise<Scene> {
  const gateway = await ScriptedGateway.start();
  const client = new GatewayClient(gateway.url, { ...QUICK, ...options });
  const errors: unknown[] = [];
  client.on("error", (error) => errors.push(error));
  const connecting = client.connect();
  const peer = await gateway.next();
  const connect = await peer.welcome();
  await connecting;
  return {
    gateway,
    client,
    peer,
    connect,
    errors,
    async [Symbol.asyncDispose]() {
      client.close();
      await gateway[Symbol.asyncDispose]();
    },
  };
}

/** The next event of a client. */
export function once<Name extends Parameters<GatewayClient["on"]>[0]>(
  client: GatewayClient,
  name: Name,
): Promise<Parameters<Parameters<typeof client.on<Name>>[1]>[0]> {
  return new Promise((resolve) => {
    const off = client.on(name, (event) => {
      off();
      resolve(event);
    });
  });
}
