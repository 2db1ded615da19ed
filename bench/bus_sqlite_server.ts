/** Answers requests on the subject `echo`, until its input ends: `bus_sqlite_server.ts FILE`. */
import { silentLogger } from "@keyop/messenger";
import { SqliteBus } from "@keyop/messenger/bus";
import { answer, requests } from "./lib/child.ts";

await using bus = await SqliteBus.open(Deno.args[0]!, { logger: silentLogger });
await bus.serve("echo", (data) => data);
answer("serving");
for await (const _ of requests<never>()) throw new Error("nothing is to be told to this program");
