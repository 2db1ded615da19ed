import type { EncodingName } from "@keyop/messenger/pipes";
import type { LoadRequest } from "./pipes/load_process.ts";
import { type Kind, toArgs } from "./pipes/args.ts";
import type { ServerRequest } from "./pipes/server_process.ts";
import { denoArgs, Process } from "./lib/child.ts";
import type { Question } from "./lib/question.ts";
import { measureInTurn, type Party } from "./lib/rounds.ts";

const PERMISSIONS = [
  "--allow-net=127.0.0.1",
  "--allow-env=WS_NO_BUFFER_UTIL,WS_NO_UTF_8_VALIDATE",
];
const ECHO_RATIO = 0.7;
/** Under 10 % more than without pipes. */
const PIPES_RATIO = 0.91;
const WINDOW = 64;
const RECEIVERS = 100;
const ENCODINGS: readonly (readonly [string, EncodingName])[] = [
  ["JSON", "application/json"],
  ["MessagePack", "application/msgpack"],
  ["CBOR", "application/cbor"],
];

/** Who talks to whom. */
interface PairOptions {
  readonly server: Kind;
  readonly client: Kind;
  readonly encoding: EncodingName;
  /** How many clients. */
  readonly clients: number;
}

/** A server and its clients, each in a process of its own. */
class Pair implements AsyncDisposable {
  readonly #server: Process;
  readonly #load: Process;

  private constructor(server: Process, load: Process) {
    this.#server = server;
    this.#load = load;
  }

  /** Starts both and connects clients. */
  static async start(
    { server: serverKind, client, encoding, clients }: PairOptions,
  ): Promise<Pair> {
    const start = (path: string, kind: Kind, port: number) =>
      new Process(
        "deno",
        denoArgs({ path, args: toArgs({ kind, encoding, port }), permissions: PERMISSIONS }),
      );
    const server = start("bench/pipes/server_process.ts", serverKind, 0);
    const { port } = await server.answer<{ port: number }>();
    const pair = new Pair(server, start("bench/pipes/load_process.ts", client, port));
    await pair.load({ do: "open", count: clients });
    return pair;
  }

  /** Asks the clients. */
  load<T>(request: LoadRequest): Promise<T> {
    return this.#load.ask<T>(request);
  }

  /** Sends messages to and fro. @returns Milliseconds. */
  async echo(count: number, window: number): Promise<number> {
    return (await this.load<{ ms: number }>({ do: "echo", count, window })).ms;
  }

  /** Sends messages to every client. @returns Milliseconds, and how often one was encoded. */
  async fan(count: number): Promise<{ ms: number; encoded: number }> {
    await this.load({ do: "expect", count: count * RECEIVERS });
    const began = performance.now();
    const request: ServerRequest = { do: "fan", count };
    const { encoded } = await this.#server.ask<{ encoded: number }>(request);
    await this.load({ do: "arrived" });
    return { ms: performance.now() - began, encoded };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#load[Symbol.asyncDispose]();
    await this.#server[Symbol.asyncDispose]();
  }
}

/** What the broker costs beside the socket below it. */
export const pipes: Question = {
  name: "pipes",
  asks:
    "How fast does a broker send back what a bare client sends, and with a broker as its client?",
  async run({ quick, rounds }) {
    const count = quick ? 100 : 20_000;
    const single = quick ? 10 : 2_000;
    await using stack = new AsyncDisposableStack();
    const parties: Party[] = [];
    for (const [name, encoding] of quick ? ENCODINGS.slice(0, 1) : ENCODINGS) {
      const start = async (server: Kind, client: Kind) =>
        stack.use(await Pair.start({ server, client, encoding, clients: 1 }));
      const bare = await start("bare", "bare");
      const broker = await start("broker", "bare");
      const piped = await start("broker-with-pipes", "bare");
      const both = await start("broker", "broker");
      // CBOR has no figure to reach: its library sets the pace.
      const isLimited = encoding !== "application/cbor";
      const atLeast = (ratio: number) => isLimited ? { required: ratio } : {};
      const limit = `limit: bare ws echo, ${name} bytes, ${WINDOW} under way`;
      const own = `broker, ${name}, ${WINDOW} under way`;
      const one = `limit: bare ws echo, ${name} bytes, one at a time`;
      const ownOne = `broker, ${name}, one at a time`;
      parties.push(
        { what: limit, count, run: () => bare.echo(count, WINDOW) },
        { what: own, count, limit, ...atLeast(ECHO_RATIO), run: () => broker.echo(count, WINDOW) },
        {
          what: `${own}, three pipes`,
          count,
          limit: own,
          ...atLeast(PIPES_RATIO),
          run: () => piped.echo(count, WINDOW),
        },
        { what: `${own}, at both ends`, count, limit, run: () => both.echo(count, WINDOW) },
        { what: one, count: single, run: () => bare.echo(single, 1) },
        {
          what: ownOne,
          count: single,
          limit: one,
          ...atLeast(ECHO_RATIO),
          run: () => broker.echo(single, 1),
        },
        {
          what: `${ownOne}, at both ends`,
          count: single,
          limit: one,
          run: () => both.echo(single, 1),
        },
      );
    }
    return await measureInTurn(parties, { quick, rounds });
  },
};

/** What it costs to send to many. */
export const pipesFanOut: Question = {
  name: "pipes-fan-out",
  asks: `How fast does a broker send one message to ${RECEIVERS} connections?`,
  async run({ quick, rounds }) {
    const count = quick ? 5 : 200;
    const start = (server: Kind) =>
      Pair.start({ server, client: "bare", encoding: "application/json", clients: RECEIVERS });
    await using bare = await start("bare");
    await using broker = await start("broker");
    const limit = `limit: a bare ws server, ${RECEIVERS} clients`;
    let encoded = 0;
    const ratios = await measureInTurn([
      { what: limit, count: count * RECEIVERS, run: async () => (await bare.fan(count)).ms },
      {
        what: `broker, ${RECEIVERS} connections`,
        count: count * RECEIVERS,
        limit,
        required: ECHO_RATIO,
        async run() {
          const fan = await broker.fan(count);
          encoded = fan.encoded;
          return fan.ms;
        },
      },
    ], { quick, rounds });
    return [...ratios, {
      kind: "figure",
      what: `encoding of one message to ${RECEIVERS} connections of one encoding`,
      value: encoded,
      unit: "times",
      atMost: 1,
    }];
  },
};
