/**
 * The demo's hub: passes readings on, and tells who has arrived.
 *
 * `hub.ts CONFIG`, started by `main.ts` with no more permissions than these: read of its
 * configuration and certificates, read and write below its data directory, the address that it
 * listens on, and the two environment variables that the WebSocket library looks at.
 *
 * @module
 */
import { Messenger } from "@keyop/messenger";
import { type Arrival, ARRIVAL_TYPE, ARRIVALS, commands, parseArrival, tell } from "./events.ts";

await using messenger = await Messenger.open(Deno.args[0]!);
messenger.registerPayloadType(ARRIVAL_TYPE, parseArrival);
await messenger.subscribe<Arrival>(ARRIVALS, "demo", ({ payload }) => {
  tell({ event: "arrived", name: payload.name });
});
tell({ event: "ready" });
for await (const _ of commands());
