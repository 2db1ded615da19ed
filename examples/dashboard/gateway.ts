/**
 * The dashboard's gateway: the demo's hub, with its channels open to browsers.
 *
 * `gateway.ts CONFIG PORT ORIGIN`, started by `main.ts` with no more permissions than these: read of
 * its configuration and certificates, read and write below its data directory, its two addresses, and
 * the environment, which libraries of the gateway look at.
 *
 * @module
 */
import { consoleLogger, Messenger } from "@keyop/messenger";
import { Gateway } from "@keyop/messenger/gateway";
import { commands, tell } from "../demo/events.ts";

const [config, port, origin] = Deno.args;

await using messenger = await Messenger.open(config!);
await using _gateway = await Gateway.open({
  server: { allowAnonymous: true, http: { enabled: false } },
  transport: {
    websocket: { addr: `127.0.0.1:${port}`, allowedOrigins: [origin!] },
    grpc: { enabled: false },
  },
  broker: { type: "messenger" },
}, { messenger, logger: consoleLogger({ level: "warn" }) });
tell({ event: "ready" });
for await (const _ of commands());
