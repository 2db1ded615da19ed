import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { OutputClosedError } from "../../src/cli/io.ts";
import { DataDirView } from "../../src/storage/mod.ts";
import { tempDir } from "../helpers/temp.ts";
import { type MemoryIo, memoryIo, runCli } from "./helpers.ts";

const UUID = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}";

/** Publishes into a data directory as the instance `pi`. */
const publish = (dataDir: string, words: readonly string[], io?: MemoryIo) =>
  runCli(["publish", ...words, "--data-dir", dataDir, "--name", "pi"], io);

/** The records of a channel, parsed. */
async function recordsOf(dataDir: string, channel: string): Promise<Record<string, unknown>[]> {
  const reader = new DataDirView(dataDir).tail(channel).reader(0);
  const records: Record<string, unknown>[] = [];
  for (;;) {
    const block = await reader.read(1_000_000);
    for (const { bytes } of block.records) {
      records.push(JSON.parse(new TextDecoder().decode(bytes)));
    }
    if (block.records.length > 0) continue;
    reader.close();
    return records;
  }
}

const payloadsOf = async (dataDir: string, channel: string) =>
  (await recordsOf(dataDir, channel)).map(({ payload }) => payload);

Deno.test("publish stores a payload and prints its id and position", async () => {
  await using dir = await tempDir();
  const first = await publish(dir.path, ["readings", '{"celsius":21.5}']);
  assertEquals([first.code, first.stderr], [0, ""]);
  assertMatch(first.stdout, new RegExp(`^${UUID} 0\n$`));
  const words = ["readings", "2", "--type", "T", "--correlation-id", "c", "--service", "s"];
  const second = await publish(dir.path, [...words, "--json"]);
  const { id, position } = JSON.parse(second.stdout);
  const [one, two] = await recordsOf(dir.path, "readings");
  assertEquals([one!.origin, one!.payload_type], ["pi", "application/json"]);
  assertEquals([one!.payload, one!.id], [{ celsius: 21.5 }, first.stdout.split(" ")[0]]);
  const { ts: _, ...rest } = two!;
  assertEquals(rest, {
    v: 1,
    id,
    channel: "readings",
    origin: "pi",
    payload_type: "T",
    correlation_id: "c",
    service_name: "s",
    payload: 2,
  });
  assert(position > 100);
});

Deno.test("publish takes text, and a file", async () => {
  await using dir = await tempDir();
  const file = `${dir.path}/payload`;
  await Deno.writeTextFile(file, '{"a":\n  1}\n');
  await publish(dir.path, ["c", "no json", "--text"]);
  await publish(dir.path, ["c", "--file", file]);
  await publish(dir.path, ["c", "--file", file, "--text"]);
  const records = await recordsOf(dir.path, "c");
  assertEquals(records.map(({ payload }) => payload), ["no json", { a: 1 }, '{"a":\n  1}\n']);
  assertEquals(records[0]!.payload_type, "text/plain");
});

Deno.test("publish - takes one payload a line and says how many they were", async () => {
  await using dir = await tempDir();
  const io = memoryIo({ stdin: '1\r\n\n{"a":"b"}\n   \nnull' });
  assertEquals(await publish(dir.path, ["c", "-"], io), {
    code: 0,
    stdout: "published 3 messages\n",
    stderr: "",
  });
  assertEquals(await payloadsOf(dir.path, "c"), [1, { a: "b" }, null]);
  const text = memoryIo({ stdin: "a\n\n b \n" });
  await publish(dir.path, ["t", "-", "--text"], text);
  assertEquals(await payloadsOf(dir.path, "t"), ["a", "", " b "]);
  const none = await publish(dir.path, ["c", "-"], memoryIo());
  assertEquals([none.code, none.stdout], [0, "published 0 messages\n"]);
});

Deno.test("publish - with --json prints a line for each message", async () => {
  await using dir = await tempDir();
  const { stdout } = await publish(dir.path, ["c", "-", "--json"], memoryIo({ stdin: "1\n2\n" }));
  const printed = stdout.trim().split("\n").map((line) => JSON.parse(line));
  const records = await recordsOf(dir.path, "c");
  assertEquals(printed.map(({ id }) => id), records.map(({ id }) => id));
  assertEquals(printed[0].position, 0);
});

Deno.test("publish - stops at a bad line, names it, and says what it published", async () => {
  await using dir = await tempDir();
  const io = memoryIo({ stdin: '1\n\n2\n{"a":\n3\n' });
  const { code, stdout, stderr } = await publish(dir.path, ["c", "-"], io);
  assertEquals([code, stdout], [1, "published 2 messages\n"]);
  assertMatch(
    stderr,
    /^keyop-messenger: line 4 is not JSON \([^\n]+\): "\{\\"a\\":"; --text [^\n]+\n$/,
  );
  assertEquals(await payloadsOf(dir.path, "c"), [1, 2]);
});

Deno.test("publish - stores many lines in their order", async () => {
  await using dir = await tempDir();
  const lines = Array.from({ length: 50_000 }, (_, n) => `${n}\n`).join("");
  const { stdout } = await publish(dir.path, ["c", "-"], memoryIo({ stdin: lines }));
  assertEquals(stdout, "published 50000 messages\n");
  const payloads = await payloadsOf(dir.path, "c");
  assertEquals(payloads.length, 50_000);
  assert(payloads.every((payload, n) => payload === n));
});

Deno.test("publish - goes on when nobody reads its output any more", async () => {
  await using dir = await tempDir();
  const io = memoryIo({ stdin: "1\n2\n" });
  io.stdout.write = () => Promise.reject(new OutputClosedError());
  assertEquals((await publish(dir.path, ["c", "-"], io)).code, 0);
  assertEquals(await payloadsOf(dir.path, "c"), [1, 2]);
});

Deno.test("publish - ends early when it is interrupted, and says what it published", async () => {
  await using dir = await tempDir();
  const controller = new AbortController();
  const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
  const io = memoryIo({ stdin: readable, signal: controller.signal });
  const running = publish(dir.path, ["c", "-", "--json"], io);
  await writable.getWriter().write(new TextEncoder().encode("1\n2"));
  await io.stdout.until("position");
  controller.abort();
  assertEquals((await running).code, 130);
  assertEquals(await payloadsOf(dir.path, "c"), [1]);
});

for (
  const [what, words, message] of [
    ["no payload", ["c"], "no payload is given"],
    ["a payload that is no JSON", ["c", "{a}"], "the payload is not JSON"],
    ["two payloads", ["c", "1", "--file", "x"], "given twice"],
    ["a name that is no channel's", ["a/b", "1"], '"a/b" as a channel name'],
    ["a dead-letter channel", ["a.dead-letter", "1"], "by the messenger alone"],
    ["a certificate without a hub", ["c", "1", "--cert", "x"], "--cert goes with --hub only"],
    ["a hub and a data directory", ["c", "1", "--hub", "h:1"], "exclude each other"],
  ] as const
) {
  Deno.test(`publish refuses ${what} as wrong usage and makes nothing`, async () => {
    await using dir = await tempDir();
    const { code, stdout, stderr } = await publish(`${dir.path}/data`, words);
    assertEquals([code, stdout], [2, ""]);
    assertStringIncludes(stderr, message);
    assertEquals([...Deno.readDirSync(dir.path)], []);
  });
}

Deno.test("publish names the file that it cannot take", async () => {
  await using dir = await tempDir();
  await Deno.writeTextFile(`${dir.path}/lines`, "1\n2\n");
  await Deno.writeFile(`${dir.path}/binary`, new Uint8Array([0xff]));
  for (
    const [file, message] of [
      ["none", "cannot publish @/none: there is no such file\n"],
      [".", "cannot publish @/.: it is a folder\n"],
      ["binary", "cannot publish @/binary: it is not UTF-8 text"],
      ["lines", "@/lines is not JSON ("],
    ] as const
  ) {
    const { code, stderr } = await publish(`${dir.path}/d`, ["c", "--file", `${dir.path}/${file}`]);
    assertEquals(code, 1);
    assertStringIncludes(stderr.replaceAll(dir.path, "@"), `keyop-messenger: ${message}`);
    assertEquals(stderr.trimEnd().includes("\n"), false);
  }
});

for (
  const [json, keeps] of [
    ["12345678901234567890", false],
    ['{"a":[9007199254740993]}', false],
    ["1e400", false],
    ["-1E+999", false],
    ["9007199254740992", true],
    ["-9007199254740991", true],
    ["10000000000000000000000", true],
    ["0.12345678901234567890", true],
    ["1e300", true],
    ['"12345678901234567890 1e400"', true],
  ] as const
) {
  Deno.test(`publish ${keeps ? "takes" : "refuses to alter"} ${json}`, async () => {
    await using dir = await tempDir();
    const { code, stderr } = await publish(dir.path, ["c", "-"], memoryIo({ stdin: `1\n${json}` }));
    assertEquals(code, keeps ? 0 : 1);
    if (keeps) assertEquals(await payloadsOf(dir.path, "c"), [1, JSON.parse(json)]);
    else assertMatch(stderr, /line 2: the number [^\n]+ would be stored as another one; /);
  });
}
