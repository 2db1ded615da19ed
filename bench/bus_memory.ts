import { InMemoryBus } from "@keyop/messenger/bus";
import { silentLogger } from "@keyop/messenger";
import type { FigureFinding, Question } from "./lib/question.ts";
import { measureInTurn, type Party } from "./lib/rounds.ts";

/** As many as a reader may be behind. */
const TOGETHER = 512;
const BYTES = 16;
const LIMIT = "limit: push to an array, shift from it, await both";

/** `bus-memory`: what does a bus inside one process cost? */
export const busMemory: Question = {
  name: "bus-memory",
  asks: "How many messages a second reach one stream inside one process?",
  async run(scale) {
    const count = scale.quick ? TOGETHER * 4 : TOGETHER * 1_000;
    const parties: Party[] = [
      { what: LIMIT, count, run: () => bare(count) },
      {
        what: "memory bus, publish to one stream",
        count,
        limit: LIMIT,
        run: () => toStream(count),
      },
    ];
    const requests = scale.quick ? 100 : 20_000;
    parties.push({
      what: "memory bus, request/reply one by one",
      count: requests,
      run: () => oneByOne(requests),
    });
    const findings = await measureInTurn(parties, scale);
    const perSecond: FigureFinding = {
      kind: "figure",
      what: "memory bus: messages a second to one stream",
      value: 1e6 / findings[1]!.bestUs,
      unit: "1/s",
      ...(scale.quick ? {} : { atLeast: 1_000_000 }),
    };
    return [...findings, perSecond];
  },
};

/** The least that a queue between an awaited publisher and an awaited reader can be. */
async function bare(count: number): Promise<number> {
  const data = new Uint8Array(BYTES);
  const queue: Uint8Array[] = [];
  const publish = (bytes: Uint8Array): Promise<void> => {
    queue.push(bytes);
    return Promise.resolve();
  };
  const next = (): Promise<Uint8Array> => Promise.resolve(queue.shift()!);
  const began = performance.now();
  for (let sent = 0; sent < count; sent += TOGETHER) {
    for (let n = 0; n < TOGETHER; n++) await publish(data);
    for (let n = 0; n < TOGETHER; n++) await next();
  }
  return performance.now() - began;
}

async function toStream(count: number): Promise<number> {
  await using bus = new InMemoryBus({ logger: silentLogger });
  const stream = await bus.stream("readings");
  const data = new Uint8Array(BYTES);
  const messages = stream[Symbol.asyncIterator]();
  const began = performance.now();
  for (let sent = 0; sent < count; sent += TOGETHER) {
    for (let n = 0; n < TOGETHER; n++) await bus.publish("readings", data);
    for (let n = 0; n < TOGETHER; n++) await messages.next();
  }
  const ms = performance.now() - began;
  if (stream.dropped > 0) throw new Error(`${stream.dropped} messages were dropped`);
  return ms;
}

async function oneByOne(count: number): Promise<number> {
  await using bus = new InMemoryBus({ logger: silentLogger });
  await bus.serve("echo", (data) => data);
  const data = new Uint8Array(BYTES);
  const began = performance.now();
  for (let n = 0; n < count; n++) await bus.request("echo", data);
  return performance.now() - began;
}
