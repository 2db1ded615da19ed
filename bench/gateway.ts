import type { LoadPace, LoadRequest, LoadTime } from "./gateway/load_process.ts";
import type { ServerMemory, ServerRequest } from "./gateway/server_process.ts";
import { denoArgs, Process } from "./lib/child.ts";
import type { Finding, Question } from "./lib/question.ts";
import { measureInTurn } from "./lib/rounds.ts";

const SERVER = "bench/gateway/server_process.ts";
const LOAD = "bench/gateway/load_process.ts";
const PERMISSIONS = ["--allow-net=127.0.0.1", "--allow-env", "--allow-read", "--allow-sys"];

const MESSAGE_BYTES = 300;
const FAN_OUT_RATIO = 0.6;
const IDLE_BYTES_MAX = 30_000;
const LATENCY_RECEIVERS = 100;
const LATENCY_EVERY_MS = 5;
const LATENCY_MESSAGES = 600;
const LATENCY_MAX_MS = 20;
const DELIVERIES_PER_SECOND = 20_000;
const REPLAY_PER_SECOND = 100_000;
const ROUNDS_MAX = 7;

type Load = "bare" | "json" | "proto";

/** A server and its clients, each in a process of its own. */
class Pair implements AsyncDisposable {
  readonly #server: Process;
  readonly #load: Process;

  private constructor(server: Process, load: Process) {
    this.#server = server;
    this.#load = load;
  }

  static async start(kind: Load): Promise<Pair> {
    const server = new Process(
      "deno",
      denoArgs({
        path: SERVER,
        args: [kind === "bare" ? "bare" : "gateway"],
        permissions: ["--v8-flags=--expose-gc", ...PERMISSIONS],
      }),
    );
    const { port } = await server.answer<{ port: number }>();
    const load = new Process(
      "deno",
      denoArgs({ path: LOAD, args: [kind, String(port)], permissions: PERMISSIONS }),
    );
    return new Pair(server, load);
  }

  load<T = LoadTime>(request: LoadRequest): Promise<T> {
    return this.#load.ask<T>(request);
  }

  server<T>(request: ServerRequest): Promise<T> {
    return this.#server.ask<T>(request);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#load[Symbol.asyncDispose]();
    await this.#server[Symbol.asyncDispose]();
  }
}

/** One channel to many clients. */
export const gatewayFanOut: Question = {
  name: "gateway-fan-out",
  asks: "How fast does one channel get to 1,000 WebSocket clients?",
  async run({ quick, rounds }) {
    const receivers = quick ? 20 : 1_000;
    const count = quick ? 5 : 100;
    await using bare = await Pair.start("bare");
    await using json = await Pair.start("json");
    await using proto = await Pair.start("proto");
    for (const pair of [bare, json, proto]) {
      await pair.load({ do: "open", count: receivers, subscribe: true });
    }
    const flood = async (pair: Pair) =>
      (await pair.load({ do: "flood", count, bytes: MESSAGE_BYTES })).ms;
    const limit = `limit: a bare ws server, ${receivers} clients`;
    const deliveries = count * receivers;
    const ratios = await measureInTurn([
      { what: limit, count: deliveries, run: () => flood(bare) },
      {
        what: "gateway, JSON",
        count: deliveries,
        limit,
        required: FAN_OUT_RATIO,
        run: () => flood(json),
      },
      {
        what: "gateway, protobuf",
        count: deliveries,
        limit,
        required: FAN_OUT_RATIO,
        run: () => flood(proto),
      },
    ], { quick, rounds: Math.min(rounds, ROUNDS_MAX) });
    return [
      ...ratios,
      ...ratios.map(({ what, bestUs }): Finding => ({
        kind: "figure",
        what: `${what}: best`,
        value: 1e6 / bestUs,
        unit: "deliveries/s",
      })),
    ];
  },
};

/** What a connection costs that does nothing. */
export const gatewayIdle: Question = {
  name: "gateway-idle",
  asks: "How much memory do 5,000 idle connections take?",
  async run({ quick }) {
    const count = quick ? 100 : 5_000;
    await using pair = await Pair.start("json");
    // What the first connections make the program load is no part of the others.
    const warm = quick ? 20 : 200;
    await pair.load({ do: "open", count: warm, subscribe: false });
    const before = await pair.server<ServerMemory>({ do: "memory" });
    const { ms } = await pair.load({ do: "open", count, subscribe: false });
    const after = await pair.server<ServerMemory>({ do: "memory" });
    return [
      {
        kind: "figure",
        what: `${count} connected clients: memory of each`,
        value: (after.rssBytes - before.rssBytes) / count,
        unit: "bytes",
        ...(quick ? {} : { atMost: IDLE_BYTES_MAX }),
      },
      { kind: "figure", what: `${count} clients connect in`, value: ms / 1_000, unit: "s" },
    ];
  },
};

/** How long a delivery takes while there are many. */
export const gatewayLatency: Question = {
  name: "gateway-latency",
  asks: "How long does it take from publishing to delivery at 20,000 deliveries a second?",
  async run({ quick, rounds }) {
    await using bare = await Pair.start("bare");
    await using json = await Pair.start("json");
    for (const pair of [bare, json]) {
      await pair.load({ do: "open", count: LATENCY_RECEIVERS, subscribe: true });
    }
    const request = {
      do: "pace",
      count: quick ? 40 : LATENCY_MESSAGES,
      everyMs: LATENCY_EVERY_MS,
    } as const;
    const found: Record<"bare" | "json", LoadPace[]> = { bare: [], json: [] };
    // The first round compiles, and does not count.
    for (let round = quick ? 1 : 0; round <= Math.min(rounds, ROUNDS_MAX); round++) {
      for (const [name, pair] of [["bare", bare], ["json", json]] as const) {
        const pace = await pair.load<LoadPace>(request);
        if (round > 0) found[name].push(pace);
      }
    }
    const what = `${LATENCY_RECEIVERS} clients, a message every ${LATENCY_EVERY_MS} ms`;
    return [
      ...latencies(`a bare ws server, ${what}`, found.bare, {}, {}),
      ...latencies(
        `gateway, ${what}`,
        found.json,
        quick ? {} : { atMost: LATENCY_MAX_MS },
        quick ? {} : { atLeast: DELIVERIES_PER_SECOND * 0.95 },
      ),
    ];
  },
};

/** Of the round in which the machine did least else. */
function latencies(
  what: string,
  rounds: readonly LoadPace[],
  latency: { readonly atMost?: number },
  rate: { readonly atLeast?: number },
): Finding[] {
  const best = rounds.reduce((a, b) => b.p99Ms < a.p99Ms ? b : a);
  return [
    { kind: "figure", what: `${what}: p50`, value: best.p50Ms, unit: "ms" },
    { kind: "figure", what: `${what}: p99`, value: best.p99Ms, unit: "ms", ...latency },
    { kind: "figure", what: `${what}: rate`, value: best.perSecond, unit: "deliveries/s", ...rate },
  ];
}

/** How fast a client gets what it missed. */
export const gatewayReplay: Question = {
  name: "gateway-replay",
  asks: "How fast does one client get 100,000 messages that it missed?",
  async run({ quick, rounds }) {
    const count = quick ? 1_000 : 100_000;
    const findings: Finding[] = [];
    for (const kind of ["json", "proto"] as const) {
      await using pair = await Pair.start(kind);
      await pair.server({ do: "fill", channel: "bench", count, bytes: MESSAGE_BYTES });
      let best = Infinity;
      for (let round = 0; round < (quick ? 1 : Math.min(rounds, ROUNDS_MAX)); round++) {
        best = Math.min(best, (await pair.load({ do: "replay", count })).ms);
      }
      findings.push({
        kind: "figure",
        what: `${count} messages replayed in ${kind}: best`,
        value: count / best * 1_000,
        unit: "messages/s",
        ...(quick ? {} : { atLeast: REPLAY_PER_SECOND }),
      });
    }
    return findings;
  },
};
