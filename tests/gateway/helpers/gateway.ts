import { systemClock } from "../../../src/base/mod.ts";
import { type GatewayParts, GatewayRuntime } from "../../../src/gateway/runtime.ts";
import { openAuthorizer } from "../../../src/gateway/session/mod.ts";
import { type ClientServerOptions, listenForClients } from "../../../src/gateway/transport/mod.ts";
import { RecordingLogger } from "../../helpers/recording_logger.ts";

/** What a test wants to be different. */
export interface TestGatewayOptions extends Partial<Omit<GatewayParts, "servers">> {
  readonly server?: Partial<Omit<ClientServerOptions, "hub">>;
}

/** A gateway on a free port of the loopback interface. */
export interface TestGateway extends AsyncDisposable {
  readonly gateway: GatewayRuntime;
  readonly hub: GatewayRuntime["hub"];
  readonly port: number;
  /** `ws://127.0.0.1:port/ws`. */
  readonly url: string;
}

/** Starts one. */
export async function testGateway(options: TestGatewayOptions = {}): Promise<TestGateway> {
  const { server, ...parts } = options;
  const clock = parts.clock ?? systemClock;
  const logger = parts.logger ?? new RecordingLogger();
  const gateway = await GatewayRuntime.start({
    authorizer: openAuthorizer,
    drainTimeoutMs: 2_000,
    ...parts,
    servers: [(hub) =>
      listenForClients({
        hub,
        address: { host: "127.0.0.1", port: 0 },
        path: "/ws",
        origins: { allowedOrigins: [], allowAllOrigins: false },
        sse: true,
        readTimeoutMs: 10_000,
        clock,
        logger,
        ...server,
      })],
  });
  const port = Number(gateway.addresses["websocket"]!.split(":").at(-1));
  const scheme = server?.tls === undefined ? "ws" : "wss";
  return {
    gateway,
    hub: gateway.hub,
    port,
    url: `${scheme}://127.0.0.1:${port}/ws`,
    [Symbol.asyncDispose]: () => gateway.close(),
  };
}
