/**
 * A sensor without storage: publishes one reading straight to the hub that it is given. When this ends
 * without an error, the hub has stored it.
 *
 * Run it in this folder while `hub.ts` runs, with certificates for the name `sensor` made as `hub.ts`
 * says:
 *
 * ```sh
 * deno run --allow-read=sensor.crt,sensor.key,ca.crt --allow-net=127.0.0.1:7740 --allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE --allow-sys=loadavg sensor.ts 127.0.0.1:7740
 * ```
 *
 * @module
 */
import { EphemeralMessenger } from "@keyop/messenger";

await using sensor = new EphemeralMessenger({
  hubAddr: Deno.args[0]!,
  instanceName: "sensor",
  tls: { cert: "sensor.crt", key: "sensor.key", ca: "ca.crt" },
});
await sensor.connect();
const [load] = Deno.loadavg();
const { id } = await sensor.publish("readings", "com.example.Load", { load });
console.log(`the hub has stored ${id}`);
