import { type Config, Messenger, silentLogger } from "@keyop/messenger";
import { inScratch } from "./rounds.ts";

/** The channel that everything is published to. */
export const CHANNEL = "readings";
/** Type of the payload. */
export const PAYLOAD_TYPE = "com.example.Reading";
/** The payload: what a sensor says. Its record takes 273 bytes. */
export const PAYLOAD = {
  sensor: "kitchen/window",
  celsius: 21.5,
  humidity: 45,
  location: "ground floor, left wing",
  ok: true,
};

/** Opens a messenger that logs nothing. */
export function openMessenger(
  dataDir: string,
  storage: Omit<Config["storage"], "dataDir"> = {},
  config: Omit<Config, "storage"> = {},
): Promise<Messenger> {
  return Messenger.open(
    { name: "bench", ...config, storage: { dataDir, ...storage } },
    { logger: silentLogger },
  );
}

/** The file that a channel's first records are in. */
export function firstSegment(dataDir: string, start = 0): string {
  return `${dataDir}/channels/${CHANNEL}/${String(start).padStart(20, "0")}.jsonl`;
}

/**
 * The very line, with its line feed, that the messenger writes for the payload.
 *
 * @param parent An existing folder, in which a folder is used for a moment.
 */
export async function recordLine(parent?: string): Promise<Uint8Array> {
  return await inScratch(async (dir) => {
    await using messenger = await openMessenger(dir);
    await messenger.publish(CHANNEL, PAYLOAD_TYPE, PAYLOAD);
    return await Deno.readFile(firstSegment(dir));
  }, parent);
}

/** Publishes once, so that the channel is open when the clock starts. */
export async function warmUp(messenger: Messenger): Promise<void> {
  await messenger.publish(CHANNEL, PAYLOAD_TYPE, PAYLOAD);
}

/** Publishes messages, awaiting each. @returns Milliseconds. */
export async function publishOneByOne(messenger: Messenger, count: number): Promise<number> {
  const began = performance.now();
  for (let i = 0; i < count; i++) await messenger.publish(CHANNEL, PAYLOAD_TYPE, PAYLOAD);
  return performance.now() - began;
}

/** Publishes messages, awaiting them some at a time. @returns Milliseconds. */
export async function publishTogether(
  messenger: Messenger,
  count: number,
  together: number,
): Promise<number> {
  const began = performance.now();
  for (let sent = 0; sent < count; sent += together) {
    const pending: Promise<unknown>[] = [];
    for (let i = 0; i < together; i++) {
      pending.push(messenger.publish(CHANNEL, PAYLOAD_TYPE, PAYLOAD));
    }
    await Promise.all(pending);
  }
  return performance.now() - began;
}

/** The same with one call for each group. @returns Milliseconds. */
export async function publishBatches(
  messenger: Messenger,
  count: number,
  together: number,
): Promise<number> {
  const began = performance.now();
  for (let sent = 0; sent < count; sent += together) {
    const messages = Array.from(
      { length: together },
      () => ({ payloadType: PAYLOAD_TYPE, payload: PAYLOAD }),
    );
    await messenger.publishBatch(CHANNEL, messages);
  }
  return performance.now() - began;
}

/**
 * Follows the channel from its start until so many messages were handled.
 *
 * @returns Milliseconds from the call of `subscribe` to the last message.
 */
export async function deliver(messenger: Messenger, count: number): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let handled = 0;
  let last = -1;
  const began = performance.now();
  const subscription = await messenger.subscribe<typeof PAYLOAD>(CHANNEL, "bench", (message) => {
    if (message.position <= last) reject(new Error(`position ${message.position} after ${last}`));
    last = message.position;
    if (message.payload.celsius !== PAYLOAD.celsius) reject(new Error("another payload"));
    if (++handled === count) resolve();
  }, { from: "start" });
  await promise;
  const ms = performance.now() - began;
  await subscription.close();
  if (subscription.lagBytes !== 0) throw new Error(`${subscription.lagBytes} bytes undelivered`);
  return ms;
}
