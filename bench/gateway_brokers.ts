import { Messenger, silentLogger } from "@keyop/messenger";
import { BEGINNING, MessengerBroker, type StreamPosition } from "../src/gateway/broker/mod.ts";
import { PatternIndex } from "../src/gateway/pattern/mod.ts";
import type { Finding, Question, RatioFinding } from "./lib/question.ts";
import { measureInTurn } from "./lib/rounds.ts";

const LOOKUPS_PER_SECOND = 500_000;
const REPLAY_PER_SECOND = 100_000;
const PAGE = 1_000;
const PAYLOAD = { sensor: "kitchen", celsius: 21.5, note: "x".repeat(150) };

/** A figure out of a row that was measured in turn. */
function perSecond(row: RatioFinding, unit: string, atLeast?: number): Finding {
  return {
    kind: "figure",
    what: `${row.what}: best`,
    value: 1e6 / row.bestUs,
    unit,
    ...(atLeast === undefined ? {} : { atLeast }),
  };
}

/** Finding the subscriptions that a channel matches. */
export const gatewayPatterns: Question = {
  name: "gateway-patterns",
  asks: "How fast are the patterns found that match a channel, among 10,000?",
  async run({ quick, rounds }) {
    const patterns = Array.from({ length: 10_000 }, (_, n) => patternOf(n));
    const channels = Array.from({ length: 20_000 }, (_, n) => channelOf(n * 7));
    const bare = new Map(channels.map((channel) => [channel, [channel]]));
    const index = new PatternIndex<number>();
    for (const [n, pattern] of patterns.entries()) index.set(pattern, n);
    const count = quick ? 20_000 : 400_000;
    // Each lookup gets a text of its own, as a frame brings one: no hash of it is known yet.
    const timed = (find: (channel: string) => { readonly length: number } | undefined) => {
      const names = channels.map((channel) => `${channel}.`.slice(0, -1));
      let found = 0;
      const began = performance.now();
      for (let n = 0; n < count; n++) found += find(names[n % names.length]!)?.length ?? 0;
      const ms = performance.now() - began;
      if (found === 0) throw new Error("nothing was found");
      return ms;
    };
    let fresh = 0;
    const firstTime = Array.from({ length: quick ? 1_000 : 60_000 }, () => "");
    const limit = "limit: a Map with the very names";
    const rows = await measureInTurn([
      { what: limit, count, run: () => timed((channel) => bare.get(channel)) },
      {
        what: "PatternIndex, 20,000 channels in turn",
        count,
        limit,
        run: () => timed((channel) => index.match(channel)),
      },
      {
        what: "PatternIndex, each channel for the first time",
        count: firstTime.length,
        limit,
        run: () => {
          for (const n of firstTime.keys()) firstTime[n] = `${channelOf(n)}${fresh++}`;
          const began = performance.now();
          for (const channel of firstTime) index.match(channel);
          return performance.now() - began;
        },
      },
    ], { quick, rounds });
    return [...rows, perSecond(rows[1]!, "lookups/s", quick ? undefined : LOOKUPS_PER_SECOND)];
  },
};

/** Channels of four segments: site, room, sensor, kind. */
function channelOf(n: number): string {
  return `site${n % 50}.room${n % 40}.sensor${n % 200}.kind${n % 5}`;
}

/** As people subscribe: to one sensor, to a room, to a kind anywhere, to a site. */
function patternOf(n: number): string {
  const [site, room, sensor, kind] = channelOf(n).split(".");
  switch (n % 4) {
    case 0:
      return `${site}.${room}.${sensor}${n}.*`;
    case 1:
      return `${site}.${room}${n}.**`;
    case 2:
      return `*.*.${sensor}${n >> 4}.${kind}`;
    default:
      return `${site}.*.${sensor}${n}.*`;
  }
}

/** Reading what a client missed from the log of a messenger. */
export const gatewayHistory: Question = {
  name: "gateway-history",
  asks: "How fast does the broker on a messenger give 100,000 publications of history?",
  async run({ quick, rounds }) {
    const count = quick ? 2_000 : 100_000;
    const limit = "limit: read the file, split it, parse each line";
    const rows = await measureInTurn([
      { what: limit, count, run: (dir) => within(dir, count, () => readBare(dir)) },
      {
        what: `history in pages of ${PAGE}`,
        count,
        limit,
        run: (dir) => within(dir, count, (broker) => readHistory(broker, count, false)),
      },
      {
        what: `the same in reverse`,
        count,
        limit,
        run: (dir) => within(dir, count, (broker) => readHistory(broker, count, true)),
      },
    ], { quick, rounds });
    return [...rows, perSecond(rows[1]!, "publications/s", quick ? undefined : REPLAY_PER_SECOND)];
  },
};

async function within(
  dataDir: string,
  count: number,
  read: (broker: MessengerBroker) => Promise<number> | number,
): Promise<number> {
  await using messenger = await Messenger.open({ name: "bench", storage: { dataDir } }, {
    logger: silentLogger,
  });
  const message = { payloadType: "com.example.Reading", payload: PAYLOAD };
  for (let left = count; left > 0; left -= PAGE) {
    await messenger.publishBatch("a", Array.from({ length: Math.min(left, PAGE) }, () => message));
  }
  await using broker = new MessengerBroker(messenger);
  await broker.start({ publication() {}, presence() {} });
  return await read(broker);
}

async function readHistory(
  broker: MessengerBroker,
  count: number,
  reverse: boolean,
): Promise<number> {
  const began = performance.now();
  let read = 0;
  let since: StreamPosition | undefined = reverse ? undefined : BEGINNING;
  for (let more = true; more;) {
    const page = await broker.history("a", { limit: PAGE, reverse, ...(since && { since }) });
    read += page.publications.length;
    more = page.more;
    const last = page.publications.at(-1);
    if (last !== undefined) since = { offset: last.offset, epoch: last.epoch };
  }
  if (read !== count) throw new Error(`${read} of ${count} were read`);
  return performance.now() - began;
}

function readBare(dataDir: string): number {
  const began = performance.now();
  let read = 0;
  for (const { name } of Deno.readDirSync(`${dataDir}/channels/a`)) {
    for (const line of Deno.readTextFileSync(`${dataDir}/channels/a/${name}`).split("\n")) {
      if (line !== "" && JSON.parse(line).v === 1) read++;
    }
  }
  if (read === 0) throw new Error("nothing was read");
  return performance.now() - began;
}
