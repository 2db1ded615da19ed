import { runChild } from "./lib/child.ts";
import type { FigureFinding, Finding, Question } from "./lib/question.ts";
import { inScratch } from "./lib/rounds.ts";
import type { BacklogMemory, StreamMemory } from "./memory_process.ts";

const PROGRAM = "bench/memory_process.ts";
const MB_MAX = 200;
const SLOPE_MB_MAX = 20;
const OPEN_SECONDS_MAX = 0.2;

/** Whether memory stays bounded: each part in a process of its own. */
export const memory: Question = {
  name: "memory",
  asks: "How much memory do a million messages and a backlog of 1 GB take?",
  async run({ quick }) {
    const stream = await measure<StreamMemory>("stream", quick ? 20_000 : 1_000_000);
    const backlog = await measure<BacklogMemory>("backlog", quick ? 4_000_000 : 1_000_000_000);
    const million = `${stream.messages.toLocaleString("en-US")} messages published and delivered`;
    const gigabyte = `backlog of ${(backlog.bytes / 1e9).toFixed(3)} GB`;
    // A few seconds of so small a run are all warming up.
    const slope = quick ? {} : { atMost: SLOPE_MB_MAX };
    return [
      ...rss(million, stream),
      figure(`${million}: slope of the last half`, stream.slopeMb, "MB per million", slope),
      figure(`${million}: took`, stream.seconds, "s"),
      figure(`${gigabyte}: open and subscribe`, backlog.openSeconds, "s", {
        atMost: OPEN_SECONDS_MAX,
      }),
      figure(`${gigabyte}: until the first message`, backlog.firstSeconds, "s"),
      ...rss(gigabyte, backlog),
      figure(`${gigabyte}: slope of the last half`, backlog.slopeMb, "MB per million", slope),
      figure(`${gigabyte}: delivered in`, backlog.seconds, "s"),
    ];
  },
};

function measure<T>(what: "stream" | "backlog", size: number): Promise<T> {
  return inScratch((dir) =>
    runChild<T>({
      path: PROGRAM,
      args: [what, dir, String(size)],
      permissions: [`--allow-read=${dir}`, `--allow-write=${dir}`],
    })
  );
}

function rss(what: string, { startMb, peakMb, endMb }: StreamMemory | BacklogMemory): Finding[] {
  return [
    figure(`${what}: resident at the start`, startMb, "MB"),
    figure(`${what}: resident at most`, peakMb, "MB", { atMost: MB_MAX }),
    figure(`${what}: resident at the end`, endMb, "MB"),
  ];
}

function figure(
  what: string,
  value: number,
  unit: string,
  bound: { readonly atMost?: number } = {},
): FigureFinding {
  return { kind: "figure", what, value, unit, ...bound };
}
