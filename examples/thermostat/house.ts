/**
 * The thermostat, on the hub: follows the temperature, asks the room to heat or not, and lets a panel
 * set the target. `house.ts BUS_URL`; it ends when its input does.
 *
 * @module
 */
import { openBus } from "@keyop/messenger/bus";
import { heating, target, temperature } from "./subjects.ts";

await using bus = await openBus(Deno.args[0]!);
let aim = 18;
let isOn = false;

const readings = await temperature.stream(bus);
await target.serve(bus, ({ celsius }) => {
  const before = aim;
  aim = celsius;
  return { celsius, before };
});
console.log(`aiming at ${aim} °C`);

const ending = (async () => {
  for await (const _ of Deno.stdin.readable);
  await readings.close();
})();
for await (const { celsius } of readings) {
  if (isOn === celsius < aim) continue;
  // Waits in its channel while the room is not there.
  isOn = (await heating.request(bus, { on: !isOn }, { timeoutMs: 60_000 })).on;
  console.log(`${celsius.toFixed(1)} °C, aim ${aim} °C: heating ${isOn ? "on" : "off"}`);
}
await ending;
