// Follows the channel from its start until it is killed. Arguments: data directory, every how many
// messages the handler fails (0 for never).
import { silentLogger, systemClock } from "../../../src/base/mod.ts";
import { DEAD_LETTER_TYPE, EnvelopeEncoder } from "../../../src/envelope/mod.ts";
import { FileChannelLogs, Subscriber } from "../../../src/storage/mod.ts";
import type { CheckedPayload } from "../../helpers/checker.ts";
import { say } from "./say.ts";

const [dataDir, failEvery] = Deno.args;
const logs = new FileChannelLogs(dataDir!, { syncPolicy: "always", segmentBytes: 4_000 });
const log = await logs.open("events");
const letters = await logs.open("events.dead-letter");
const encoder = new EnvelopeEncoder("subscriber");
const subscriber = await Subscriber.start({
  log,
  subscriberId: "reader",
  from: "start",
  endAsked: false,
  maxRetries: 0,
  retryBackoffBaseMs: 1,
  retryBackoffMaxMs: 1,
  maxAgeMs: 0,
  cursorFlushMs: 0,
  lagWarnBytes: 0,
  decode: (_type, payload) => payload,
  deadLetter: (payload) =>
    letters.append(encoder.encode(letters.channel, DEAD_LETTER_TYPE, payload), () => undefined),
  inContext: (_id, call) => call(),
  clock: systemClock,
  logger: silentLogger,
  handler({ position, payload }) {
    say(`got ${position}`);
    const { n } = payload as CheckedPayload;
    if (Number(failEvery) > 0 && n % Number(failEvery) === 0) throw new Error(`fails on ${n}`);
  },
});
say("ready");
while (subscriber.position < log.end) await new Promise((resolve) => setTimeout(resolve, 5));
say("end");
await new Promise(() => setInterval(() => {}, 60_000));
