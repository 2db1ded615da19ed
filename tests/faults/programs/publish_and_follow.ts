// Publishes, and follows what it publishes, until it is killed. Arguments: data directory, sync
// policy, segment bytes, seed.
import { silentLogger, systemClock } from "../../../src/base/mod.ts";
import { EnvelopeEncoder } from "../../../src/envelope/mod.ts";
import { FileChannelLogs, Subscriber, type SyncPolicy } from "../../../src/storage/mod.ts";
import { checkedPayload } from "../../helpers/checker.ts";
import { seeded } from "../../helpers/seeded.ts";
import { say } from "./say.ts";

const [dataDir, syncPolicy, segmentBytes, seed] = Deno.args;
const random = seeded(Number(seed));
const logger = { ...silentLogger, error: (message: string) => say(`error ${message}`) };
const logs = new FileChannelLogs(dataDir!, {
  syncPolicy: syncPolicy as SyncPolicy,
  segmentBytes: Number(segmentBytes),
  logger,
});
const log = await logs.open("events");
const encoder = new EnvelopeEncoder("publisher");
// One who has read nothing, so that every segment is kept for the checker.
await (await log.cursor("keeper")).save(0);
await Subscriber.start({
  log,
  subscriberId: "reader",
  from: "start",
  endAsked: false,
  maxRetries: 0,
  retryBackoffBaseMs: 1,
  retryBackoffMaxMs: 1_000,
  maxAgeMs: 0,
  cursorFlushMs: 0,
  lagWarnBytes: 0,
  decode: (_type, payload) => payload,
  deadLetter: () => Promise.reject(new Error("nothing fails here")),
  inContext: (_id, call) => call(),
  clock: systemClock,
  logger,
  handler: ({ position }) => say(`got ${position}`),
});
say("ready");
await Promise.all([0, 1, 2, 3].map(write));

async function write(writer: number): Promise<void> {
  for (let n = 0;;) {
    const count = Math.max(1, random.between(-10, 6));
    const lines = Array.from(
      { length: count },
      (_, i) => encoder.encode("events", "checked", JSON.stringify(checkedPayload(writer, n + i))),
    );
    say(`try ${writer} ${n} ${count}`);
    await log.appendAll(lines);
    say(`ack ${writer} ${n} ${count} ${Date.now()}`);
    n += count;
  }
}
