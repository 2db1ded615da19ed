import { assertEquals } from "@std/assert";
import { DataDirView } from "../../src/storage/mod.ts";
import { tempDir } from "../helpers/temp.ts";

Deno.test("a view names the process that owns the directory, and reads what that one writes", async () => {
  await using dir = await tempDir();
  const program = new URL("./programs/own_data_dir.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", `--allow-read=${dir.path}`, `--allow-write=${dir.path}`, program, dir.path],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  try {
    const output = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    assertEquals((await output.read()).value, "open\n");
    const view = new DataDirView(dir.path);
    assertEquals(view.owner, child.pid);
    await Deno.mkdir(`${dir.path}/channels/readings`);
    await Deno.writeTextFile(`${dir.path}/channels/readings/${"0".repeat(20)}.jsonl`, "one\n");
    assertEquals(view.channels(), ["readings"]);
    const tail = view.tail("readings");
    const reader = tail.reader(0);
    const { records } = await reader.read(1_000);
    reader.close();
    assertEquals([records.length, tail.end], [1, 4]);
    await child.stdin.close();
    await child.status;
    await output.cancel();
    assertEquals(view.owner, undefined);
  } finally {
    await child.stdin.close().catch(() => {});
    await child.status;
  }
});
