/**
 * One part of the memory question, in a process of its own.
 *
 * `memory_process.ts stream|backlog DIR SIZE`: SIZE is messages, or bytes of backlog.
 */
import { answer } from "./lib/child.ts";
import { MemoryCurve } from "./lib/memory_curve.ts";
import {
  CHANNEL,
  firstSegment,
  openMessenger,
  PAYLOAD,
  PAYLOAD_TYPE,
  recordLine,
} from "./lib/workload.ts";

/** Memory while messages are published and delivered at once. */
export interface StreamMemory {
  readonly messages: number;
  readonly seconds: number;
  readonly startMb: number;
  readonly peakMb: number;
  readonly endMb: number;
  /** Growth in the last half, in MB for a million messages. */
  readonly slopeMb: number;
}

/** Memory while a backlog is delivered. */
export interface BacklogMemory extends StreamMemory {
  readonly bytes: number;
  /** Seconds until `open` and `subscribe` had returned. */
  readonly openSeconds: number;
  /** Seconds from the same start to the first message. */
  readonly firstSeconds: number;
}

const TOGETHER = 256;
const SEGMENT_BYTES = 256 * 1024 * 1024;
const CHUNK_LINES = 10_000;

async function stream(dir: string, messages: number): Promise<StreamMemory> {
  await using messenger = await openMessenger(dir, { offsetFlushIntervalMs: 200 });
  const { promise, resolve } = Promise.withResolvers<void>();
  const began = performance.now();
  const curve = new MemoryCurve(messages);
  await messenger.subscribe(CHANNEL, "bench", () => {
    if (curve.count() === messages) resolve();
  });
  for (let sent = 0; sent < messages;) {
    const pending: Promise<unknown>[] = [];
    for (; pending.length < TOGETHER && sent < messages; sent++) {
      pending.push(messenger.publish(CHANNEL, PAYLOAD_TYPE, PAYLOAD));
    }
    await Promise.all(pending);
  }
  await promise;
  return { messages, seconds: (performance.now() - began) / 1_000, ...curve.summary() };
}

async function backlog(dir: string, size: number): Promise<BacklogMemory> {
  const { messages, bytes } = await writeBacklog(dir, size);
  const curve = new MemoryCurve(messages);
  const { promise, resolve } = Promise.withResolvers<void>();
  let first = 0;
  const began = performance.now();
  await using messenger = await openMessenger(dir, { offsetFlushIntervalMs: 200 });
  await messenger.subscribe(CHANNEL, "bench", () => {
    if (first === 0) first = performance.now();
    if (curve.count() === messages) resolve();
  }, { from: "start" });
  const opened = performance.now();
  await promise;
  return {
    messages,
    bytes,
    seconds: (performance.now() - began) / 1_000,
    openSeconds: (opened - began) / 1_000,
    firstSeconds: (first - began) / 1_000,
    ...curve.summary(),
  };
}

/** Writes segments as a messenger would have: whole lines, each file named by its first byte. */
async function writeBacklog(
  dir: string,
  size: number,
): Promise<{ messages: number; bytes: number }> {
  const line = await recordLine(dir);
  Deno.mkdirSync(`${dir}/channels/${CHANNEL}`, { recursive: true });
  const chunk = new Uint8Array(line.length * CHUNK_LINES);
  for (let i = 0; i < CHUNK_LINES; i++) chunk.set(line, i * line.length);
  let bytes = 0;
  while (bytes < size) {
    using file = Deno.openSync(firstSegment(dir, bytes), { create: true, append: true });
    for (let room = SEGMENT_BYTES; room >= chunk.length && bytes < size; room -= chunk.length) {
      for (let at = 0; at < chunk.length;) at += file.writeSync(chunk.subarray(at));
      bytes += chunk.length;
    }
  }
  return { messages: bytes / line.length, bytes };
}

if (import.meta.main) {
  const [what, dir, size] = Deno.args;
  answer(
    what === "stream" ? await stream(dir!, Number(size)) : await backlog(dir!, Number(size)),
  );
}
