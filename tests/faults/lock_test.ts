import { assertEquals, assertThrows } from "@std/assert";
import { DataDirLockedError } from "../../src/base/mod.ts";
import { dataDirOwner, DataDirView, denoFiles, FileChannelLogs } from "../../src/storage/mod.ts";
import { tempDir } from "../helpers/temp.ts";

Deno.test("another process that owns the data directory is named, and kill -9 frees it", async () => {
  await using dir = await tempDir();
  const program = new URL("./programs/own_data_dir.ts", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", `--allow-read=${dir.path}`, `--allow-write=${dir.path}`, program, dir.path],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  try {
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    assertEquals((await reader.read()).value, "open\n");
    const error = assertThrows(() => new FileChannelLogs(dir.path), DataDirLockedError);
    assertEquals(error.pid, child.pid);
    assertEquals(dataDirOwner(denoFiles, dir.path), child.pid);
    const view = new DataDirView(dir.path);
    assertEquals([view.owner, view.channels()], [child.pid, []]);
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
    assertEquals(dataDirOwner(denoFiles, dir.path), undefined);
    await new FileChannelLogs(dir.path).close();
  } finally {
    await child.stdin.close().catch(() => {});
    await child.status;
  }
});
