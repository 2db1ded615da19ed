import { runChild } from "./lib/child.ts";
import type { Finding, Question } from "./lib/question.ts";

/** What the bus costs over NATS. */
export const busNats: Question = {
  name: "bus-nats",
  asks: "How near does the bus over NATS come to NATS's own client?",
  run: (scale) =>
    runChild<Finding[]>({
      path: "bench/bus/over_nats.ts",
      args: [JSON.stringify(scale)],
      permissions: [
        "--allow-net=127.0.0.1",
        "--allow-run=nats-server",
        "--allow-env",
        "--allow-read",
        "--allow-write=.tmp",
      ],
    }),
};
