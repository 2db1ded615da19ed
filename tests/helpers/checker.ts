import { assert, assertEquals } from "@std/assert";
import { decodeEnvelopeText } from "../../src/envelope/mod.ts";
import { type ChannelLog, FileChannelLogs, type Position } from "../../src/storage/mod.ts";

/** What a writer publishes: its number, its count, and text that both determine. */
export interface CheckedPayload {
  readonly writer: number;
  readonly n: number;
  readonly text: string;
}

/** The payload of a writer's nth message. */
export function checkedPayload(writer: number, n: number): CheckedPayload {
  const length = 1 + (writer * 131 + n * 977) % 300;
  return {
    writer,
    n,
    text: `${writer}/${n} żółć 🎉 <&> `.repeat(20).slice(0, length).toWellFormed(),
  };
}

/** What one writer tried and what was acknowledged to it; kept outside the directory under test. */
export interface WriterHistory {
  /** How many messages it may have published: those with a lower n. */
  attempted: number;
  /** The n of each message whose publish settled. */
  readonly acknowledged: Set<number>;
}

/** The histories of all writers, by their number. */
export type Histories = Map<number, WriterHistory>;

/** One message as it is stored. */
export interface StoredMessage {
  readonly writer: number;
  readonly n: number;
  readonly position: Position;
  readonly next: Position;
}

/** What the checker found. */
export interface CheckedLog {
  /** All messages, in order. */
  readonly stored: readonly StoredMessage[];
  /** How many acknowledged messages are not there; 0 unless that was allowed. */
  readonly lost: number;
}

/** What a check allows. */
export interface CheckOptions {
  /** Whether acknowledged messages may be missing at the end of each writer's. @default {false} */
  readonly mayLose?: boolean;
  /** @default {"events"} */
  readonly channel?: string;
}

/**
 * Opens a data directory after a fault and checks it: acknowledged ⊆ stored ⊆ attempted, every line
 * whole and unaltered, each message once and in its writer's order, the statistics equal to a
 * recount of the files.
 */
export async function checkDataDir(
  dataDir: string,
  histories: Histories,
  options: CheckOptions = {},
): Promise<CheckedLog> {
  const channel = options.channel ?? "events";
  const logs = new FileChannelLogs(dataDir);
  try {
    const log = await logs.open(channel);
    const stored = await readStored(log);
    checkFiles(`${dataDir}/channels/${channel}`, log);
    return { stored, lost: checkHistories(stored, histories, options.mayLose ?? false) };
  } finally {
    await logs.close();
  }
}

/**
 * Checks what a subscriber got over one or more lives: every stored message in order, with at most
 * so many repeats where one life follows another.
 */
export function checkDelivered(
  stored: readonly StoredMessage[],
  lives: readonly (readonly Position[])[],
  repeatsMax: number,
): void {
  const positions = stored.map(({ position }) => position);
  let next = 0;
  for (const [life, delivered] of lives.entries()) {
    if (delivered.length === 0) continue;
    const first = positions.indexOf(delivered[0]!);
    assert(first >= 0, `life ${life} begins with ${delivered[0]}, where no record is`);
    assert(first <= next, `life ${life} skips ${first - next} messages`);
    assert(next - first <= repeatsMax, `life ${life} repeats ${next - first} messages`);
    assertEquals(
      delivered.join(),
      positions.slice(first, first + delivered.length).join(),
      `life ${life} is out of order`,
    );
    next = first + delivered.length;
  }
  assertEquals(next, positions.length, "messages were never delivered");
}

async function readStored(log: ChannelLog): Promise<StoredMessage[]> {
  const stored: StoredMessage[] = [];
  const ids = new Set<string>();
  const reader = log.reader(log.start);
  for (;;) {
    const { records } = await reader.read(1024 * 1024);
    if (records.length === 0) break;
    for (const { bytes, position, next } of records) {
      const { id, payload } = decodeEnvelopeText(new TextDecoder().decode(bytes));
      const { writer, n, text } = payload as CheckedPayload;
      assertEquals(text, checkedPayload(writer, n).text, `message ${writer}/${n} was altered`);
      assert(!ids.has(id), `id ${id} is stored twice`);
      ids.add(id);
      stored.push({ writer, n, position, next });
    }
  }
  assertEquals(reader.position, log.end);
  reader.close();
  return stored;
}

/** Every byte of the files belongs to a line, and the log's own figures say the same. */
function checkFiles(folder: string, log: ChannelLog): void {
  const names = Array.from(Deno.readDirSync(folder), ({ name }) => name)
    .filter((name) => name.endsWith(".jsonl")).sort();
  let end = Number(names[0]!.slice(0, 20));
  const start = end;
  for (const name of names) {
    assertEquals(Number(name.slice(0, 20)), end, `there is a gap before ${name}`);
    const bytes = Deno.readFileSync(`${folder}/${name}`);
    assert(bytes.length === 0 || bytes.at(-1) === 0x0a, `${name} ends inside a record`);
    end += bytes.length;
  }
  const stats = log.stats();
  assertEquals(
    { start: stats.start, end: stats.end, bytes: stats.bytes, segments: stats.segments },
    { start, end, bytes: end - start, segments: names.length },
  );
  assertEquals([stats.skippedBytes, stats.skippedRecords], [0, 0]);
}

/** @returns How many acknowledged messages are missing. */
function checkHistories(
  stored: readonly StoredMessage[],
  histories: Histories,
  mayLose: boolean,
): number {
  const next = new Map<number, number>();
  for (const { writer, n } of stored) {
    assertEquals(n, next.get(writer) ?? 0, `writer ${writer} is out of order`);
    next.set(writer, n + 1);
  }
  let lost = 0;
  for (const writer of next.keys()) assert(histories.has(writer), `nobody is writer ${writer}`);
  for (const [writer, { attempted, acknowledged }] of histories) {
    const count = next.get(writer) ?? 0;
    assert(count <= attempted, `writer ${writer} has ${count} stored, ${attempted} attempted`);
    for (const n of acknowledged) {
      if (n < count) continue;
      assert(mayLose, `message ${writer}/${n} was acknowledged and is not stored`);
      lost++;
    }
  }
  return lost;
}
