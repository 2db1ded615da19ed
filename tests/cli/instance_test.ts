import { assertEquals, assertStringIncludes } from "@std/assert";
import { Messenger } from "../../src/messenger/mod.ts";
import { tempDir } from "../helpers/temp.ts";
import { memoryIo, runCli } from "./helpers.ts";

/** A configuration file whose data directory is `configured`. */
async function writeConfig(dir: string, more = ""): Promise<string> {
  const path = `${dir}/pi.yaml`;
  await Deno.writeTextFile(path, `name: pi\nstorage:\n  data_dir: ${dir}/configured\n${more}`);
  return path;
}

const foldersOf = (dir: string) =>
  [...Deno.readDirSync(dir)].filter(({ isDirectory }) => isDirectory).map(({ name }) => name);

Deno.test("the data directory comes from option, variable or configuration, in this order", async () => {
  for (
    const [words, env, expected] of [
      [["--config", "@/pi.yaml"], {}, "configured"],
      [[], { KEYOP_MESSENGER_CONFIG: "@/pi.yaml" }, "configured"],
      [["--config", "@/pi.yaml", "--data-dir", "@/given"], {}, "given"],
      [["--config", "@/pi.yaml"], { KEYOP_MESSENGER_DATA_DIR: "@/variable" }, "variable"],
      [["--name", "x", "--data-dir", "@/given"], { KEYOP_MESSENGER_DATA_DIR: "@/v" }, "given"],
      [["-c", "@/pi.yaml"], { KEYOP_MESSENGER_CONFIG: "@/none.yaml" }, "configured"],
      [["-c", "@/pi.yaml"], { KEYOP_MESSENGER_DATA_DIR: "" }, "configured"],
    ] as const
  ) {
    await using dir = await tempDir();
    await writeConfig(dir.path);
    const at = (text: string) => text.replace("@/", `${dir.path}/`);
    const io = memoryIo({
      env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, at(value)])),
    });
    const { code, stderr } = await runCli(["publish", "c", "1", ...words.map(at)], io);
    assertEquals([code, stderr], [0, ""], words.join(" "));
    assertEquals(foldersOf(dir.path), [expected], words.join(" "));
  }
});

Deno.test("every command says how to name a data directory when none is named", async () => {
  for (
    const words of [["publish", "c", "1"], ["subscribe", "c", "--id", "a"], ["tail", "c"], [
      "status",
    ]]
  ) {
    const { code, stderr } = await runCli(words);
    assertEquals(code, 2);
    assertStringIncludes(stderr, "give --data-dir DIR or --config FILE, or set KEYOP_MESSENGER_");
  }
});

Deno.test("the name comes from option, configuration or host, and is the origin", async () => {
  await using dir = await tempDir();
  const config = await writeConfig(dir.path);
  const originOf = async (words: readonly string[]) => {
    await runCli(["publish", "c", "1", ...words]);
    const { stdout } = await runCli(["tail", "c", "-n", "1", "--json", ...words.slice(0, 2)]);
    return JSON.parse(stdout).origin;
  };
  assertEquals(await originOf(["-c", config]), "pi");
  assertEquals(await originOf(["-c", config, "--name", "other"]), "other");
  assertEquals(await originOf(["--data-dir", `${dir.path}/d`]), Deno.hostname());
});

Deno.test("publish with a configuration keeps to its storage and opens none of its links", async () => {
  await using dir = await tempDir();
  const more = "  sync_policy: always\n  retention: 7d\nhub:\n  enabled: true\n" +
    "  listen_addr: 192.0.2.1:1\n  insecure: true\n  fed_client_offset_ttl: 1h\n";
  const config = await writeConfig(dir.path, more);
  const { code, stderr } = await runCli(["publish", "c", "1", "-c", config]);
  assertEquals([code, stderr], [0, ""]);
});

Deno.test("a data directory that is owned is refused with its owner and what to do", async () => {
  await using dir = await tempDir();
  await using _owner = await Messenger.open({ name: "x", storage: { dataDir: dir.path } });
  const at = ["--data-dir", dir.path, "--name", "y"];
  for (
    const [words, hint] of [
      [["publish", "c", "1"], "publish through that process, or straight to a hub with --hub ADDR"],
      [
        ["subscribe", "c", "--id", "a"],
        "stop it first, subscribe within its program, or look with tail -f",
      ],
    ] as const
  ) {
    assertEquals(await runCli([...words, ...at]), {
      code: 1,
      stdout: "",
      stderr: `keyop-messenger: data directory ${JSON.stringify(dir.path)} is owned by process ` +
        `${Deno.pid}: ${hint}\n`,
    });
  }
});

Deno.test("the problems of a configuration are all told, each on a line", async () => {
  await using dir = await tempDir();
  const config = await writeConfig(
    dir.path,
    "  sync_policy: nevr\ncolor: red\nhub:\n  enabled: 1\n",
  );
  for (const words of [["run"], ["publish", "c", "1"], ["status"], ["tail", "c"]]) {
    const { code, stdout, stderr } = await runCli([...words, "-c", config]);
    assertEquals([code, stdout], [1, ""]);
    assertStringIncludes(stderr, "has 3 problems:\n  storage.sync_policy: ");
    assertStringIncludes(stderr, "\n  color: unknown key");
    assertStringIncludes(stderr, "\n  hub.enabled: ");
    assertEquals(stderr.split("\n").length, 5);
  }
});
