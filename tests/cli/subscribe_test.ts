import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { OutputClosedError } from "../../src/cli/io.ts";
import { Messenger, type PublishOptions } from "../../src/messenger/mod.ts";
import { tempDir } from "../helpers/temp.ts";
import { type MemoryIo, memoryIo, runCli } from "./helpers.ts";

const open = (dataDir: string) =>
  Messenger.open({ name: "pi", storage: { dataDir } }, { anyPayloadType: true });

/** Publishes payloads on the channel `c`. */
async function fill(dataDir: string, ...payloads: unknown[]): Promise<void> {
  await using messenger = await open(dataDir);
  for (const payload of payloads) await messenger.publish("c", "T", payload);
}

async function publishOne(dataDir: string, payload: unknown, options: PublishOptions) {
  await using messenger = await open(dataDir);
  return await messenger.publish("c", "T", payload, options);
}

const subscribe = (dataDir: string, words: readonly string[], io?: MemoryIo) =>
  runCli(
    ["subscribe", "c", "--id", "a", "--data-dir", dataDir, "--name", "pi", ...words],
    io,
  );

/** Subscribes until a text was printed. */
async function subscribeUntil(dataDir: string, words: readonly string[], text: string) {
  const controller = new AbortController();
  const io = memoryIo({ signal: controller.signal });
  const running = subscribe(dataDir, words, io);
  await io.stdout.until(text);
  controller.abort();
  return await running;
}

const SH = { ignore: Deno.build.os === "windows" };

Deno.test("subscribe prints messages in order and goes on where it ended", async () => {
  await using dir = await tempDir();
  await fill(dir.path, 1, { two: 2 }, "drei");
  const first = await subscribe(dir.path, ["--from", "start", "--count", "2"]);
  assertEquals([first.code, first.stderr], [0, ""]);
  assertMatch(first.stdout, /^\d{4}-[^ ]+Z pi T 1\n\d{4}-[^ ]+Z pi T \{"two":2\}\n$/);
  const second = await subscribe(dir.path, ["--from", "start", "--count", "1"]);
  assertMatch(second.stdout, /^\d{4}-[^ ]+Z pi T "drei"\n$/);
});

Deno.test("subscribe --json prints the whole message on a line", async () => {
  await using dir = await tempDir();
  const { id } = await publishOne(dir.path, [1], { correlationId: "k", serviceName: "s" });
  const { stdout } = await subscribe(dir.path, ["--from", "start", "--count", "1", "--json"]);
  assertEquals(stdout.split("\n").length, 2);
  const { ts, ...rest } = JSON.parse(stdout);
  assertMatch(ts, /^\d{4}-\d\d-\d\dT/);
  assertEquals(rest, {
    id,
    channel: "c",
    origin: "pi",
    payload_type: "T",
    correlation_id: "k",
    service_name: "s",
    payload: [1],
    position: 0,
    attempt: 1,
  });
});

Deno.test("subscribe ends cleanly when it is interrupted, and early with --count is told", async () => {
  await using dir = await tempDir();
  await fill(dir.path, "x");
  const whole = await subscribeUntil(dir.path, ["--from", "start"], '"x"');
  assertEquals([whole.code, whole.stderr], [0, ""]);
  await fill(dir.path, "y");
  const early = await subscribeUntil(dir.path, ["--count", "5"], '"y"');
  assertEquals([early.code, early.stderr], [130, ""]);
});

Deno.test("a message that nobody reads comes again", async () => {
  await using dir = await tempDir();
  await fill(dir.path, "first", "second");
  const io = memoryIo();
  const write = io.stdout.write.bind(io.stdout);
  io.stdout.write = (text) =>
    text.includes("second") ? Promise.reject(new OutputClosedError()) : write(text);
  const closed = await subscribe(dir.path, ["--from", "start"], io);
  assertEquals([closed.code, closed.stderr], [0, ""]);
  const again = await subscribe(dir.path, ["--count", "1"]);
  assertStringIncludes(again.stdout, '"second"');
});

Deno.test("subscribe refuses ids and channels that are none as wrong usage", async () => {
  await using dir = await tempDir();
  const at = ["--data-dir", dir.path, "--name", "x"];
  for (
    const words of [["a/b", "--id", "a"], ["c", "--id", "fed-a"], ["c"], [
      "c",
      "--id",
      "a",
      "--count",
      "0",
    ]]
  ) {
    const { code, stdout } = await runCli(["subscribe", ...words, ...at]);
    assertEquals([code, stdout], [2, ""], words.join(" "));
  }
});

Deno.test("--exec gives a program the payload and the rest of the message", SH, async () => {
  await using dir = await tempDir();
  await publishOne(dir.path, { a: "ä" }, { correlationId: "k\0k", serviceName: "s" });
  const out = `${dir.path}/out`;
  const script = `cat > ${out}; env | grep ^KEYOP_ | sort >> ${out}; echo "$1" >> ${out}`;
  const words = ["--from", "start", "--count", "1", "--exec", "sh", "-c", script, "sh", "--flag x"];
  const { code, stdout, stderr } = await subscribe(dir.path, words);
  assertEquals([code, stdout, stderr], [0, "", ""]);
  const written = await Deno.readTextFile(out);
  assertMatch(
    written,
    new RegExp(
      `^\\{"a":"ä"\\}\nKEYOP_ATTEMPT=1\nKEYOP_CHANNEL=c\nKEYOP_CORRELATION_ID=kk\nKEYOP_ID=.{36}\n` +
        `KEYOP_ORIGIN=pi\nKEYOP_SERVICE=s\nKEYOP_TIMESTAMP=.{24}\nKEYOP_TYPE=T\n--flag x\n$`,
    ),
  );
});

Deno.test(
  "a program that fails is tried again, and its message becomes a dead letter",
  SH,
  async () => {
    await using dir = await tempDir();
    await fill(dir.path, "bad", "good");
    const out = `${dir.path}/out`;
    const script =
      `read line; echo "$line $KEYOP_ATTEMPT" >> ${out}; test "$line" != '"bad"' || exit 3`;
    const { code, stderr } = await subscribe(
      dir.path,
      ["--from", "start", "--count", "1", "--max-retries", "2", "--exec", "sh", "-c", script],
    );
    assertEquals(code, 0);
    assertEquals(await Deno.readTextFile(out), '"bad" 1\n"bad" 2\n"bad" 3\n"good" 1\n');
    assertMatch(stderr, /^[^\n]+ WARN {2}moved a message to the dead-letter channel [^\n]+\n$/);
    const tail = await runCli(["tail", "c.dead-letter", "--json", "--data-dir", dir.path]);
    const { payload } = JSON.parse(tail.stdout);
    assertEquals([payload.original.payload, payload.retries], ["bad", 2]);
    assertEquals(payload.last_error, "sh ended with exit code 3");
  },
);

Deno.test("a program need not read its input", SH, async () => {
  await using dir = await tempDir();
  await fill(dir.path, "x".repeat(1_000_000));
  const { code, stderr } = await subscribe(
    dir.path,
    ["--from", "start", "--count", "1", "--exec", "true"],
  );
  assertEquals([code, stderr], [0, ""]);
});

Deno.test("a program that a signal ends has failed", SH, async () => {
  await using dir = await tempDir();
  await fill(dir.path, 1);
  const words = ["--from", "start", "--max-retries", "0", "--log-level", "warn"];
  const controller = new AbortController();
  const io = memoryIo({ signal: controller.signal });
  const running = subscribe(dir.path, [...words, "--exec", "sh", "-c", "kill -KILL $$"], io);
  await io.stderr.until("dead-letter");
  controller.abort();
  assertStringIncludes((await running).stderr, 'error="sh was ended by SIGKILL"');
});

Deno.test("a program that cannot be run ends the command, and loses no message", async () => {
  await using dir = await tempDir();
  await fill(dir.path, "kept");
  for (const [program, hint] of [["no-such-program", ""], ["cat -n", "; give its arguments"]]) {
    const { code, stdout, stderr } = await subscribe(
      dir.path,
      ["--from", "start", "--max-retries", "0", "--exec", program!],
    );
    assertEquals([code, stdout], [1, ""]);
    assertStringIncludes(
      stderr,
      `keyop-messenger: cannot run "${program}": there is no such program${hint}`,
    );
    assert(!stderr.trimEnd().includes("\n"));
  }
  const { stdout } = await subscribe(dir.path, ["--count", "1"]);
  assertStringIncludes(stdout, '"kept"');
});

Deno.test(
  "an interruption lets the running program finish, and its message counts",
  SH,
  async () => {
    await using dir = await tempDir();
    await fill(dir.path, 1, 2);
    const fifo = `${dir.path}/fifo`;
    await new Deno.Command("mkfifo", { args: [fifo] }).output();
    const controller = new AbortController();
    const io = memoryIo({ signal: controller.signal });
    const running = subscribe(
      dir.path,
      ["--from", "start", "--exec", "sh", "-c", `echo started > ${fifo}; read go < ${fifo}`],
      io,
    );
    assertEquals(await Deno.readTextFile(fifo), "started\n");
    controller.abort();
    await Deno.writeTextFile(fifo, "go\n");
    assertEquals((await running).code, 0);
    const { stdout } = await subscribe(dir.path, ["--count", "1"]);
    assertMatch(stdout, / T 2\n$/);
  },
);
