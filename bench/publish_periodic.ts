import { RAW, rawLimit } from "./lib/limits.ts";
import type { Question } from "./lib/question.ts";
import { measureInTurn, type Party } from "./lib/rounds.ts";
import {
  openMessenger,
  PAYLOAD,
  publishBatches,
  publishOneByOne,
  publishTogether,
  recordLine,
  warmUp,
} from "./lib/workload.ts";

const TOGETHER = 256;

/** What publishing costs beside the write itself. */
export const publishPeriodic: Question = {
  name: "publish-periodic",
  asks: "How near does publishing come to writing the bare lines?",
  async run(scale) {
    const { quick } = scale;
    const count = quick ? 2 * TOGETHER : 400 * TOGETHER;
    const line = await recordLine();
    const parties: Party[] = [
      rawLimit(line, count),
      {
        what: "JSON, a promise and a write a message: nothing else",
        count,
        limit: RAW,
        run: (dir) => writeAwaited(`${dir}/bare.jsonl`, line.length, count),
      },
      {
        what: "publish, periodic, one by one",
        count,
        limit: RAW,
        required: 0.4,
        run: (dir) => publish(dir, (messenger) => publishOneByOne(messenger, count)),
      },
      {
        what: `publish, periodic, ${TOGETHER} at a time`,
        count,
        limit: RAW,
        required: 0.7,
        run: (dir) => publish(dir, (messenger) => publishTogether(messenger, count, TOGETHER)),
      },
      {
        what: `publishBatch, periodic, of ${TOGETHER}`,
        count,
        limit: RAW,
        required: 0.7,
        run: (dir) => publish(dir, (messenger) => publishBatches(messenger, count, TOGETHER)),
      },
    ];
    return await measureInTurn(parties, scale);
  },
};

async function publish(
  dir: string,
  work: (messenger: Awaited<ReturnType<typeof openMessenger>>) => Promise<number>,
): Promise<number> {
  await using messenger = await openMessenger(dir, { syncPolicy: "periodic" });
  await warmUp(messenger);
  return await work(messenger);
}

/**
 * The least that an awaited, grouped publish can be in this runtime: the payload as JSON, encoded, one
 * promise that a microtask settles, one write of a line's length. It explains how much of the
 * distance to the bare write is the messenger's.
 */
async function writeAwaited(path: string, lineBytes: number, count: number): Promise<number> {
  using file = Deno.openSync(path, { create: true, append: true });
  const encoder = new TextEncoder();
  const buffer = new Uint8Array(64 * 1024).fill(0x20);
  let settle: (position: number) => void = () => {};
  let end = 0;
  const flush = (): void => {
    file.writeSync(buffer.subarray(0, lineBytes));
    settle(end += lineBytes);
  };
  const began = performance.now();
  for (let i = 0; i < count; i++) {
    encoder.encodeInto(JSON.stringify(PAYLOAD), buffer);
    await new Promise<number>((resolve) => {
      settle = resolve;
      queueMicrotask(flush);
    });
  }
  return performance.now() - began;
}
