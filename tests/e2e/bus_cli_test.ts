// The bus on the command line as a user has it: processes with the permissions that help names.
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { resolve } from "node:path";
import { hasNatsServer, NatsServer } from "../helpers/nats_server.ts";
import { tempDir } from "../helpers/temp.ts";
import { RunningProgram } from "./running_program.ts";

const CLI = resolve(import.meta.dirname!, "../../cli.ts");
const FILE = ["--allow-read=bus.db,bus.db-wal", "--allow-write=bus.db"];
const IGNORE = Deno.build.os === "windows";

function start(
  cwd: string,
  permissions: readonly string[],
  words: readonly string[],
  env = {},
): RunningProgram {
  const args = ["run", "--no-prompt", "--quiet", ...permissions, CLI, "bus", ...words];
  return new RunningProgram(args, { cwd, env });
}

/** Runs to its end. */
async function run(
  cwd: string,
  permissions: readonly string[],
  words: readonly string[],
  env = {},
): Promise<RunningProgram & { code: number }> {
  await using program = start(cwd, permissions, words, env);
  return Object.assign(program, { code: (await program.ended).code });
}

/** Waits for a line of standard error. */
async function errorLine(program: RunningProgram, text: string): Promise<void> {
  const over = program.ended.then(() => {
    throw new Error(`it ended without ${text}: ${program.output}`);
  });
  over.catch(() => {});
  while (!program.errors.some((line) => line.includes(text))) {
    await Promise.race([new Promise((resolve) => setTimeout(resolve, 5)), over]);
  }
}

Deno.test({
  name: "a user serves a subject with a program and asks it, over a file",
  ignore: IGNORE,
  async fn() {
    await using dir = await tempDir();
    const url = ["--url", "sqlite:bus.db"];
    const serve = ["serve", "shout", ...url, "--exec", "tr", "a-z", "A-Z"];
    await using one = start(dir.path, [...FILE, "--allow-run=tr"], serve);
    await one.line(/^serving shout$/);
    const asked = await run(dir.path, FILE, ["request", "shout", "hello", ...url]);
    assertEquals([asked.code, asked.lines], [0, ["HELLO"]], asked.output);
    // A request that was made before its server came.
    await using early = start(dir.path, FILE, ["request", "late", "hi", ...url]);
    const words = ["serve", "late", ...url, "--count", "1", "--exec", "cat"];
    await using late = start(dir.path, [...FILE, "--allow-run=cat"], words);
    assertEquals((await late.ended).code, 0, late.output);
    assertEquals((await early.ended).code, 0, early.output);
    assertEquals(early.lines, ["hi"]);
    one.signal("SIGTERM");
    assertEquals((await one.ended).code, 0, one.output);
  },
});

Deno.test({
  name: "a user follows a subject and publishes to it, the bus being named by the environment",
  ignore: IGNORE,
  async fn() {
    await using dir = await tempDir();
    const env = { KEYOP_MESSENGER_BUS: "sqlite:bus.db" };
    const permissions = [...FILE, "--allow-env=KEYOP_MESSENGER_BUS"];
    await using stream = start(dir.path, permissions, ["stream", "s", "--count", "2"], env);
    await errorLine(stream, "streaming s");
    await run(dir.path, permissions, ["publish", "s", "1"], env);
    const published = await run(dir.path, permissions, ["publish", "s", "żółć"], env);
    assertEquals(published.code, 0, published.output);
    assertEquals((await stream.ended).code, 0, stream.output);
    assertEquals(stream.lines, ["1", "żółć"]);
  },
});

Deno.test({
  name: "what is wrong is one line and an exit code",
  ignore: IGNORE,
  async fn() {
    await using dir = await tempDir();
    await Deno.writeTextFile(`${dir.path}/bus.db`, "no database at all");
    const damaged = await run(dir.path, FILE, ["publish", "s", "1", "--url", "sqlite:bus.db"]);
    assertEquals([damaged.code, damaged.errors.length], [1, 1], damaged.output);
    assertStringIncludes(damaged.errors[0]!, "bus.db: the file is damaged or no SQLite database");
    const down = "nats://127.0.0.1:1";
    const net = ["--allow-net=127.0.0.1:1", "--allow-env"];
    const refused = await run(dir.path, net, ["publish", "s", "1", "--url", down]);
    assertEquals([refused.code, refused.errors.length], [1, 1], refused.output);
    assertStringIncludes(refused.errors[0]!, "No connection to nats://127.0.0.1:1");
    const usage = await run(dir.path, FILE, ["publish", "s", "1", "--url", "mqtt://x"]);
    assertEquals(usage.code, 2, usage.output);
  },
});

Deno.test({
  name: "the same commands work over a server",
  ignore: IGNORE || !hasNatsServer,
  async fn() {
    await using dir = await tempDir();
    await using server = await NatsServer.start();
    const url = ["--url", server.url];
    const net = [`--allow-net=127.0.0.1:${server.port}`, "--allow-env"];
    const words = ["serve", "shout", ...url, "--exec", "tr", "a-z", "A-Z"];
    await using one = start(dir.path, [...net, "--allow-run=tr"], words);
    await one.line(/^serving shout$/);
    const asked = await run(dir.path, net, ["request", "shout", "hello", ...url]);
    assertEquals([asked.code, asked.lines], [0, ["HELLO"]], asked.output);
    const nobody = await run(dir.path, net, ["request", "nobody", "", ...url]);
    assertEquals(nobody.code, 1);
    assert(nobody.errors[0]!.includes('Nobody serves "nobody"'), nobody.output);
    one.signal("SIGINT");
    assertEquals((await one.ended).code, 0, one.output);
  },
});
