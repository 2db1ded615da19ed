/**
 * The dashboard: readings of this machine, live in the browser. A sensor publishes them to its own
 * messenger, which is linked to a hub whose channels a gateway opens to the page. Kill the gateway and
 * see the page fill the hole once it is back.
 *
 * `deno task dashboard [PORT]`
 *
 * @module
 */
import { Dashboard } from "./dashboard.ts";

const PORT = 8_480;

const port = Number(Deno.args[0] ?? PORT);
if (!Number.isInteger(port) || port < 0 || port > 65_535) {
  console.error(`${Deno.args[0]} is no port: give a number from 0 to 65535`);
  Deno.exit(2);
}
const ended = Promise.withResolvers<void>();
for (const signal of ["SIGINT", "SIGTERM"] as const) Deno.addSignalListener(signal, ended.resolve);

console.log("Certificates are made, the page is put together …");
await using dashboard = await Dashboard.start({ port, onStep: (text) => console.log(text) });
console.log(`Open ${dashboard.url} in one or more browsers, and end this with Ctrl-C.`);
console.log(`See what happens after kill -9 ${dashboard.gatewayPid}`);
await Promise.race([ended.promise, dashboard.failed]);
