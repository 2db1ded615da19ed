import { SYNC, syncLimit } from "./lib/limits.ts";
import type { Question } from "./lib/question.ts";
import { measureInTurn } from "./lib/rounds.ts";
import {
  openMessenger,
  publishOneByOne,
  publishTogether,
  recordLine,
  warmUp,
} from "./lib/workload.ts";

const TOGETHER = 256;

/** What a synced publish costs, alone and as a share of a group's sync. */
export const publishAlways: Question = {
  name: "publish-always",
  asks: "What does publishing cost when every message is synced before it settles?",
  async run(scale) {
    const { quick } = scale;
    const count = quick ? 20 : 2_000;
    const grouped = quick ? 2 * TOGETHER : 200 * TOGETHER;
    return await measureInTurn([
      syncLimit(await recordLine(), count),
      {
        what: "publish, always, one by one",
        count,
        limit: SYNC,
        required: 0.85,
        async run(dir) {
          await using messenger = await openMessenger(dir, { syncPolicy: "always" });
          await warmUp(messenger);
          return await publishOneByOne(messenger, count);
        },
      },
      {
        what: `publish, always, ${TOGETHER} at a time`,
        count: grouped,
        limit: SYNC,
        required: 50,
        async run(dir) {
          await using messenger = await openMessenger(dir, { syncPolicy: "always" });
          await warmUp(messenger);
          return await publishTogether(messenger, grouped, TOGETHER);
        },
      },
    ], scale);
  },
};
