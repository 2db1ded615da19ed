import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { FileChannelLogs } from "../../src/storage/mod.ts";
import { tempDir } from "../helpers/temp.ts";
import { memoryIo, runCli } from "./helpers.ts";

async function writeConfig(dir: string, more = ""): Promise<string> {
  const path = `${dir}/config.yaml`;
  await Deno.writeTextFile(path, `name: pi\nstorage: { data_dir: "${dir}/data" }\n${more}`);
  return path;
}

const HUB = 'hub: { enabled: true, listen_addr: "127.0.0.1:0" }\n';

/** Runs an instance until a text was printed, then interrupts it. */
async function runUntil(words: readonly string[], text: string, meanwhile?: () => Promise<void>) {
  const controller = new AbortController();
  const io = memoryIo({ signal: controller.signal });
  const running = runCli(["run", ...words], io);
  await io.stdout.until(text);
  await meanwhile?.();
  controller.abort();
  return await running;
}

Deno.test("run owns the data directory until it is interrupted, and ends with 0", async () => {
  await using dir = await tempDir();
  const config = await writeConfig(dir.path);
  const { code, stdout, stderr } = await runUntil(["-c", config], "ready", async () => {
    const { stdout } = await runCli(["status", "-c", config]);
    assertStringIncludes(stdout, `Owner:          process ${Deno.pid}`);
  });
  assertEquals([code, stdout, stderr], [0, "ready as pi\n", ""]);
  await new FileChannelLogs(`${dir.path}/data`).close();
});

Deno.test("run prints where its hub listens, and logs to standard error", async () => {
  await using dir = await tempDir();
  const config = await writeConfig(dir.path, HUB);
  const { stdout, stderr } = await runUntil(["-c", config], "ready");
  assertMatch(stdout, /^listening on 127\.0\.0\.1:\d+\nready as pi\n$/);
  assertStringIncludes(stderr, " INFO  hub listens");
  const quiet = await runUntil(["-c", config, "--log-level", "error"], "ready");
  assertEquals(quiet.stderr, "");
});

Deno.test("run --json prints one object", async () => {
  await using dir = await tempDir();
  const local = await writeConfig(dir.path);
  const { stdout } = await runUntil(["-c", local, "--json"], "\n");
  assertEquals(JSON.parse(stdout), { instance: "pi", hub_addr: null, pid: Deno.pid });
  const hub = await writeConfig(dir.path, HUB);
  const listening = await runUntil(["-c", hub, "--json"], "\n");
  assertMatch(JSON.parse(listening.stdout).hub_addr, /^127\.0\.0\.1:\d+$/);
});

Deno.test("run takes its data directory from an option before the configuration", async () => {
  await using dir = await tempDir();
  const config = await writeConfig(dir.path);
  await runUntil(["-c", config, "--data-dir", `${dir.path}/other`], "ready");
  assertEquals(
    [...Deno.readDirSync(dir.path)].map(({ name }) => name).sort(),
    ["config.yaml", "other"],
  );
});

Deno.test("run needs a configuration, and one that can be used", async () => {
  await using dir = await tempDir();
  const none = await runCli(["run", "--data-dir", dir.path]);
  assertEquals([none.code, none.stdout], [2, ""]);
  assertStringIncludes(none.stderr, "give --config FILE or set KEYOP_MESSENGER_CONFIG");
  const missing = await runCli(["run", "-c", `${dir.path}/none.yaml`]);
  assertEquals(missing.code, 1);
  assertStringIncludes(missing.stderr, "cannot be read: there is no such file");
  const config = await writeConfig(dir.path);
  const owner = new FileChannelLogs(`${dir.path}/data`);
  const second = await runCli(["run", "-c", config]);
  await owner.close();
  assertEquals([second.code, second.stdout], [1, ""]);
  assertStringIncludes(second.stderr, `is owned by process ${Deno.pid}: stop that process`);
});
