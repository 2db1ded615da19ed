// Publishes until it is killed. Arguments: data directory, sync policy, segment bytes, number of the
// first writer, how many writers, seed.
import { EnvelopeEncoder } from "../../../src/envelope/mod.ts";
import { FileChannelLogs, type SyncPolicy } from "../../../src/storage/mod.ts";
import { checkedPayload } from "../../helpers/checker.ts";
import { seeded } from "../../helpers/seeded.ts";
import { say } from "./say.ts";

const [dataDir, syncPolicy, segmentBytes, first, writers, seed] = Deno.args;
const random = seeded(Number(seed));
const logs = new FileChannelLogs(dataDir!, {
  syncPolicy: syncPolicy as SyncPolicy,
  segmentBytes: Number(segmentBytes),
});
const log = await logs.open("events");
const encoder = new EnvelopeEncoder("publisher");
say("ready");
await Promise.all(Array.from({ length: Number(writers) }, (_, i) => write(Number(first) + i)));

async function write(writer: number): Promise<void> {
  for (let n = 0;;) {
    const count = Math.max(1, random.between(-10, 6));
    const lines = Array.from({ length: count }, (_, i) => {
      const payload = JSON.stringify(checkedPayload(writer, n + i));
      return encoder.encode("events", "checked", payload);
    });
    say(`try ${writer} ${n} ${count}`);
    if (count === 1) await log.append(lines[0]!, () => undefined);
    else await log.appendAll(lines);
    say(`ack ${writer} ${n} ${count} ${Date.now()}`);
    n += count;
  }
}
