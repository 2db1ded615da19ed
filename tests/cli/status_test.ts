import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { FileChannelLogs } from "../../src/storage/mod.ts";
import { formatAge, formatBytes } from "../../src/cli/units.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { tempDir } from "../helpers/temp.ts";
import { type MemoryIo, memoryIo, runCli } from "./helpers.ts";

const status = (dataDir: string, words: readonly string[] = [], io?: MemoryIo) =>
  runCli(["status", "--data-dir", dataDir, ...words], io);

const MOVED = Date.UTC(2026, 0, 1);

/** A data directory with two channels and readers of each kind, and its open logs. */
async function makeData(dataDir: string): Promise<FileChannelLogs> {
  const logs = new FileChannelLogs(dataDir, { segmentBytes: 40 });
  const readings = await logs.open("readings");
  for (let n = 0; n < 10; n++) await readings.append(`record ${n}`, () => undefined);
  await logs.open("settings");
  for (
    const [name, position] of [
      ["display", 9],
      ["ahead", 1_000],
      ["fed-Kitchen%20Pi", 90],
      ["fedout-hub.local%3A7740", 36],
    ] as const
  ) {
    const cursor = await readings.cursor(name);
    await cursor.save(position);
    cursor.close();
    const path = `${dataDir}/subscribers/readings/${name}.offset`;
    await Deno.utime(path, MOVED / 1_000, MOVED / 1_000);
  }
  return logs;
}

Deno.test("status shows owner, channels, subscribers and peers", async () => {
  await using dir = await tempDir();
  const logs = await makeData(dir.path);
  const clock = new FakeClock(MOVED + 90_000);
  const { code, stdout, stderr } = await status(dir.path, [], memoryIo({ clock }));
  await logs.close();
  assertEquals([code, stderr], [0, ""]);
  assertEquals(
    stdout,
    `Data directory: ${dir.path}
Owner:          process ${Deno.pid}

CHANNEL   SIZE  SEGMENTS  START  END
readings  90 B         3      0   90
settings   0 B         1      0    0

SUBSCRIBER  CHANNEL   POSITION   LAG     MOVED
display     readings         9  81 B  90 s ago
ahead       readings      1000   0 B  90 s ago

PEER            ROLE             CHANNEL   POSITION   LAG     MOVED
hub.local:7740  hub, is sent to  readings        36  54 B  90 s ago
Kitchen Pi      peer, receives   readings        90   0 B  90 s ago
`,
  );
});

Deno.test("status --json has what programs need", async () => {
  await using dir = await tempDir();
  await (await makeData(dir.path)).close();
  const report = JSON.parse((await status(dir.path, ["--json"])).stdout);
  assertEquals(Object.keys(report), [
    "data_dir",
    "owner_pid",
    "channels",
    "readers",
    "torn",
    "problems",
  ]);
  assertEquals([report.owner_pid, report.torn, report.problems], [null, [], []]);
  assertEquals(report.channels[0], {
    channel: "readings",
    bytes: 90,
    segments: 3,
    start: 0,
    end: 90,
  });
  assertEquals(report.readers[0], {
    kind: "subscriber",
    name: "display",
    channel: "readings",
    position: 9,
    lag_bytes: 81,
    moved_at: "2026-01-01T00:00:00.000Z",
  });
  assertEquals(report.readers[1].kind + report.readers[1].name, "hubhub.local:7740");
});

Deno.test("the lag counts what is kept alone", async () => {
  await using dir = await tempDir();
  await (await makeData(dir.path)).close();
  const folder = `${dir.path}/channels/readings`;
  await Deno.remove(`${folder}/${[...Deno.readDirSync(folder)].map((e) => e.name).sort()[0]}`);
  const report = JSON.parse((await status(dir.path, ["--json"])).stdout);
  assertEquals([report.channels[0].start, report.readers[0].lag_bytes], [36, 54]);
});

Deno.test("status shows torn files", async () => {
  await using dir = await tempDir();
  await (await makeData(dir.path)).close();
  const folder = `${dir.path}/channels/readings`;
  const path = `${folder}/${[...Deno.readDirSync(folder)].map((e) => e.name).sort().at(-1)}`;
  await Deno.writeTextFile(path, '{"half', { append: true });
  const { stdout } = await status(dir.path);
  assertStringIncludes(
    stdout,
    `Torn: ${path} has 6 B after its last whole record; the next owner cuts them off\n`,
  );
  const { torn } = JSON.parse((await status(dir.path, ["--json"])).stdout);
  assertEquals(torn, [{ channel: "readings", path, bytes: 6 }]);
});

Deno.test("status of what cannot be read is the rest, the problem, and exit code 1", async () => {
  await using dir = await tempDir();
  await (await makeData(dir.path)).close();
  const cursor = `${dir.path}/subscribers/readings/display.offset`;
  await Deno.writeTextFile(cursor, "12x\n");
  await Deno.writeTextFile(`${dir.path}/channels/.DS_Store`, "");
  const { code, stdout, stderr } = await status(dir.path);
  assertEquals(code, 1);
  assertMatch(
    stderr,
    /^could not read a cursor: [^\n]+display.offset[^\n]+not a position[^\n]+\n$/,
  );
  assertStringIncludes(stdout, "settings");
  assertEquals(stdout.includes("DS_Store"), false);
});

Deno.test("status of an empty data directory, and of none, says so", async () => {
  await using dir = await tempDir();
  const none = await status(dir.path);
  assertEquals([none.code, none.stdout], [1, ""]);
  assertStringIncludes(none.stderr, 'it has no folder "channels", so it is no data directory\n');
  await new FileChannelLogs(dir.path).close();
  const empty = await status(dir.path);
  assertEquals(empty.code, 0);
  assertStringIncludes(empty.stdout, "No channels yet.");
});

for (const terminal of [true, false]) {
  Deno.test(`status --watch ${terminal ? "redraws a terminal" : "writes on"} each second`, async () => {
    await using dir = await tempDir();
    const logs = await makeData(dir.path);
    const clock = new FakeClock(MOVED);
    const controller = new AbortController();
    const io = memoryIo({ clock, terminal, signal: controller.signal });
    const running = status(dir.path, ["--watch"], io);
    await clock.untilTimer(1_000);
    const first = io.stdout.text;
    await (await logs.open("readings")).append("one more", () => undefined);
    await clock.fire(1_000);
    await clock.untilTimer(1_000);
    controller.abort();
    const { code, stdout } = await running;
    await logs.close();
    assertEquals([code, stdout.startsWith(first)], [0, true]);
    const second = stdout.slice(first.length);
    assertStringIncludes(second, "99 B");
    assertEquals(second.startsWith("\x1b[H\x1b[J"), terminal);
    assertEquals(stdout.includes("\x1b"), terminal);
  });
}

Deno.test("status --watch --json prints one line each second", async () => {
  await using dir = await tempDir();
  await new FileChannelLogs(dir.path).close();
  const clock = new FakeClock();
  const controller = new AbortController();
  const io = memoryIo({ clock, signal: controller.signal });
  const running = status(dir.path, ["--watch", "--json"], io);
  await clock.fire(1_000);
  await clock.untilTimer(1_000);
  controller.abort();
  const { stdout } = await running;
  const lines = stdout.trimEnd().split("\n");
  assertEquals(lines.map((line) => JSON.parse(line).channels), [[], []]);
});

Deno.test("sizes and ages are written for people", () => {
  assertEquals([0, 1023, 1024, 1_500_000, 2 ** 40, 2 ** 60].map(formatBytes), [
    "0 B",
    "1023 B",
    "1.0 KiB",
    "1.4 MiB",
    "1.0 TiB",
    "1048576.0 TiB",
  ]);
  assertEquals([-5, 0, 1_000, 119_999, 120_000, 7_200_000, 172_800_000].map(formatAge), [
    "now",
    "now",
    "1 s ago",
    "119 s ago",
    "2 min ago",
    "2 h ago",
    "2 d ago",
  ]);
});
