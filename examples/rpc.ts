/**
 * A request between two processes, with no server at all: they share a SQLite file.
 *
 * Run it in this folder. In one terminal the process that answers:
 *
 * ```sh
 * deno run --allow-read=bus.db,bus.db-wal --allow-write=bus.db rpc.ts serve
 * ```
 *
 * and in another one, as often as you like, before or after it, the process that asks:
 *
 * ```sh
 * deno run --allow-read=bus.db,bus.db-wal --allow-write=bus.db rpc.ts 19.5
 * ```
 *
 * With another `BUS` the same program runs over a server, and on several hosts. Over NATS it needs
 * `--allow-net=127.0.0.1:4222` in place of the two permissions.
 *
 * @module
 */
import { openBus, subject } from "@keyop/messenger/bus";
import { z } from "zod";

const BUS = "sqlite:bus.db"; // or "nats://127.0.0.1:4222"

const thermostat = subject("thermostat", {
  request: z.object({ celsius: z.number() }),
  response: z.object({ heat: z.boolean() }),
});

await using bus = await openBus(BUS);
if (Deno.args[0] === "serve") {
  const server = await thermostat.serve(bus, ({ celsius }) => ({ heat: celsius < 20 }));
  console.log(`serving ${thermostat.name}`);
  Deno.addSignalListener("SIGINT", () => void server.close());
  await server.closed;
} else {
  const celsius = Number(Deno.args[0]);
  const { heat } = await thermostat.request(bus, { celsius });
  console.log(`at ${celsius} °C the heating is ${heat ? "on" : "off"}`);
}
