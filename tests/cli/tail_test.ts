import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import fc from "fast-check";
import { EnvelopeEncoder } from "../../src/envelope/mod.ts";
import { FileChannelLogs } from "../../src/storage/mod.ts";
import { FakeClock } from "../helpers/fake_clock.ts";
import { tempDir } from "../helpers/temp.ts";
import { segmentFile } from "../helpers/test_channel.ts";
import { type MemoryIo, memoryIo, runCli } from "./helpers.ts";

const POLL_MS = 200;
const encoder = new EnvelopeEncoder("pi");

const record = (payload: unknown) => encoder.encode("c", "T", JSON.stringify(payload));

/** Writes a channel's segments: texts that follow one another. */
async function writeChannel(dataDir: string, ...segments: string[]): Promise<void> {
  await Deno.mkdir(`${dataDir}/channels/c`, { recursive: true });
  let start = 0;
  for (const text of segments) {
    const bytes = new TextEncoder().encode(text);
    await Deno.writeFile(`${dataDir}/channels/c/${segmentFile(start)}`, bytes);
    start += bytes.length;
  }
}

const lines = (...payloads: unknown[]) =>
  payloads.map((payload) => `${record(payload)}\n`).join("");
const upTo = (count: number) => Array.from({ length: count }, (_, n) => n + 1);

const tail = (dataDir: string, words: readonly string[], io?: MemoryIo) =>
  runCli(["tail", "c", "--data-dir", dataDir, ...words], io);

/** The payloads of readable lines. */
const payloads = (stdout: string) =>
  stdout.split("\n").slice(0, -1).map((line) => JSON.parse(line.split(" ").slice(3).join(" ")));

Deno.test("tail shows time, origin, type and payload of the last ten messages", async () => {
  await using dir = await tempDir();
  await writeChannel(dir.path, lines(...upTo(12)));
  const { code, stdout, stderr } = await tail(dir.path, []);
  assertEquals([code, stderr], [0, ""]);
  assertMatch(stdout, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d.\d{3}Z pi T 3\n/);
  assertEquals(payloads(stdout), upTo(12).slice(2));
});

Deno.test("tail -n shows the last messages, over segments, records of any length and damage", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat(200_000), { minLength: 1, maxLength: 12 }),
      fc.array(fc.nat(11), { maxLength: 3 }),
      fc.array(fc.nat(11), { maxLength: 2 }),
      fc.integer({ min: 1, max: 14 }),
      async (sizes, cuts, damages, count) => {
        await using dir = await tempDir();
        const segments: string[] = [""];
        for (const [index, size] of sizes.entries()) {
          if (cuts.includes(index)) segments.push("");
          if (damages.includes(index)) segments[segments.length - 1] += "no record\n";
          segments[segments.length - 1] += lines(`${index}:${"x".repeat(size)}`);
        }
        await writeChannel(dir.path, ...segments.filter((text) => text !== ""));
        const { code, stdout } = await tail(dir.path, ["-n", String(count)]);
        const seen = payloads(stdout).map((payload) => Number(payload.split(":")[0]));
        assertEquals([code, seen], [0, sizes.map((_, index) => index).slice(-count)]);
      },
    ),
    { numRuns: 40 },
  );
});

Deno.test("tail shows everything from the start, nothing from the end", async () => {
  await using dir = await tempDir();
  await writeChannel(dir.path, lines(...upTo(20)), lines(...upTo(5)));
  const shown = async (...words: string[]) => payloads((await tail(dir.path, words)).stdout);
  assertEquals(await shown("--from", "start"), [...upTo(20), ...upTo(5)]);
  assertEquals(await shown("--from", "end"), []);
  assertEquals(await shown("-n", "0"), []);
  assertEquals(await shown("-n", "1000"), [...upTo(20), ...upTo(5)]);
  const both = await tail(dir.path, ["--from", "start", "-n", "3"]);
  assertEquals([both.code, both.stdout], [2, ""]);
});

Deno.test("tail --json prints the records as they are stored", async () => {
  await using dir = await tempDir();
  const stored = `{ "v":1, "id":"x", "ts":"2026-01-01T00:00:00.123456789Z", "channel":"c",` +
    ` "origin":"go", "payload_type":"T", "payload":12345678901234567890 }\n`;
  await writeChannel(dir.path, lines(1) + stored);
  const { stdout } = await tail(dir.path, ["--json", "-n", "1"]);
  assertEquals(stdout, stored);
});

Deno.test("tail --grep shows the last messages with a text, however far back they are", async () => {
  await using dir = await tempDir();
  const filler = Array.from({ length: 3_000 }, () => "x".repeat(100));
  await writeChannel(dir.path, lines("kiwi 1", "kiwi 2", "kiwi 3"), lines(...filler, "a (kiwi) 4"));
  const { stdout } = await tail(dir.path, ["--grep", "kiwi", "-n", "3"]);
  assertEquals(payloads(stdout), ["kiwi 2", "kiwi 3", "a (kiwi) 4"]);
});

Deno.test("tail names damaged lines on standard error and goes on", async () => {
  await using dir = await tempDir();
  await writeChannel(dir.path, `${lines(1)}{"v":1}\n\n${"\x1b[2J"}\n${lines(2)}{"half`);
  const { code, stdout, stderr } = await tail(dir.path, []);
  assertEquals([code, payloads(stdout)], [0, [1, 2]]);
  const remarks = stderr.trimEnd().split("\n");
  assertEquals(remarks.length, 3);
  assertStringIncludes(stderr, "no message at position ");
  assertStringIncludes(stderr, "skipped an empty line at position ");
  assert(!stderr.includes("\x1b"), "escapes are made visible");
});

Deno.test("tail makes visible what a terminal would obey", async () => {
  await using dir = await tempDir();
  await writeChannel(dir.path, lines("\x1b]0;boo\x07\u009b2J\u202e"));
  const { stdout } = await tail(dir.path, [], memoryIo({ terminal: true }));
  assertStringIncludes(stdout, '"\\u001b]0;boo\\u0007\\u009b2J\\u202e"');
});

Deno.test("tail of a channel that is not there names the nearest one", async () => {
  await using dir = await tempDir();
  await writeChannel(dir.path, lines(1));
  const { code, stderr } = await runCli(["tail", "C", "--data-dir", dir.path]);
  assertEquals(code, 1);
  assertEquals(stderr, 'keyop-messenger: there is no channel "C"; did you mean "c"?\n');
});

/** Runs `tail -f` on a clock that the test moves, until it is interrupted. */
function follow(dataDir: string, ...words: string[]) {
  const clock = new FakeClock();
  const controller = new AbortController();
  const io = memoryIo({ clock, signal: controller.signal });
  const running = tail(dataDir, ["-f", ...words], io);
  return {
    io,
    /** Lets it look once more, and waits until it has. */
    look: async () => {
      await clock.fire(POLL_MS);
      await clock.untilTimer(POLL_MS);
    },
    ready: () => clock.untilTimer(POLL_MS),
    end: () => {
      controller.abort();
      return running;
    },
  };
}

Deno.test("tail -f shows what another owner publishes, across segments, until interrupted", async () => {
  await using dir = await tempDir();
  const logs = new FileChannelLogs(dir.path, { segmentBytes: 400 });
  const log = await logs.open("c");
  const append = (payload: unknown) => log.append(record(payload), () => undefined);
  for (const n of upTo(4)) await append(n);
  const following = follow(dir.path, "-n", "2");
  await following.ready();
  assertEquals(payloads(following.io.stdout.text), [3, 4]);
  await following.look();
  for (const n of upTo(9)) {
    await append(10 + n);
    if (n % 4 === 0) await following.look();
  }
  await following.look();
  const { code, stdout, stderr } = await following.end();
  assertEquals([code, stderr], [0, ""]);
  assertEquals(payloads(stdout), [3, 4, ...upTo(9).map((n) => 10 + n)]);
  await logs.close();
});

Deno.test("tail -f waits for a channel to be made", async () => {
  await using dir = await tempDir();
  await Deno.mkdir(`${dir.path}/channels`);
  const following = follow(dir.path);
  await following.look();
  await writeChannel(dir.path, lines(1));
  await following.look();
  const { code, stdout, stderr } = await following.end();
  assertEquals([code, payloads(stdout)], [0, [1]]);
  assertEquals(stderr, 'waiting for channel "c" to be made\n');
});

Deno.test("tail -f goes on when the channel was cut back", async () => {
  await using dir = await tempDir();
  await writeChannel(dir.path, lines(1, 2));
  const following = follow(dir.path);
  await following.ready();
  await writeChannel(dir.path, lines(1));
  await following.look();
  await writeChannel(dir.path, lines(1, 3));
  await following.look();
  const { stdout, stderr } = await following.end();
  assertEquals(payloads(stdout), [1, 2, 3]);
  assertEquals(stderr, "the channel was cut back: going on at its new end\n");
});
