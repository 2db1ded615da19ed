/**
 * Publishes a reading and handles it, in one process. Run it again: the channel goes on.
 *
 * Run it in this folder:
 *
 * ```sh
 * deno run --allow-read=data --allow-write=data one_process.ts
 * ```
 *
 * @module
 */
import { Messenger } from "@keyop/messenger";

interface Reading {
  readonly celsius: number;
}

function parseReading(value: unknown): Reading {
  const { celsius } = value as Partial<Reading>;
  if (typeof celsius !== "number") throw new TypeError("celsius: expected a number");
  return { celsius };
}

await using messenger = await Messenger.open({ name: "pi", storage: { dataDir: "data/one" } });
messenger.registerPayloadType("com.example.Reading", parseReading);

const handled = Promise.withResolvers<void>();
await messenger.subscribe<Reading>("readings", "display", ({ origin, payload, position }) => {
  console.log(`${origin} says ${payload.celsius} °C, at position ${position}`);
  handled.resolve();
});
await messenger.publish("readings", "com.example.Reading", { celsius: 21.5 });
await handled.promise;
