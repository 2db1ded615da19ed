/**
 * The hub of two hosts: handles the readings that its clients publish, and tells each how often to
 * measure. It runs until Ctrl-C.
 *
 * Make the certificates once, in this folder. The first command makes the authority, `ca.crt` and
 * `ca.key`; of these, each host gets only `ca.crt`. A hub is dialled under the names after `--san`.
 *
 * ```sh
 * deno run -A jsr:@keyop/messenger/cli keygen ca
 * deno run -A jsr:@keyop/messenger/cli keygen instance --ca ca.crt --ca-key ca.key --name hub --san 127.0.0.1
 * deno run -A jsr:@keyop/messenger/cli keygen instance --ca ca.crt --ca-key ca.key --name client
 * ```
 *
 * Then, in this folder, with `hub.yaml`, `hub.crt`, `hub.key` and `ca.crt`:
 *
 * ```sh
 * deno run --allow-read=hub.yaml,hub.crt,hub.key,ca.crt,data --allow-write=data --allow-net=127.0.0.1:7740 --allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE hub.ts
 * ```
 *
 * @module
 */
import { Messenger } from "@keyop/messenger";

interface Load {
  readonly load: number;
}

function parseLoad(value: unknown): Load {
  const { load } = value as Partial<Load>;
  if (typeof load !== "number") throw new TypeError("load: expected a number");
  return { load };
}

await using messenger = await Messenger.open("hub.yaml");
messenger.registerPayloadType("com.example.Load", parseLoad);
messenger.registerPayloadType("com.example.Settings");

const told = new Set<string>();
await messenger.subscribe<Load>("readings", "display", async (message) => {
  const { origin, payload } = message;
  console.log(`${origin} has a load of ${payload.load.toFixed(2)}`);
  if (told.has(origin)) return;
  await messenger.publish("settings", "com.example.Settings", { client: origin, intervalMs: 500 });
  told.add(origin);
});
console.log(`listening on ${messenger.hubAddr}`);

const interrupted = Promise.withResolvers<void>();
Deno.addSignalListener("SIGINT", () => interrupted.resolve());
await interrupted.promise;
