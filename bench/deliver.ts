import { RAW, rawLimit, SYNC, syncLimit, writeLines } from "./lib/limits.ts";
import type { Question } from "./lib/question.ts";
import { measureInTurn } from "./lib/rounds.ts";
import { CHANNEL, deliver, firstSegment, openMessenger, recordLine } from "./lib/workload.ts";

/** How fast a subscriber catches up. */
export const deliverBacklog: Question = {
  name: "deliver-backlog",
  asks: "How fast is a backlog delivered, the cursor written every 200 ms?",
  async run(scale) {
    const { quick } = scale;
    const count = quick ? 2_000 : 300_000;
    const line = await recordLine();
    return await measureInTurn([
      rawLimit(line, count),
      {
        what: "deliver a backlog, cursor every 200 ms",
        count,
        limit: RAW,
        required: 0.5,
        run: (dir) => deliverLines(dir, line, count, 200),
      },
    ], scale);
  },
};

/** What it costs to keep the cursor on the disk message by message. */
export const deliverDurably: Question = {
  name: "deliver-durably",
  asks: "How fast is a backlog delivered, the cursor synced after every message?",
  async run(scale) {
    const { quick } = scale;
    const count = quick ? 20 : 2_000;
    const line = await recordLine();
    return await measureInTurn([
      syncLimit(line, count),
      {
        what: "deliver a backlog, cursor after every message",
        count,
        limit: SYNC,
        required: 0.4,
        run: (dir) => deliverLines(dir, line, count, 0),
      },
    ], scale);
  },
};

async function deliverLines(
  dir: string,
  line: Uint8Array,
  count: number,
  offsetFlushIntervalMs: number,
): Promise<number> {
  Deno.mkdirSync(`${dir}/channels/${CHANNEL}`, { recursive: true });
  writeLines(firstSegment(dir), line, count);
  await using messenger = await openMessenger(dir, { offsetFlushIntervalMs });
  return await deliver(messenger, count);
}
