import { Process } from "../lib/child.ts";
import { writeLines } from "../lib/limits.ts";
import type { Question } from "../lib/question.ts";
import { measureInTurn, type Party } from "../lib/rounds.ts";
import {
  CHANNEL,
  deliver,
  firstSegment,
  openMessenger,
  PAYLOAD,
  PAYLOAD_TYPE,
  publishOneByOne,
  publishTogether,
  recordLine,
  warmUp,
} from "../lib/workload.ts";
import { buildPeer } from "./build.ts";

const TOGETHER = 256;

/** One kind of work, for both. */
interface Work {
  readonly what: string;
  readonly required: number;
  readonly count: number;
  readonly together: number;
  readonly always?: boolean;
  readonly deliver?: boolean;
}

/** How the same work compares. */
export const beside: Question = {
  name: "peers",
  asks: "How many times as fast as the Go implementation is this one?",
  async run(scale) {
    const { quick } = scale;
    const built = await buildPeer();
    if ("unavailable" in built) {
      return [{ kind: "skipped", what: "the Go implementation", reason: built.unavailable }];
    }
    await using peer = new Process(built.program);
    const groups = quick ? 2 : 200;
    const works: readonly Work[] = [
      { what: "publish, periodic, one by one", required: 3, count: groups * 100, together: 1 },
      {
        what: `publish, periodic, ${TOGETHER} at a time`,
        required: 3.5,
        count: groups * TOGETHER,
        together: TOGETHER,
      },
      {
        what: "deliver a backlog, cursor every 200 ms",
        required: 2,
        count: groups * 500,
        together: 1,
        deliver: true,
      },
      {
        what: `publish, always, ${TOGETHER} at a time`,
        required: 40,
        count: (quick ? 1 : 8) * TOGETHER,
        together: TOGETHER,
        always: true,
      },
    ];
    const line = await recordLine();
    return await measureInTurn(works.flatMap((work) => pair(work, peer, line)), scale);
  },
};

function pair(work: Work, peer: Process, line: Uint8Array): Party[] {
  const { what, count, required } = work;
  const limit = `Go: ${what}`;
  return [
    { what: limit, count, run: (dir) => theirs(work, peer, line, dir) },
    { what, count, limit, required, run: (dir) => ours(work, line, dir) },
  ];
}

async function theirs(
  work: Work,
  peer: Process,
  line: Uint8Array,
  dir: string,
): Promise<number> {
  if (work.deliver) writeBacklog(dir, line, work.count);
  const { ms } = await peer.ask<{ ms: number }>({
    do: work.deliver ? "deliver" : "publish",
    dir,
    channel: CHANNEL,
    payloadType: PAYLOAD_TYPE,
    payload: PAYLOAD,
    count: work.count,
    together: work.together,
    always: work.always ?? false,
  });
  return ms;
}

async function ours(work: Work, line: Uint8Array, dir: string): Promise<number> {
  const { count, together, always } = work;
  if (work.deliver) writeBacklog(dir, line, count);
  await using messenger = await openMessenger(dir, {
    syncPolicy: always ? "always" : "periodic",
    offsetFlushIntervalMs: 200,
  });
  if (work.deliver) return await deliver(messenger, count);
  await warmUp(messenger);
  return together === 1
    ? await publishOneByOne(messenger, count)
    : await publishTogether(messenger, count, together);
}

/** Records and a cursor at their start: both implementations read the same files. */
function writeBacklog(dir: string, line: Uint8Array, count: number): void {
  Deno.mkdirSync(`${dir}/channels/${CHANNEL}`, { recursive: true });
  Deno.mkdirSync(`${dir}/subscribers/${CHANNEL}`, { recursive: true });
  writeLines(firstSegment(dir), line, count);
  Deno.writeTextFileSync(`${dir}/subscribers/${CHANNEL}/bench.offset`, "0\n");
}
