import { assert, assertEquals, assertGreater, assertInstanceOf, assertRejects } from "@std/assert";
import fc from "fast-check";
import { MessengerClosedError, StorageError } from "../../src/base/mod.ts";
import { MAX_RECORD_BYTES } from "../../src/envelope/mod.ts";
import type {
  ChannelLog,
  ChannelLogs,
  LogReader,
  Position,
  StoredRecord,
} from "../../src/storage/mod.ts";

/** What a backend can do beyond what every backend does. */
export interface LogAbilities {
  /** Records and cursors are there again when the place is opened the next time. */
  readonly durable: boolean;
  /** Positions are bytes: there are some that lie inside a record. */
  readonly bytePositions: boolean;
}

/** Where one test keeps its channels. */
export interface LogPlace extends AsyncDisposable {
  /** Opens the channels. The earlier ones are closed by then. */
  open(): ChannelLogs;
}

/** An implementation of the port. */
export interface LogBackend {
  readonly name: string;
  readonly abilities: LogAbilities;
  /** A new, empty place. */
  readonly place: () => Promise<LogPlace>;
}

interface LogCase {
  readonly name: string;
  readonly needs?: keyof LogAbilities;
  readonly run: (place: LogPlace) => Promise<void>;
}

const decoder = new TextDecoder();

/** Registers one test for each case; a case that needs what the backend lacks shows as ignored. */
export function testChannelLog(backend: LogBackend): void {
  for (const { name, needs, run } of [...LOG_CASES, ...CURSOR_CASES, ...CHANNEL_CASES]) {
    Deno.test({
      name: `${backend.name}: ${name}`,
      ignore: needs !== undefined && !backend.abilities[needs],
      async fn() {
        await using place = await backend.place();
        await run(place);
      },
    });
  }
}

/** A case with one open channel, closed at its end. */
function onLog(
  name: string,
  run: (log: ChannelLog) => Promise<void>,
  needs?: keyof LogAbilities,
): LogCase {
  return {
    name,
    ...(needs && { needs }),
    async run(place) {
      const logs = place.open();
      try {
        await run(await logs.open("readings"));
      } finally {
        await logs.close();
      }
    },
  };
}

const LOG_CASES: readonly LogCase[] = [
  onLog("a new log is empty", async (log) => {
    assertEquals(log.channel, "readings");
    assertEquals(log.start, log.end);
    assertEquals(await readAll(log), []);
  }),

  onLog("records have the order of the append calls", async (log) => {
    const positions = await Promise.all(
      Array.from({ length: 100 }, (_, n) => log.append(`{"n":${n}}`, (position) => position)),
    );
    const records = await readAll(log);
    assertEquals(
      records.map(({ text }) => text),
      Array.from({ length: 100 }, (_, n) => `{"n":${n}}`),
    );
    assertEquals(records.map(({ position }) => position), positions);
  }),

  onLog("append gives what its result function makes of the position", async (log) => {
    const before = log.end;
    assertEquals(await log.append("a", (position) => `at ${position}`), `at ${before}`);
  }),

  onLog("each record ends where the next one begins, and the last at the end", async (log) => {
    await log.appendAll(["a", "bb", "ccc"]);
    const records = await readAll(log);
    assertEquals(records[0]!.position, log.start);
    assertEquals(records[0]!.next, records[1]!.position);
    assertEquals(records[1]!.next, records[2]!.position);
    assertEquals(records[2]!.next, log.end);
  }),

  onLog("appendAll gives each record's position, in order", async (log) => {
    await log.append("first", () => undefined);
    const positions = await log.appendAll(["a", "b", "c"]);
    const records = await readAll(log);
    assertEquals(records.map(({ text }) => text), ["first", "a", "b", "c"]);
    assertEquals(records.slice(1).map(({ position }) => position), positions);
  }),

  onLog("appendAll of nothing gives no positions", async (log) => {
    assertEquals(await log.appendAll([]), []);
    assertEquals(log.end, log.start);
  }),

  onLog("append and appendAll keep their order among each other", async (log) => {
    await Promise.all([
      log.append("1", () => undefined),
      log.appendAll(["2", "3"]),
      log.append("4", () => undefined),
    ]);
    assertEquals(await readTexts(log), ["1", "2", "3", "4"]);
  }),

  onLog("text and bytes are stored alike", async (log) => {
    const text = '{"payload":"żółć 🎉 \\u2028"}';
    await log.append(text, () => undefined);
    await log.append(new TextEncoder().encode(text), () => undefined);
    assertEquals(await readTexts(log), [text, text]);
  }),

  onLog("bytes may be changed once their append has been called", async (log) => {
    const bytes = new TextEncoder().encode("abc");
    const appended = log.append(bytes, () => undefined);
    bytes.fill(0x78);
    await appended;
    assertEquals(await readTexts(log), ["abc"]);
  }),

  onLog("a record is there for readers when its append has settled", async (log) => {
    const reader = log.reader(log.start);
    for (const text of ["a", "b", "c"]) {
      await log.append(text, () => undefined);
      assertEquals((await readBlock(reader)).map((record) => record.text), [text]);
    }
    reader.close();
  }),

  onLog("a reader begins at any record", async (log) => {
    const texts = Array.from({ length: 20 }, (_, n) => "x".repeat(n + 1));
    const positions = await log.appendAll(texts);
    for (const [index, position] of positions.entries()) {
      assertEquals(await readTexts(log, position), texts.slice(index), `from ${position}`);
    }
    assertEquals(await readTexts(log, log.end), []);
  }),

  onLog("a reader that begins inside a record begins at the next one", async (log) => {
    const texts = ["aaaaa", "bbbbb", "ccccc"];
    const positions = await log.appendAll(texts);
    for (let from = log.start; from <= log.end; from++) {
      const expected = texts.filter((_, index) => positions[index]! >= from);
      assertEquals(await readTexts(log, from), expected, `from ${from}`);
    }
  }, "bytePositions"),

  onLog("a reader at the end gives nothing, then what is appended", async (log) => {
    await log.append("old", () => undefined);
    const reader = log.reader(log.end);
    assertEquals((await reader.read(1024)).records, []);
    assertEquals(reader.position, log.end);
    await log.append("new", () => undefined);
    assertEquals((await readBlock(reader)).map((record) => record.text), ["new"]);
    assertEquals(reader.position, log.end);
    reader.close();
  }),

  onLog(
    "a reader beyond the end fails with a StorageError that names both positions",
    async (log) => {
      await log.append("a", () => undefined);
      const beyond = log.end + 7;
      const error = await assertRejects(
        async () => await log.reader(beyond).read(1024),
        StorageError,
      );
      assert(error.message.includes(String(beyond)) && error.message.includes(String(log.end)));
    },
  ),

  onLog("records longer than asked for are given whole, one at a time", async (log) => {
    const texts = [10, 50_000, 100_000, 1, 20_000, 300_000, 5].map((length, n) =>
      `${n}`.repeat(length)
    );
    await log.appendAll(texts);
    for (const maxBytes of [1, 1024, 30_000, 1_000_000]) {
      const read = await readTexts(log, log.start, maxBytes);
      assertEquals(read.map(summary), texts.map(summary), `maxBytes ${maxBytes}`);
    }
  }),

  onLog(
    "a reader that is asked for less than before gives long records all the same",
    async (log) => {
      await log.append("a".repeat(200_000), () => undefined);
      const reader = log.reader(log.start);
      assertEquals((await readBlock(reader, 1_000_000)).length, 1);
      await log.appendAll(["b".repeat(100_000), "c"]);
      const lengths: number[] = [];
      while (reader.position < log.end) {
        lengths.push(...(await readBlock(reader, 1)).map(({ text }) => text.length));
      }
      reader.close();
      assertEquals(lengths, [100_000, 1]);
      assertEquals(log.stats().skippedRecords, 0);
    },
  ),

  onLog("a read gives about as many bytes as asked for", async (log) => {
    await log.appendAll(Array.from({ length: 1_000 }, () => "x".repeat(999)));
    const reader = log.reader(log.start);
    const { records } = await reader.read(100_000);
    reader.close();
    assertGreater(records.length, 50);
    assertGreater(150, records.length);
  }),

  onLog("readers do not disturb one another", async (log) => {
    await log.appendAll(["a", "b", "c"]);
    const one = log.reader(log.start);
    const two = log.reader(log.start);
    assertEquals((await readBlock(one)).length, 3);
    one.close();
    assertEquals((await readBlock(two)).length, 3);
    two.close();
  }),

  onLog("a record of 10 MiB is kept and a longer one refused", async (log) => {
    await log.append("x".repeat(MAX_RECORD_BYTES), () => undefined);
    await assertRejects(
      () => log.append("y".repeat(MAX_RECORD_BYTES + 1), () => undefined),
      StorageError,
      String(MAX_RECORD_BYTES),
    );
    await log.append("z", () => undefined);
    assertEquals((await readTexts(log)).map((text) => text.length), [MAX_RECORD_BYTES, 1]);
  }),

  onLog("appendAll with one record that is too long stores none of them", async (log) => {
    const kept = log.append("kept", () => undefined);
    const refused = log.appendAll(["a", new Uint8Array(MAX_RECORD_BYTES + 1), "b"]);
    const later = log.append("later", () => undefined);
    await assertRejects(() => refused, StorageError);
    await Promise.all([kept, later]);
    assertEquals(await readTexts(log), ["kept", "later"]);
  }),

  onLog("waitFor settles at once below the end, and when the log grows", async (log) => {
    const [first] = await log.appendAll(["a"]);
    await log.waitFor(first!);
    const order: string[] = [];
    const waits = ["one", "two"].map((name) => log.waitFor(log.end).then(() => order.push(name)));
    await log.append("b", () => undefined);
    await Promise.all(waits);
    assertEquals(order, ["one", "two"]);
  }),

  onLog("what waitFor waited for can be read", async (log) => {
    const reader = log.reader(log.end);
    const read = log.waitFor(log.end).then(() => readBlock(reader));
    await log.append("a", () => undefined);
    assertEquals((await read).map(({ text }) => text), ["a"]);
    reader.close();
  }),

  onLog("waitFor of a later position waits on while less is appended", async (log) => {
    await log.appendAll(["a"]);
    let settled = false;
    const wait = log.waitFor(log.end + 1).then(() => settled = true);
    const last = log.end;
    for (let n = 0; log.end <= last + 1; n++) {
      assertEquals(settled, false, `after ${n} appends`);
      await log.append("", () => undefined);
    }
    await wait;
  }),

  onLog("waitFor rejects with the signal's reason and leaves others waiting", async (log) => {
    const controller = new AbortController();
    const reason = new Error("stopped");
    const aborted = assertRejects(() => log.waitFor(log.end, controller.signal), Error, "stopped");
    const other = log.waitFor(log.end, new AbortController().signal);
    controller.abort(reason);
    await aborted;
    await assertRejects(() => log.waitFor(log.end, controller.signal), Error, "stopped");
    await log.append("a", () => undefined);
    await other;
  }),

  onLog("trim keeps everything from its position on, and what is appended later", async (log) => {
    await log.appendAll(["a", "b", "c"]);
    const [, second] = await readAll(log);
    await log.trim(second!.position);
    await log.append("d", () => undefined);
    assertEquals((await readTexts(log)).slice(-3), ["b", "c", "d"]);
  }),

  onLog("a log that is trimmed as it grows keeps a bounded part", async (log) => {
    const record = JSON.stringify("x".repeat(1024 * 1024));
    for (let n = 0; n < 30; n++) {
      await log.append(record, () => undefined);
      await log.trim(log.end);
    }
    assertGreater(8 * record.length, log.stats().bytes);
    assertGreater(log.start, 0);
    assertEquals(await readAll(log, log.end), []);
  }),

  onLog("trim of all there is keeps what is just being appended", async (log) => {
    await log.append("a", () => undefined);
    const { end } = log;
    const appending = Promise.all([log.append("b", () => {}), log.append("c", () => {})]);
    await log.trim(end, true);
    await appending;
    assertEquals((await readTexts(log)).slice(-2), ["b", "c"]);
  }),

  onLog("trim of all there is, at once, leaves nothing but room for more", async (log) => {
    await log.appendAll(["a", "b", "c"]);
    await log.trim(log.end, true);
    assertEquals([log.stats().bytes, log.start], [0, log.end]);
    const [position] = await log.appendAll(["d"]);
    assertEquals(position, log.start);
    assertEquals(await readTexts(log), ["d"]);
  }),

  onLog("trim refuses a position past the end and gives up nothing", async (log) => {
    await log.append("a", () => undefined);
    await assertRejects(() => log.trim(log.end + 1), StorageError, "it ends at");
    assertEquals(await readTexts(log), ["a"]);
  }),

  onLog("stats count records, groups and bytes", async (log) => {
    await log.appendAll(["a", "b"]);
    await log.append("c", () => undefined);
    const stats = log.stats();
    assertEquals(stats.channel, "readings");
    assertEquals([stats.start, stats.end], [log.start, log.end]);
    assertEquals([stats.appended, stats.commits], [3, 2]);
    assertGreater(stats.bytes, 2);
    assertEquals([stats.skippedRecords, stats.skippedBytes], [0, 0]);
    assertEquals([stats.segments, stats.stalled], [1, false]);
  }),

  {
    name: "what is read is what was appended, for any sizes, groups and reads",
    async run(place) {
      const logs = place.open();
      let channels = 0;
      await fc.assert(
        fc.asyncProperty(anyTurns, async (turns) => {
          await followTurns(await logs.open(`run-${channels++}`), turns);
        }),
        { numRuns: 25 },
      );
      await logs.close();
    },
  },
];

interface Turn {
  /** Lengths of the records of each group that is appended. */
  readonly groups: readonly (readonly number[])[];
  /** Index of the record that is read from then. */
  readonly from: number;
  readonly maxBytes: number;
}

const anyLength = fc.oneof(
  { arbitrary: fc.integer({ min: 1, max: 200 }), weight: 10 },
  { arbitrary: fc.integer({ min: 1, max: 40_000 }), weight: 1 },
);

const anyTurns: fc.Arbitrary<Turn[]> = fc.array(
  fc.record({
    groups: fc.array(fc.array(anyLength, { maxLength: 5 }), { maxLength: 4 }),
    from: fc.nat(40),
    maxBytes: fc.integer({ min: 1, max: 100_000 }),
  }),
  { maxLength: 5 },
);

async function followTurns(log: ChannelLog, turns: readonly Turn[]): Promise<void> {
  const expected: string[] = [];
  const positions: Position[] = [];
  for (const { groups, from, maxBytes } of turns) {
    const appended = await Promise.all(groups.map((lengths) => {
      const texts = lengths.map((length, n) => `${expected.length + n}:`.padEnd(length, "x"));
      expected.push(...texts);
      return log.appendAll(texts);
    }));
    positions.push(...appended.flat());
    const texts = await readTexts(log, positions[from] ?? log.end, maxBytes);
    const wanted = from < expected.length ? expected.slice(from) : [];
    assertEquals(texts.map(summary), wanted.map(summary));
    assert(texts.join() === wanted.join());
  }
}

function summary(text: string): string {
  return `${text.slice(0, 10)} (${text.length})`;
}

const CURSOR_CASES: readonly LogCase[] = [
  onLog("a new cursor has no position", async (log) => {
    const cursor = await log.cursor("reader");
    assertEquals([cursor.name, cursor.position], ["reader", undefined]);
    cursor.close();
    assertEquals(await log.cursors(), []);
  }),

  onLog("a cursor keeps the position that was saved last", async (log) => {
    await log.appendAll(["a", "b"]);
    const cursor = await log.cursor("reader");
    for (const position of [log.start, log.end]) {
      await cursor.save(position);
      assertEquals(cursor.position, position);
    }
    cursor.close();
    const again = await log.cursor("reader");
    assertEquals(again.position, log.end);
    again.close();
  }),

  onLog("cursors are listed by name, each with its position", async (log) => {
    await log.appendAll(["a", "b"]);
    for (const [name, position] of [["one", log.start], ["two", log.end]] as const) {
      const cursor = await log.cursor(name);
      await cursor.save(position);
      cursor.close();
    }
    const cursors = [...await log.cursors()].sort((a, b) => a.name < b.name ? -1 : 1);
    assertEquals(cursors.map(({ name, position }) => [name, position]), [
      ["one", log.start],
      ["two", log.end],
    ]);
    for (const { movedAt } of cursors) assertGreater(movedAt, 0);
  }),

  onLog("a removed cursor is forgotten, and removing it again says so", async (log) => {
    const cursor = await log.cursor("reader");
    await cursor.save(log.end);
    cursor.close();
    assertEquals(await log.removeCursor("reader"), true);
    assertEquals(await log.removeCursor("reader"), false);
    assertEquals(await log.cursors(), []);
    const again = await log.cursor("reader");
    assertEquals(again.position, undefined);
    again.close();
  }),

  {
    name: "cursors are there again after reopening",
    needs: "durable",
    async run(place) {
      const first = place.open();
      const log = await first.open("readings");
      await log.appendAll(["a", "b"]);
      const cursor = await log.cursor("reader");
      for (const position of [log.start, log.end]) await cursor.save(position);
      cursor.close();
      const end = log.end;
      await first.close();

      const second = place.open();
      const again = await second.open("readings");
      assertEquals((await again.cursor("reader")).position, end);
      assertEquals((await again.cursors()).map(({ name }) => name), ["reader"]);
      await second.close();
    },
  },
];

const CHANNEL_CASES: readonly LogCase[] = [
  {
    name: "channels do not see one another's records and cursors",
    async run(place) {
      const logs = place.open();
      const [one, two] = [await logs.open("one"), await logs.open("two")];
      await one.append("1", () => undefined);
      await two.append("2", () => undefined);
      const cursor = await one.cursor("reader");
      await cursor.save(one.end);
      cursor.close();
      assertEquals([await readTexts(one), await readTexts(two)], [["1"], ["2"]]);
      assertEquals(await two.cursors(), []);
      await logs.close();
    },
  },
  {
    name: "a channel is known once it was opened, under its name",
    async run(place) {
      const logs = place.open();
      assertEquals(logs.get("b"), undefined);
      assertEquals(logs.names(), []);
      const opened = await logs.open("b");
      assert(logs.get("b") === opened);
      const both = await Promise.all([logs.open("b"), logs.open("a")]);
      assert(both[0] === opened);
      assertEquals(logs.names(), ["a", "b"]);
      await logs.close();
    },
  },
  {
    name: "onCreate tells once of each new channel, until it is ended",
    async run(place) {
      const logs = place.open();
      const told: string[] = [];
      const end = logs.onCreate((channel) => told.push(channel));
      await logs.open("a");
      await logs.open("a");
      await logs.open("b");
      end();
      await logs.open("c");
      assertEquals(told, ["a", "b"]);
      await logs.close();
    },
  },
  {
    name: "channels, records and positions are there again after reopening",
    needs: "durable",
    async run(place) {
      const first = place.open();
      const positions = await (await first.open("readings")).appendAll(["a", "bb", "ccc"]);
      await first.close();

      const second = place.open();
      const told: string[] = [];
      second.onCreate((channel) => told.push(channel));
      assertEquals(second.names(), ["readings"]);
      const log = await second.open("readings");
      assertEquals(told, []);
      const records = await readAll(log);
      assertEquals(records.map(({ text }) => text), ["a", "bb", "ccc"]);
      assertEquals(records.map(({ position }) => position), positions);
      assertEquals(await log.append("d", (position) => position), records[2]!.next);
      await second.close();

      const third = place.open();
      assertEquals(await readTexts(await third.open("readings")), ["a", "bb", "ccc", "d"]);
      await third.close();
    },
  },
  {
    name: "close settles what was appended before it",
    async run(place) {
      const logs = place.open();
      const log = await logs.open("readings");
      const appended = [log.append("a", () => 1), log.append("b", () => 2)];
      await logs.close();
      assertEquals(await Promise.all(appended), [1, 2]);
    },
  },
  {
    name: "after close, append and open fail with MessengerClosedError and close does nothing",
    async run(place) {
      const logs = place.open();
      const log = await logs.open("readings");
      await Promise.all([logs.close(), logs.close()]);
      await logs.close();
      await assertRejects(() => log.append("a", () => undefined), MessengerClosedError, "readings");
      await assertRejects(() => log.appendAll(["a"]), MessengerClosedError, "readings");
      await assertRejects(() => logs.open("readings"), MessengerClosedError, "readings");
      await assertRejects(() => logs.open("other"), MessengerClosedError, "other");
    },
  },
  {
    name: "whoever closes waits for a closing that is under way",
    needs: "durable",
    async run(place) {
      const logs = place.open();
      const log = await logs.open("readings");
      const appended = log.append("a", () => undefined);
      const first = logs.close();
      await logs.close();
      const again = place.open();
      assertEquals(await readTexts(await again.open("readings")), ["a"]);
      await Promise.all([first, appended, again.close()]);
    },
  },
  {
    name: "close ends the waiting of readers with MessengerClosedError",
    async run(place) {
      const logs = place.open();
      const log = await logs.open("readings");
      const waiting = log.waitFor(log.end).catch((error) => error);
      await logs.close();
      assertInstanceOf(await waiting, MessengerClosedError);
      await assertRejects(() => log.waitFor(log.end), MessengerClosedError);
    },
  },
];

/** A record as text, since its bytes live only until the next read. */
interface ReadRecord {
  readonly text: string;
  readonly position: Position;
  readonly next: Position;
}

async function readBlock(reader: LogReader, maxBytes = 65_536): Promise<ReadRecord[]> {
  const { records } = await reader.read(maxBytes);
  return records.map(toRead);
}

function toRead({ bytes, position, next }: StoredRecord): ReadRecord {
  return { text: decoder.decode(bytes), position, next };
}

async function readAll(
  log: ChannelLog,
  from: Position = log.start,
  maxBytes = 65_536,
): Promise<ReadRecord[]> {
  const reader = log.reader(from);
  const records: ReadRecord[] = [];
  for (;;) {
    const block = await reader.read(maxBytes);
    assertEquals(block.next, reader.position);
    if (block.records.length === 0) break;
    records.push(...block.records.map(toRead));
  }
  assertEquals(reader.position, log.end);
  reader.close();
  return records;
}

async function readTexts(log: ChannelLog, from?: Position, maxBytes?: number): Promise<string[]> {
  return (await readAll(log, from, maxBytes)).map(({ text }) => text);
}
