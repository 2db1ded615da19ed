/**
 * The client of two hosts: publishes this machine's load, as often as the hub says. Stop the hub and
 * start it again: what is published meanwhile follows. It runs until Ctrl-C.
 *
 * Run it in this folder, with `client.yaml` and certificates as `hub.ts` says:
 *
 * ```sh
 * deno run --allow-read=client.yaml,client.crt,client.key,ca.crt,data --allow-write=data --allow-net=127.0.0.1:7740 --allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE --allow-sys=loadavg client.ts
 * ```
 *
 * @module
 */
import { Messenger } from "@keyop/messenger";

interface Settings {
  readonly client: string;
  readonly intervalMs: number;
}

function parseSettings(value: unknown): Settings {
  const { client, intervalMs } = value as Partial<Settings>;
  if (typeof client !== "string") throw new TypeError("client: expected a string");
  if (typeof intervalMs !== "number") throw new TypeError("intervalMs: expected a number");
  return { client, intervalMs };
}

await using messenger = await Messenger.open("client.yaml");
messenger.registerPayloadType("com.example.Settings", parseSettings);
messenger.registerPayloadType("com.example.Load");

let timer = setInterval(measure, 2_000);
await messenger.subscribe<Settings>("settings", "timer", ({ payload }) => {
  if (payload.client !== messenger.instanceName) return;
  console.log(`measuring every ${payload.intervalMs} ms`);
  clearInterval(timer);
  timer = setInterval(measure, payload.intervalMs);
});
await measure();

const interrupted = Promise.withResolvers<void>();
Deno.addSignalListener("SIGINT", () => interrupted.resolve());
await interrupted.promise;
clearInterval(timer);

async function measure(): Promise<void> {
  const [load] = Deno.loadavg();
  await messenger.publish("readings", "com.example.Load", { load });
}
