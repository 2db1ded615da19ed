import { DatabaseSync } from "node:sqlite";
import { silentLogger } from "@keyop/messenger";
import { SqliteBus } from "@keyop/messenger/bus";
import { denoArgs, Process } from "./lib/child.ts";
import type { FigureFinding, Question } from "./lib/question.ts";
import { inScratch, measureInTurn, type Party } from "./lib/rounds.ts";

const DATA = new Uint8Array(200).fill(0x61);
const TOGETHER = 256;
const LIMIT_ONE = "limit sqlite: an insert and a transaction a message";
const LIMIT_MANY = `limit sqlite: inserts, a transaction for ${TOGETHER}`;
const INSERT = "INSERT INTO bus_events (subject, data, headers, created_ms) VALUES (?, ?, ?, ?)";

/** `bus-sqlite`: what does a bus through a file cost beside bare inserts, and how quick is an answer? */
export const busSqlite: Question = {
  name: "bus-sqlite",
  asks:
    "What does a bus through a SQLite file cost beside bare inserts, and how quick is an answer?",
  async run(scale) {
    const one = scale.quick ? 50 : 5_000;
    const many = scale.quick ? TOGETHER : TOGETHER * 100;
    const parties: Party[] = [
      { what: LIMIT_ONE, count: one, run: (dir) => bare(dir, one, 1) },
      {
        what: "sqlite bus, published one by one",
        count: one,
        limit: LIMIT_ONE,
        required: 0.5,
        run: (dir) => publish(dir, one, 1),
      },
      { what: LIMIT_MANY, count: many, run: (dir) => bare(dir, many, TOGETHER) },
      {
        what: `sqlite bus, published ${TOGETHER} at a time`,
        count: many,
        limit: LIMIT_MANY,
        required: 0.5,
        run: (dir) => publish(dir, many, TOGETHER),
      },
    ];
    const findings = await measureInTurn(parties, scale);
    const requests = scale.quick ? 20 : 1_000;
    return [
      ...findings,
      ...latencies("in one process", await inScratch((dir) => inOneProcess(dir, requests))),
      ...latencies("across processes", await inScratch((dir) => acrossProcesses(dir, requests))),
    ];
  },
};

const open = (dir: string) => SqliteBus.open(`${dir}/bus.db`, { logger: silentLogger });

/** Inserts into a table of the same make, with the same settings. */
async function bare(dir: string, count: number, together: number): Promise<number> {
  await (await open(dir)).close();
  const db = new DatabaseSync(`${dir}/bus.db`);
  db.exec("PRAGMA synchronous = NORMAL");
  const insert = db.prepare(INSERT);
  const began = performance.now();
  for (let sent = 0; sent < count; sent += together) {
    if (together > 1) db.exec("BEGIN IMMEDIATE");
    for (let n = 0; n < together; n++) insert.run("readings", DATA, null, Date.now());
    if (together > 1) db.exec("COMMIT");
  }
  const ms = performance.now() - began;
  db.close();
  return ms;
}

async function publish(dir: string, count: number, together: number): Promise<number> {
  await using bus = await open(dir);
  const began = performance.now();
  for (let sent = 0; sent < count; sent += together) {
    const pending: Promise<void>[] = [];
    for (let n = 0; n < together; n++) pending.push(bus.publish("readings", DATA));
    await Promise.all(pending);
  }
  return performance.now() - began;
}

async function inOneProcess(dir: string, count: number): Promise<number[]> {
  await using server = await open(dir);
  await using caller = await open(dir);
  await server.serve("echo", (data) => data);
  return await ask(caller, count);
}

async function acrossProcesses(dir: string, count: number): Promise<number[]> {
  await using caller = await open(dir);
  const permissions = [`--allow-read=${dir}`, `--allow-write=${dir}`];
  const program = { path: "bench/bus_sqlite_server.ts", args: [`${dir}/bus.db`], permissions };
  await using server = new Process("deno", denoArgs(program));
  await server.answer();
  return await ask(caller, count);
}

/** Asks one by one. @returns Milliseconds that each took, sorted. */
async function ask(caller: SqliteBus, count: number): Promise<number[]> {
  const times: number[] = [];
  for (let n = 0; n < count; n++) {
    const began = performance.now();
    await caller.request("echo", DATA);
    times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b);
}

function latencies(where: string, times: readonly number[]): FigureFinding[] {
  const at = (share: number) =>
    times[Math.min(times.length - 1, Math.floor(times.length * share))]!;
  const what = (share: string) => `sqlite bus: request/reply ${where}, ${share}`;
  return [
    { kind: "figure", what: what("p50"), value: at(0.5), unit: "ms", atMost: 5 },
    { kind: "figure", what: what("p99"), value: at(0.99), unit: "ms" },
  ];
}
