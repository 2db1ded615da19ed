import { silentLogger } from "@keyop/messenger";
import { MessengerBus } from "@keyop/messenger/bus";
import { inFlight, PAYLOAD_BYTES } from "./bus/calls.ts";
import type { Finding, Question } from "./lib/question.ts";
import { inScratch, summarize } from "./lib/rounds.ts";
import { openMessenger } from "./lib/workload.ts";

const TOGETHER = 8;
/** Short rounds, and many of them: whatever else the machine does meets some and not others. */
const ROUNDS_FACTOR = 10;

/** What a request costs that travels through two channels on the disk. */
export const busMessenger: Question = {
  name: "bus-messenger",
  asks: "How many requests does the bus over a messenger answer in one process, and how soon?",
  async run({ quick, rounds }) {
    const count = quick ? 4 * TOGETHER : 1_000;
    const shortRounds = quick ? rounds : rounds * ROUNDS_FACTOR;
    const alone = await measure(count, 1, shortRounds);
    const together = await measure(count, TOGETHER, shortRounds);
    return [
      figure("request, one by one: in the middle of the best round", alone.middleMs, { atMost: 1 }),
      figure(`request, ${TOGETHER} at a time: in the middle`, together.middleMs, { atMost: 1 }),
      {
        kind: "figure",
        what: `request, ${TOGETHER} at a time`,
        value: together.perSecond,
        unit: "requests/s",
        ...(!quick && { atLeast: 10_000 }),
      },
    ];
  },
};

function figure(what: string, value: number, bound: { readonly atMost: number }): Finding {
  return { kind: "figure", what, value, unit: "ms", ...bound };
}

/** The best of some rounds, after one that is discarded. */
function measure(
  count: number,
  together: number,
  rounds: number,
): Promise<{ perSecond: number; middleMs: number }> {
  return inScratch(async (dir) => {
    await using messenger = await openMessenger(dir, { syncPolicy: "periodic" });
    await using bus = new MessengerBus(messenger, { logger: silentLogger });
    const data = new Uint8Array(PAYLOAD_BYTES).fill(0x78);
    await bus.serve("echo", (bytes) => bytes);
    let perSecond = 0;
    let middleMs = Infinity;
    for (let round = 0; round <= rounds; round++) {
      const times: number[] = [];
      const began = performance.now();
      await inFlight(count, together, async () => {
        const asked = performance.now();
        await bus.request("echo", data);
        times.push(performance.now() - asked);
      });
      if (round === 0) continue;
      perSecond = Math.max(perSecond, count * 1_000 / (performance.now() - began));
      middleMs = Math.min(middleMs, summarize(times).medianUs);
    }
    return { perSecond, middleMs };
  });
}
