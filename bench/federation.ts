import { writeCertificates } from "./federation/certificates.ts";
import { bareWebSocket, FRAME_BYTES, hubAndClient, type Pair } from "./federation/pair.ts";
import type { Finding, Question, RatioFinding } from "./lib/question.ts";
import { inScratch, measureInTurn, type Party } from "./lib/rounds.ts";

const RECORD_BYTES = 300;
/** What is stored on both sides of a link stays there until the end: some 20 MB each a round. */
const ROUNDS_MAX = 9;
const PACE_MS = 4;
const MIB = 1024 * 1024;
const BARE = "limit: the same bytes over a bare mTLS WebSocket";

/** How fast messages reach another process. */
export const federation: Question = {
  name: "federation",
  asks: "How fast do 300-byte messages get from a hub to a client over mutual TLS?",
  run: ({ quick, rounds }) =>
    inScratch(async (dir) => {
      await writeCertificates(dir);
      await using bare = await bareWebSocket(dir);
      await using link = await hubAndClient(dir);
      const count = quick ? 1_000 : 60_000;
      const ratios = await measureInTurn(throughput(bare, link, count), {
        quick,
        rounds: Math.min(rounds, ROUNDS_MAX),
      });
      const paced = quick ? 20 : 1_500;
      return [
        ...ratios,
        ...ratios.map(rate),
        ...await latency("bare mTLS WebSocket", bare, paced),
        ...await latency("publish to remote handler", link, paced),
      ];
    }),
};

function throughput(bare: Pair, link: Pair, count: number): Party[] {
  const frames = Math.ceil(count * RECORD_BYTES / FRAME_BYTES);
  return [
    {
      what: BARE,
      count: frames * FRAME_BYTES / RECORD_BYTES,
      run: async () => (await bare.measure({ do: "send", count: frames })).ms,
    },
    {
      what: "hub to client, handled as they are published",
      count,
      limit: BARE,
      run: async () => (await link.measure({ do: "send", count })).ms,
    },
    {
      what: "hub to client, catching up after a time offline",
      count,
      limit: BARE,
      run: () => catchUp(link, count),
    },
  ];
}

async function catchUp({ sender, receiver }: Pair, count: number): Promise<number> {
  await receiver.ask({ do: "close" });
  const { bytes } = await sender.ask<{ bytes: number }>({ do: "send", count });
  if (bytes !== count * RECORD_BYTES) {
    throw new Error(`a record takes ${bytes / count} bytes, not ${RECORD_BYTES}`);
  }
  await receiver.ask({ do: "expect", count });
  await receiver.ask({ do: "open" });
  return (await receiver.ask<{ ms: number }>({ do: "result" })).ms;
}

function rate({ what, bestUs }: RatioFinding): Finding {
  const value = RECORD_BYTES / (bestUs / 1e6) / MIB;
  return { kind: "figure", what: `${what}: best`, value, unit: "MiB/s" };
}

async function latency(what: string, pair: Pair, count: number): Promise<Finding[]> {
  const { p50Ms, p99Ms } = await pair.measure({ do: "pace", count, everyMs: PACE_MS });
  return [
    { kind: "figure", what: `${what}, one every ${PACE_MS} ms: p50`, value: p50Ms, unit: "ms" },
    { kind: "figure", what: `${what}, one every ${PACE_MS} ms: p99`, value: p99Ms, unit: "ms" },
  ];
}
