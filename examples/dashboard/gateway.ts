/**
 * The dashboard's gateway: the demo's hub, with its channels open to browsers.
 *
 * `gateway.ts CONFIG PORT ORIGIN`, started by `main.ts` with no more permissions than these: read of
 * its configuration and certificates, read and write below its data directory, its two addresses, and
 * the environment, which libraries of the gateway look at.
 *
 * @module
 */
import { Messenger } from "@keyop/messenger";
import { systemClock } from "../../src/base/mod.ts";
import { MessengerBroker } from "../../src/gateway/broker/mod.ts";
import { GatewayRuntime } from "../../src/gateway/runtime.ts";
import { openAuthorizer } from "../../src/gateway/session/mod.ts";
import { listenForClients } from "../../src/gateway/transport/mod.ts";
import { consoleLogger } from "@keyop/messenger";
import { commands, tell } from "../demo/events.ts";

const [config, port, origin] = Deno.args;

await using messenger = await Messenger.open(config!);
await using _gateway = await GatewayRuntime.start({
  authorizer: openAuthorizer,
  broker: new MessengerBroker(messenger),
  servers: [(hub) =>
    listenForClients({
      hub,
      address: { host: "127.0.0.1", port: Number(port) },
      path: "/ws",
      origins: { allowedOrigins: [origin!], allowAllOrigins: false },
      sse: true,
      readTimeoutMs: 10_000,
      clock: systemClock,
      logger: consoleLogger(),
    })],
});
tell({ event: "ready" });
for await (const _ of commands());
