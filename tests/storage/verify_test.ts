import { assert, assertEquals, assertGreater, assertRejects } from "@std/assert";
import fc from "fast-check";
import { EnvelopeEncoder } from "../../src/envelope/mod.ts";
import {
  type ChannelCheck,
  FileChannelLogs,
  type Finding,
  verifyChannel,
} from "../../src/storage/mod.ts";
import { tempDir } from "../helpers/temp.ts";

const FIRST = "00000000000000000000.jsonl";

interface Verdict extends ChannelCheck {
  readonly damage: readonly string[];
  readonly notes: readonly string[];
}

async function verify(dataDir: string, channel = "readings"): Promise<Verdict> {
  const findings: Finding[] = [];
  const check = await verifyChannel(dataDir, channel, { found: (found) => findings.push(found) });
  const of = (weight: string) =>
    findings.filter((finding) => finding.weight === weight)
      .map(({ position, bytes, what }) => `${position} ${bytes} ${what}`);
  return { ...check, damage: of("damage"), notes: of("note") };
}

/** Records, and the positions at which they begin. */
async function write(dataDir: string, count: number, segmentBytes = 1 << 20): Promise<number[]> {
  const logs = new FileChannelLogs(dataDir, { segmentBytes });
  const log = await logs.open("readings");
  const encoder = new EnvelopeEncoder("pi");
  const positions: number[] = [];
  for (let n = 0; n < count; n++) {
    const record = encoder.encode("readings", "com.example.Reading", `{"n":${n}}`);
    positions.push(await log.append(record, (position) => position));
  }
  await logs.close();
  return positions;
}

function segment(dataDir: string, name = FIRST): string {
  return `${dataDir}/channels/readings/${name}`;
}

async function setCursor(dataDir: string, name: string, text: string): Promise<void> {
  await Deno.mkdir(`${dataDir}/subscribers/readings`, { recursive: true });
  await Deno.writeTextFile(`${dataDir}/subscribers/readings/${name}.offset`, text);
}

Deno.test("a whole channel over several segments has no findings", async () => {
  await using dir = await tempDir();
  const positions = await write(dir.path, 50, 1_000);
  await setCursor(dir.path, "display", `${positions[7]}\n`);
  const { segments, bytes, ...verdict } = await verify(dir.path);
  assertGreater(segments, 5);
  assertGreater(bytes, positions.at(-1)!);
  assertEquals(verdict, {
    channel: "readings",
    records: 50,
    damagedBytes: 0,
    cursors: 1,
    damage: [],
    notes: [],
  });
});

Deno.test("whatever single byte is spoilt, the damage lies in its record and nowhere else", async () => {
  await using dir = await tempDir();
  const positions = await write(dir.path, 5);
  const whole = await Deno.readFile(segment(dir.path));
  await fc.assert(
    fc.asyncProperty(fc.nat(whole.length - 1), async (at) => {
      const spoilt = whole.slice();
      // NUL is allowed nowhere in JSON text.
      spoilt[at] = 0;
      await Deno.writeFile(segment(dir.path), spoilt);
      const { damage, notes, records } = await verify(dir.path);
      const record = positions.findLastIndex((position) => position <= at);
      if (at === whole.length - 1) {
        assertEquals([damage, records, notes.length], [[], 4, 1]);
        return;
      }
      assertEquals(damage.length, 1, `byte ${at}: ${damage}`);
      assert(damage[0]!.startsWith(`${positions[record]} `), `byte ${at}: ${damage}`);
      assertEquals(records, whole[at] === 0x0a ? 3 : 4);
    }),
    { numRuns: 150 },
  );
});

Deno.test("each kind of damage is named with its place", async () => {
  await using dir = await tempDir();
  const [, second] = await write(dir.path, 2);
  const text = await Deno.readTextFile(segment(dir.path));
  const head = text.slice(0, second!);
  const tail = text.slice(second!);
  const long = "x".repeat(10 * 1024 * 1024 + 1);
  for (
    const [content, damage, notes] of [
      [`${head}\n${tail}`, [`${second} 1 is no record: it is empty`], []],
      [`${head}${long}\n${tail}`, [`${second} ${long.length + 1} is a line over 10 MiB`], []],
      [`${text}{"v":1,"id`, [], [
        `${text.length} 10 is a write that was cut short or is under way`,
      ]],
      [`${head}${tail.replace('"v":1', '"v":2')}`, [], [
        `${second} ${tail.length} is a record that is left out: it is of version 2, not 1`,
      ]],
      [`${head}${tail.replace('"channel":"readings"', '"channel":"settings"')}`, [], [
        `${second} ${tail.length} is a record of channel "settings"`,
      ]],
    ] as const
  ) {
    await Deno.writeTextFile(segment(dir.path), content);
    const verdict = await verify(dir.path);
    assertEquals([verdict.damage, verdict.notes], [[...damage], [...notes]]);
  }
});

Deno.test("a missing segment, and one that ends in a record, are named", async () => {
  await using dir = await tempDir();
  await write(dir.path, 20, 400);
  const names = Array.from(Deno.readDirSync(`${dir.path}/channels/readings`), ({ name }) => name)
    .sort();
  const { size } = await Deno.stat(segment(dir.path, names[3]));
  await Deno.remove(segment(dir.path, names[3]));
  const start = Number(names[3]!.slice(0, 20));
  const verdict = await verify(dir.path);
  assertEquals(verdict.damage, [`${start} ${size} is missing before this segment`]);
  assertEquals(verdict.damagedBytes, size);
  const first = await Deno.readFile(segment(dir.path));
  await Deno.writeFile(segment(dir.path), first.subarray(0, -1));
  const [ends, gap] = (await verify(dir.path)).damage;
  assert(ends!.endsWith("is a record without an end"), ends);
  assertEquals(gap, `${first.length - 1} 1 is missing before this segment`);
});

Deno.test("cursors that point nowhere are named", async () => {
  await using dir = await tempDir();
  const [, second] = await write(dir.path, 2);
  const { size: end } = await Deno.stat(segment(dir.path));
  await setCursor(dir.path, "inside", `${second! + 3}\n`);
  await setCursor(dir.path, "past", `${end + 9}\n`);
  await setCursor(dir.path, "right", `${second}\n`);
  await setCursor(dir.path, "at-end", `${end}\n`);
  await setCursor(dir.path, "spoilt", "12x\n");
  const { damage, cursors } = await verify(dir.path);
  assertEquals(cursors, 5);
  assertEquals(damage.length, 3);
  assert(damage[0]!.includes('holds "12x", not a position'), damage[0]);
  assertEquals(damage.slice(1).sort(), [
    `${second! + 3} 0 stands where no record begins: it goes on at the next`,
    `${end + 9} 0 stands past the channel's end, ${end}`,
  ]);
});

Deno.test("records longer than a piece of the file are checked whole, and a signal ends it", async () => {
  await using dir = await tempDir();
  const logs = new FileChannelLogs(dir.path);
  const log = await logs.open("readings");
  const encoder = new EnvelopeEncoder("pi");
  const payload = JSON.stringify("x".repeat(3 * 1024 * 1024));
  for (let n = 0; n < 3; n++) {
    await log.append(encoder.encode("readings", "text", payload), () => undefined);
  }
  await logs.close();
  const { damage, records } = await verify(dir.path);
  assertEquals([damage, records], [[], 3]);
  const over = AbortSignal.abort(new Error("over"));
  await assertRejects(
    () => verifyChannel(dir.path, "readings", { found() {}, signal: over }),
    Error,
    "over",
  );
});
