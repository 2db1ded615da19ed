/**
 * The demo's client one: publishes readings of this machine until it is told to stop, and then stays
 * until all of them have reached the hub.
 *
 * `publisher.ts CONFIG`, started by `main.ts` with the permissions of `hub.ts`, the hub's address
 * instead of its own, and `--allow-sys` for what it reads.
 *
 * @module
 */
import { Messenger } from "@keyop/messenger";
import { commands, READINGS, STOP_PUBLISHING, tell } from "./events.ts";
import { Meter } from "./meter.ts";
import { parseReading, READING_TYPE } from "./readings.ts";

const INTERVAL_MS = 50;

await using messenger = await Messenger.open(Deno.args[0]!);
messenger.registerPayloadType(READING_TYPE, parseReading);
tell({ event: "ready" });

const stop = new AbortController();
const publishing = publishReadings(stop.signal);
for await (const command of commands()) {
  if (command === STOP_PUBLISHING) stop.abort();
}
stop.abort();
await publishing;

async function publishReadings(signal: AbortSignal): Promise<void> {
  const meter = new Meter();
  while (!signal.aborted) {
    // It settles once the reading is in this process's own log, whether or not the hub is there.
    const { id } = await messenger.publish(READINGS, READING_TYPE, meter.read());
    tell({ event: "published", id });
    await nextReading(signal);
  }
  tell({ event: "publishing ended" });
}

function nextReading(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, INTERVAL_MS);
    signal.addEventListener("abort", done);
  });
}
