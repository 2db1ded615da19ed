/**
 * The room, a client of the hub: measures the temperature and has a heating that can be switched.
 * `room.ts BUS_URL`; it ends when its input does.
 *
 * @module
 */
import { openBus } from "@keyop/messenger/bus";
import { heating, temperature } from "./subjects.ts";

const MEASURE_EVERY_MS = 25;
const OUTSIDE = 5;

await using bus = await openBus(Deno.args[0]!);
let celsius = 17;
let isOn = false;

await heating.serve(bus, ({ on }) => {
  isOn = on;
  return { on };
});
console.log("measuring");

const measuring = setInterval(() => {
  celsius += (isOn ? 0.4 : 0) - (celsius - OUTSIDE) * 0.004;
  temperature.publish(bus, { celsius }).catch((error) => console.error(String(error)));
}, MEASURE_EVERY_MS);
for await (const _ of Deno.stdin.readable);
clearInterval(measuring);
