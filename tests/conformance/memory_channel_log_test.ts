import { MemoryChannelLogs } from "../../src/storage/mod.ts";
import { testChannelLog } from "./channel_log_suite.ts";

testChannelLog({
  name: "memory log",
  abilities: { durable: false, bytePositions: false },
  place: () =>
    Promise.resolve({
      open: () => new MemoryChannelLogs(),
      [Symbol.asyncDispose]: () => Promise.resolve(),
    }),
});
