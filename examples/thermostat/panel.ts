/**
 * A panel on the wall, another client of the hub: asks the thermostat for a temperature, once.
 * `panel.ts BUS_URL CELSIUS`
 *
 * @module
 */
import { openBus } from "@keyop/messenger/bus";
import { target } from "./subjects.ts";

await using bus = await openBus(Deno.args[0]!);
const { before, celsius } = await target.request(bus, { celsius: Number(Deno.args[1]) });
console.log(`the target is ${celsius} °C, it was ${before} °C`);
