/**
 * The demo's client two: handles readings and keeps the ids of those that it has handled in a file, so
 * that killing it does not lose the count.
 *
 * `receiver.ts CONFIG ID_FILE`, started by `main.ts` with the permissions of `publisher.ts`, except
 * `--allow-sys`. The file is below its own folder.
 *
 * @module
 */
import { Messenger } from "@keyop/messenger";
import { ARRIVAL_TYPE, ARRIVALS, commands, READINGS, tell } from "./events.ts";
import { HandledIds } from "./handled_ids.ts";
import { parseReading, type Reading, READING_TYPE } from "./readings.ts";

using handled = new HandledIds(Deno.args[1]!);
await using messenger = await Messenger.open(Deno.args[0]!);
messenger.registerPayloadType(READING_TYPE, parseReading);
await messenger.subscribe<Reading>(READINGS, "display", ({ id, payload, timestamp }) => {
  handled.add(id);
  tell({
    event: "handled",
    id,
    reading: payload,
    delayMs: Math.max(0, Date.now() - timestamp.getTime()),
  });
});
// A hub keeps a client's place in a channel from its first connection on. When this message is at the
// hub, the place is kept.
await messenger.publish(ARRIVALS, ARRIVAL_TYPE, { name: messenger.instanceName });
tell({ event: "ready" });
for await (const _ of commands());
